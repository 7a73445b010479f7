"""Batches of lines, each a sequence by itself: for training, and for evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from recurra.data.batching import IGNORE_INDEX, Cursor, TextBatch, check_at_least
from recurra.data.hashing import key_of, permutation
from recurra.data.lines import Lines, num_targets
from recurra.data.vocabulary import BOS_ID, EOS_ID, PAD_ID
from recurra.errors import DataTooShortError

# Lines of a batch are drawn from a pool of so many batches that they are about equally long: 50 leave little padding,
# and still the batches of a pass are other ones each time.
_BATCHES_OF_POOL = 50


class LineBatches:
    """An endless stream of batches for training: every line once a pass, in an order of its own.

    A pass shuffles the lines, sorts each 50 batches of them by length, cuts these into batches and shuffles the
    batches; ``seed`` and the number of the pass determine all of it. The last batch that is cut may be smaller.

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

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one pass."""
        return -(-len(self._lines) // self.batch_size)

    def __iter__(self) -> Iterator[TextBatch]:
        return self.iter_batches()

    def iter_batches(self, cursor: Cursor | None = None) -> Iterator[TextBatch]:
        """Yield batches from ``cursor`` on without end: the same ones as a stream that came there from the beginning.

        Raises:
            ArgumentError: When the cursor lies behind the end of a pass, as one from other settings may.
        """
        cursor = cursor or Cursor()
        cursor.check_inside("LineBatches", self.batches_per_epoch, "data and batch_size")
        return self._iter_from(cursor)

    def _iter_from(self, cursor: Cursor) -> Iterator[TextBatch]:
        while True:
            lines, batches = self._order(cursor.epoch)
            for window in range(cursor.window, len(batches)):
                begin = int(batches[window]) * self.batch_size
                cursor = Cursor(cursor.epoch, window).following(len(batches))
                yield _assemble(self._lines.take(lines[begin : begin + self.batch_size]), self.max_length, cursor)

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the order of the lines, and that of the batches that are cut from it."""
        lines = permutation(len(self._lines), key_of("recurra lines of pass", self.seed, epoch))
        pools = np.arange(len(lines)) // (_BATCHES_OF_POOL * self.batch_size)
        steps = num_targets(self._lines, self.max_length)[lines]
        lines = lines[np.lexsort((-steps, pools))]  # stable: equally long ones stay shuffled
        return lines, permutation(self.batches_per_epoch, key_of("recurra batches of pass", self.seed, epoch))


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
    order = np.argsort(-num_targets(lines, max_length), kind="stable")
    groups = (order[begin : begin + batch_size] for begin in range(0, len(order), batch_size))
    return (_assemble(lines.take(group), max_length, Cursor(0, count + 1)) for count, group in enumerate(groups))


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
