"""Batches of lines, each a sequence by itself: for training, and for evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from recurra.data.batching import IGNORE_INDEX, Cursor, TextBatch, check_at_least
from recurra.data.example_order import ExampleOrder, iter_in_order
from recurra.data.lines import Lines, num_targets
from recurra.data.vocabulary import BOS_ID, EOS_ID, PAD_ID
from recurra.errors import DataTooShortError


class LineBatches:
    """An endless stream of batches for training: every line once a pass, in the order of an ``ExampleOrder``.

    A line of n tokens has n + 1 steps: inputs ``<bos> w1 .. wn`` and targets ``w1 .. wn <eos>``. Of a line longer than
    ``max_length``, the first ``max_length`` tokens are the targets, and no ``<eos>`` follows. The rows of a batch are
    sorted by their steps, longest first.

    Args:
        lines: The lines.
        batch_size: Lines of a batch, B.
        max_length: Tokens of a line that are read at most; None reads all.
        seed: Any integer of at least 0.

    Raises:
        ArgumentError: When ``batch_size`` or ``max_length`` is below 1, or ``seed`` below 0.
        DataTooShortError: When there is no line.
    """

    def __init__(self, lines: Lines, *, batch_size: int, max_length: int | None = None, seed: int = 0) -> None:
        _check("LineBatches", lines, batch_size, max_length)
        check_at_least("LineBatches", 0, seed=seed)
        self.batch_size, self.max_length, self.seed = batch_size, max_length, seed
        self._lines = lines
        steps = num_targets(lines, max_length)
        self._order = ExampleOrder(steps, batch_size=batch_size, seed=seed, name="lines", who="LineBatches")

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one pass."""
        return self._order.batches_per_epoch

    def __iter__(self) -> Iterator[TextBatch]:
        return self.iter_batches()

    def iter_batches(self, cursor: Cursor | None = None) -> Iterator[TextBatch]:
        """Yield batches from ``cursor`` on without end: the same ones as a stream that came there from the beginning.

        Raises:
            ArgumentError: When the cursor lies behind the end of a pass, as one from other settings may.
        """
        batches = self._order.iter_batches(cursor)
        return (_assemble(self._lines.take(lines), self.max_length, behind) for lines, behind in batches)


def iter_line_evaluation(lines: Lines, *, batch_size: int, max_length: int | None = None) -> Iterator[TextBatch]:
    """Yield batches that hold every line exactly once, the longest ones first; see ``LineBatches``.

    Args:
        lines: The lines.
        batch_size: Lines of a batch; the last one may have fewer.
        max_length: Tokens of a line that are read at most; None reads all.

    Raises:
        ArgumentError: When ``batch_size`` or ``max_length`` is below 1.
        DataTooShortError: When there is no line.
    """
    _check("iter_line_evaluation", lines, batch_size, max_length)
    batches = iter_in_order(num_targets(lines, max_length), batch_size=batch_size)
    return (_assemble(lines.take(group), max_length, behind) for group, behind in batches)


def _check(who: str, lines: Lines, batch_size: int, max_length: int | None) -> None:
    check_at_least(who, 1, batch_size=batch_size, max_length=max_length)
    if not len(lines):
        raise DataTooShortError(f"{who} expected at least 1 line, got none")


def _assemble(lines: Lines, max_length: int | None, cursor_after: Cursor) -> TextBatch:
    """Make a batch of lines that are sorted by length."""
    steps = num_targets(lines, max_length)  # (B,)
    time = np.arange(int(steps.max()))[:, None]  # (T, 1)
    is_valid = time < steps  # (T, B)
    is_token = is_valid & (time < lines.lengths)
    # where no token of the line stands, its first one is read and then replaced
    tokens = lines.ids.map(lines.ids.raw[lines.starts + np.where(is_token, time, 0)])
    targets = np.where(is_token, tokens, np.where(is_valid, EOS_ID, IGNORE_INDEX))
    inputs = np.full_like(targets, BOS_ID)
    inputs[1:] = np.where(is_valid[1:], tokens[:-1], PAD_ID)
    return TextBatch(
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets),
        starts_anew=True,
        cursor_after=cursor_after,
        lengths=torch.from_numpy(steps),
        labels=None if lines.labels is None else torch.from_numpy(lines.labels),
    )


__all__ = ["LineBatches", "iter_line_evaluation"]
