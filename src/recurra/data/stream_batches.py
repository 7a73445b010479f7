"""Batches of a text that goes on: for truncated back-propagation through time, and for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch

from recurra.data.batching import IGNORE_INDEX, Cursor, TextBatch, check_at_least
from recurra.data.token_ids import TokenIds
from recurra.data.vocabulary import PAD_ID
from recurra.data.windows import varied_windows
from recurra.errors import DataTooShortError


class StreamBatches:
    """An endless stream of batches for training: parallel streams of text that are read in order.

    The part is cut into ``batch_size`` streams of equal length, and each batch takes the next ``bptt`` steps of all.
    From the second pass on, the streams start up to ``bptt - 1`` tokens later, by a random number that ``seed``
    and the pass determine, so that windows begin and end elsewhere each time.

    With ``vary_bptt``, the windows of a pass have random lengths instead (see ``varied_windows``), the streams always
    begin and end at the same places, and a batch's ``lr_factor`` is the length of its window by ``bptt``.

    Args:
        ids: The tokens of the whole text.
        start: Where the part begins.
        stop: Where it ends.
        batch_size: Parallel streams, B.
        bptt: Steps of a window, T.
        seed: Any integer of at least 0.
        vary_bptt: Whether windows vary in length.
        num_units: Length of the whole text, for the message when the part is too short.
        unit: What a token is, for that message.

    Raises:
        ArgumentError: When ``batch_size`` or ``bptt`` is below 1, or ``seed`` below 0.
        DataTooShortError: When the part is shorter than one window of all streams.

    Source of ``vary_bptt``: Merity, Keskar, Socher 2018, arXiv 1708.02182, section 5.
    """

    def __init__(
        self,
        ids: TokenIds,
        start: int,
        stop: int,
        *,
        batch_size: int,
        bptt: int,
        seed: int = 0,
        vary_bptt: bool = False,
        num_units: int | None = None,
        unit: str = "token",
    ) -> None:
        check_at_least("StreamBatches", 1, batch_size=batch_size, bptt=bptt)
        check_at_least("StreamBatches", 0, seed=seed)
        needed = self.num_units_needed(batch_size, bptt)
        if stop - start < needed:
            raise _too_short(needed, stop - start, batch_size, bptt, num_units, unit)
        self.batch_size, self.bptt, self.seed, self.vary_bptt = batch_size, bptt, seed, vary_bptt
        self._ids, self._part = ids, ids.raw[start:stop]  # a view of the file, no copy
        # what the largest shift and the last target need is set aside, so all passes are equally long
        set_aside = 1 if vary_bptt else bptt
        self._stream_length = (stop - start - set_aside) // batch_size

    @staticmethod
    def num_units_needed(batch_size: int, bptt: int) -> int:
        """Return the length of the shortest part that gives one window of all streams, under any shift."""
        return (batch_size + 1) * bptt

    @cached_property
    def batches_per_epoch(self) -> int:
        """Batches of one pass; with ``vary_bptt``, of the first one, and others have about as many."""
        return self.num_batches(0)

    def num_batches(self, epoch: int) -> int:
        """Return the number of batches of a pass."""
        return len(self._borders(epoch)) - 1

    def __iter__(self) -> Iterator[TextBatch]:
        return self.iter_batches()

    def iter_batches(self, cursor: Cursor | None = None) -> Iterator[TextBatch]:
        """Yield batches from ``cursor`` on without end: the same ones as a stream that came there from the beginning.

        Raises:
            ArgumentError: When the cursor lies behind the end of a pass, as one from other settings may.
        """
        cursor = cursor or Cursor()
        cursor.check_inside("StreamBatches", self.num_batches(cursor.epoch), "data, batch_size and bptt")
        return self._iter_from(cursor)

    def _iter_from(self, cursor: Cursor) -> Iterator[TextBatch]:
        while True:
            borders, shift = self._borders(cursor.epoch), self._shift(cursor.epoch)
            inputs, targets = self._streams(shift), self._streams(shift + 1)
            for window in range(cursor.window, len(borders) - 1):
                begin, end = int(borders[window]), int(borders[window + 1])
                cursor = Cursor(cursor.epoch, window).following(len(borders) - 1)
                yield TextBatch(
                    inputs=self._window(inputs[:, begin:end]),
                    targets=self._window(targets[:, begin:end]),
                    starts_anew=window == 0,
                    cursor_after=cursor,
                    lr_factor=(end - begin) / self.bptt,
                )

    def _borders(self, epoch: int) -> np.ndarray:
        if self.vary_bptt:
            return varied_windows(self._stream_length, self.bptt, self.seed, epoch)
        return np.arange(0, self._stream_length + 1, self.bptt)  # the last steps may belong to no window

    def _streams(self, offset: int) -> np.ndarray:
        stop = offset + self.batch_size * self._stream_length
        return self._part[offset:stop].reshape(self.batch_size, self._stream_length)  # (B, length), a view

    def _window(self, raw: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._ids.map(raw.T))  # (B, T) -> (T, B)

    def _shift(self, epoch: int) -> int:
        if epoch == 0 or self.vary_bptt:
            return 0
        # a hash stays the same in all versions of all libraries, as a resumed run needs it
        digest = hashlib.sha256(f"recurra stream {self.seed} {epoch}".encode()).digest()
        return int.from_bytes(digest[:8], "little") % self.bptt


def iter_evaluation(
    ids: TokenIds, start: int, stop: int, *, batch_size: int, bptt: int, reset_every: int | None = None
) -> Iterator[TextBatch]:
    """Yield batches that hold every target of a part exactly once.

    The targets are all tokens of the part but its first one, which has none before it. The part is cut into
    pieces that are read side by side, each from a fresh state: ``batch_size`` long ones, or, with ``reset_every``,
    as many of that length as it takes, up to ``batch_size`` at a time. Where a piece is over before the others,
    targets are ``IGNORE_INDEX`` and inputs ``PAD_ID``.

    Args:
        ids: The tokens of the whole text.
        start: Where the part begins.
        stop: Where it ends.
        batch_size: Largest number of pieces side by side.
        bptt: Largest number of steps of a batch.
        reset_every: Steps after which the state starts anew; ``None`` for as seldom as ``batch_size`` allows.

    Raises:
        ArgumentError: When ``batch_size``, ``bptt`` or ``reset_every`` is below 1.
        DataTooShortError: When the part has fewer than two tokens.
    """
    check_at_least("iter_evaluation", 1, batch_size=batch_size, bptt=bptt, reset_every=reset_every)
    if stop - start < 2:
        raise DataTooShortError(f"iter_evaluation expected a part of at least 2 tokens, got {stop - start}")
    length = reset_every if reset_every is not None else -(-(stop - start - 1) // batch_size)
    return _iter_groups(ids, range(start, stop - 1, length), stop, batch_size, bptt)


def _iter_groups(ids: TokenIds, pieces: range, stop: int, batch_size: int, bptt: int) -> Iterator[TextBatch]:
    count = 0
    for begin in range(0, len(pieces), batch_size):
        group = pieces[begin : begin + batch_size]
        longest = min(pieces.step, stop - 1 - group[0])
        for step in range(0, longest, bptt):
            num_steps = min(bptt, longest - step)
            window = np.zeros((len(group), num_steps + 1), ids.raw.dtype)  # (B, T + 1)
            ends = np.zeros(len(group), np.int64)
            for row, place in enumerate(range(group[0] + step, stop - 1, pieces.step)[: len(group)]):
                raw = ids.raw[place : min(place + num_steps + 1, stop)]
                window[row, : len(raw)], ends[row] = raw, len(raw) - 1
            count += 1
            yield _masked(ids.map(window.T), ends, first=step == 0, cursor_after=Cursor(0, count))


def _masked(window: np.ndarray, ends: np.ndarray, *, first: bool, cursor_after: Cursor) -> TextBatch:
    """Make inputs and targets from a window of shape (T + 1, B) whose columns hold ``ends`` targets each."""
    inputs, targets = window[:-1].copy(), window[1:]  # whoever changes one must not change the other
    if (ends < len(inputs)).any():
        over = np.arange(len(inputs))[:, None] >= ends
        inputs, targets = np.where(over, PAD_ID, inputs), np.where(over, IGNORE_INDEX, targets)
    return TextBatch(torch.from_numpy(inputs), torch.from_numpy(targets), first, cursor_after)


def _too_short(
    needed: int, got: int, batch_size: int, bptt: int, num_units: int | None, unit: str
) -> DataTooShortError:
    whole = ""
    if num_units is not None and got > 0:
        whole = f"; with the same shares the whole text needs {-(-needed * num_units // got)}, and has {num_units}"
    return DataTooShortError(
        f"expected a training part of at least {needed} {unit}s for batch_size={batch_size} and bptt={bptt}, "
        f"got {got}{whole}",
        hint="use more text, or a smaller batch_size or bptt",
    )


__all__ = ["StreamBatches", "iter_evaluation"]
