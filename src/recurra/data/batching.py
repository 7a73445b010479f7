"""Batches for truncated back-propagation through time, and for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from recurra.data.corpus import known_ids
from recurra.errors import ArgumentError, DataTooShortError

IGNORE_INDEX = -100

ReadIds = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Cursor:
    """A place in an endless stream of batches: the batch that comes next.

    Attributes:
        epoch: Passes over the part that are complete.
        window: Batches of the present pass that were given out.
    """

    epoch: int = 0
    window: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ArgumentError(f"Cursor expected {name} to be an integer of at least 0, got {value!r}")

    def to_json(self) -> dict[str, int]:
        """Return the cursor as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Cursor:
        """Make a cursor from what ``to_json`` returned.

        Raises:
            ArgumentError: When a number is missing, superfluous, or none.
        """
        if set(content) != {"epoch", "window"}:
            raise ArgumentError(f"Cursor expected the keys epoch and window, got {', '.join(map(str, content))}")
        return cls(**content)


@dataclass(frozen=True)
class TextBatch:
    """One window of parallel streams of text.

    Attributes:
        inputs: Ids that are read, int64 of shape ``(T, B)``.
        targets: The id that follows each of them, int64 of shape ``(T, B)``; ``IGNORE_INDEX`` where none counts.
        starts_anew: Whether the state starts anew, instead of going on from the batch before.
        cursor_after: Where to go on behind this batch.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    starts_anew: bool
    cursor_after: Cursor

    @property
    def cursor(self) -> dict[str, int]:
        """Where to go on behind this batch, as plain numbers."""
        return self.cursor_after.to_json()

    def to(self, device: torch.device) -> TextBatch:
        """Return the batch on a device."""
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))


class StreamBatches:
    """An endless stream of batches for training: parallel streams of text that are read in order.

    The part is cut into ``batch_size`` streams of equal length, and each batch takes the next ``bptt`` steps of all.
    From the second pass on, the streams start up to ``bptt - 1`` characters later, by a random number that ``seed``
    and the pass determine, so that windows begin and end elsewhere each time.

    Args:
        read_ids: Gives the raw ids of the corpus from a start to a stop, as ``Corpus.ids`` does. It is asked once, for
            the whole part, so it had better return a view.
        start: Where the part begins.
        stop: Where it ends.
        num_symbols: Size of the vocabulary without the unknown symbol; larger ids are read as 0.
        batch_size: Parallel streams, B.
        bptt: Steps of a window, T.
        seed: Any integer of at least 0.
        num_chars: Length of the whole corpus, for the message when it is too short.

    Raises:
        ArgumentError: When ``batch_size`` or ``bptt`` is below 1, or ``seed`` below 0.
        DataTooShortError: When the part is shorter than one window of all streams.
    """

    def __init__(
        self,
        read_ids: ReadIds,
        start: int,
        stop: int,
        num_symbols: int,
        *,
        batch_size: int,
        bptt: int,
        seed: int = 0,
        num_chars: int | None = None,
    ) -> None:
        _check_at_least_1("StreamBatches", batch_size=batch_size, bptt=bptt)
        if seed < 0:
            raise ArgumentError(f"StreamBatches expected seed to be at least 0, got {seed}")
        needed = self.num_chars_needed(batch_size, bptt)
        if stop - start < needed:
            raise _too_short(needed, stop - start, batch_size, bptt, num_chars)
        self.batch_size, self.bptt, self.seed = batch_size, bptt, seed
        self._ids = np.asarray(read_ids(start, stop))  # still a view of the file, no copy
        self._num_symbols = num_symbols
        # what the largest shift and the last target need is set aside, so all passes are equally long
        self._stream_length = (stop - start - bptt) // batch_size

    @staticmethod
    def num_chars_needed(batch_size: int, bptt: int) -> int:
        """Return the length of the shortest part that gives one window of all streams, under any shift."""
        return (batch_size + 1) * bptt

    @property
    def windows_per_epoch(self) -> int:
        """Batches of one pass."""
        return self._stream_length // self.bptt

    def __iter__(self) -> Iterator[TextBatch]:
        return self.iter_batches()

    def iter_batches(self, cursor: Cursor | None = None) -> Iterator[TextBatch]:
        """Yield batches from ``cursor`` on without end: the same ones as a stream that came there from the beginning.

        Raises:
            ArgumentError: When the cursor lies behind the end of a pass, as one from other settings may.
        """
        cursor = cursor or Cursor()
        if cursor.window >= self.windows_per_epoch:
            raise ArgumentError(
                f"StreamBatches expected cursor.window to be below {self.windows_per_epoch}, got {cursor.window}",
                hint="go on with the data, batch_size and bptt that the cursor was made with",
            )
        return self._iter_from(cursor)

    def _iter_from(self, cursor: Cursor) -> Iterator[TextBatch]:
        epoch, window = cursor.epoch, cursor.window
        while True:
            inputs, targets = self._streams(self._shift(epoch)), self._streams(self._shift(epoch) + 1)
            for place in range(window, self.windows_per_epoch):
                steps = slice(place * self.bptt, (place + 1) * self.bptt)
                is_last = place + 1 == self.windows_per_epoch
                yield TextBatch(
                    inputs=self._window(inputs[:, steps]),
                    targets=self._window(targets[:, steps]),
                    starts_anew=place == 0,
                    cursor_after=Cursor(epoch + 1, 0) if is_last else Cursor(epoch, place + 1),
                )
            epoch, window = epoch + 1, 0

    def _streams(self, offset: int) -> np.ndarray:
        stop = offset + self.batch_size * self._stream_length
        return self._ids[offset:stop].reshape(self.batch_size, self._stream_length)  # (B, length), a view

    def _window(self, ids: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(known_ids(ids.T, self._num_symbols))  # (B, T) -> (T, B)

    def _shift(self, epoch: int) -> int:
        if epoch == 0:
            return 0
        # a hash stays the same in all versions of all libraries, as a resumed run needs it
        digest = hashlib.sha256(f"recurra stream {self.seed} {epoch}".encode()).digest()
        return int.from_bytes(digest[:8], "little") % self.bptt


def iter_evaluation(
    read_ids: ReadIds,
    start: int,
    stop: int,
    num_symbols: int,
    *,
    batch_size: int,
    bptt: int,
    reset_every: int | None = None,
) -> Iterator[TextBatch]:
    """Yield batches that hold every target of a part exactly once.

    The targets are all characters of the part but its first one, which has none before it. The part is cut into
    pieces that are read side by side, each from a fresh state: ``batch_size`` long ones, or, with ``reset_every``,
    as many of that length as it takes, up to ``batch_size`` at a time. Where a piece is over before the others,
    targets are ``IGNORE_INDEX`` and inputs 0.

    Args:
        read_ids: Gives the raw ids of the corpus from a start to a stop, as ``Corpus.ids`` does.
        start: Where the part begins.
        stop: Where it ends.
        num_symbols: Size of the vocabulary without the unknown symbol; larger ids are read as 0.
        batch_size: Largest number of pieces side by side.
        bptt: Largest number of steps of a batch.
        reset_every: Steps after which the state starts anew; ``None`` for as seldom as ``batch_size`` allows.

    Raises:
        ArgumentError: When ``batch_size``, ``bptt`` or ``reset_every`` is below 1.
        DataTooShortError: When the part has fewer than two characters.
    """
    _check_at_least_1("iter_evaluation", batch_size=batch_size, bptt=bptt, reset_every=reset_every)
    if stop - start < 2:
        raise DataTooShortError(f"iter_evaluation expected a part of at least 2 characters, got {stop - start}")
    length = reset_every if reset_every is not None else -(-(stop - start - 1) // batch_size)
    return _iter_groups(read_ids, range(start, stop - 1, length), stop, num_symbols, batch_size, bptt)


def _iter_groups(
    read_ids: ReadIds, pieces: range, stop: int, num_symbols: int, batch_size: int, bptt: int
) -> Iterator[TextBatch]:
    count = 0
    for begin in range(0, len(pieces), batch_size):
        group = pieces[begin : begin + batch_size]
        longest = min(pieces.step, stop - 1 - group[0])
        for step in range(0, longest, bptt):
            num_steps = min(bptt, longest - step)
            window = np.zeros((len(group), num_steps + 1), np.int64)  # (B, T + 1)
            ends = np.zeros(len(group), np.int64)
            for row, place in enumerate(range(group[0] + step, stop - 1, pieces.step)[: len(group)]):
                # read piece by piece: only what this batch needs, also where reading means converting
                ids = read_ids(place, min(place + num_steps + 1, stop))
                window[row, : len(ids)], ends[row] = ids, len(ids) - 1
            count += 1
            yield _masked(known_ids(window.T, num_symbols), ends, first=step == 0, cursor_after=Cursor(0, count))


def _masked(window: np.ndarray, ends: np.ndarray, *, first: bool, cursor_after: Cursor) -> TextBatch:
    """Make inputs and targets from a window of shape (T + 1, B) whose columns hold ``ends`` targets each."""
    inputs, targets = window[:-1].copy(), window[1:]  # whoever changes one must not change the other
    if (ends < len(inputs)).any():
        over = np.arange(len(inputs))[:, None] >= ends
        inputs, targets = np.where(over, 0, inputs), np.where(over, IGNORE_INDEX, targets)
    return TextBatch(torch.from_numpy(inputs), torch.from_numpy(targets), first, cursor_after)


def _check_at_least_1(who: str, **numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ArgumentError(f"{who} expected {name} to be at least 1, got {number}")


def _too_short(needed: int, got: int, batch_size: int, bptt: int, num_chars: int | None) -> DataTooShortError:
    whole = ""
    if num_chars is not None and got > 0:
        whole = f"; with the same shares the whole text needs {-(-needed * num_chars // got)}, and has {num_chars}"
    return DataTooShortError(
        f"expected a training part of at least {needed} characters for batch_size={batch_size} and bptt={bptt}, "
        f"got {got}{whole}",
        hint="use more text, or a smaller batch_size or bptt",
    )


__all__ = ["IGNORE_INDEX", "Cursor", "ReadIds", "StreamBatches", "TextBatch", "iter_evaluation"]
