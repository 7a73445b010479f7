"""How much of a generated text was copied from the training text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recurra.errors import ArgumentError

_CHUNK = 1 << 17
_MIN_FILTER_BITS, _MAX_FILTER_BITS = 14, 24
# any odd numbers do; these spread the bits of small ids
_MULTIPLIERS = np.random.Generator(np.random.PCG64(2013)).integers(0, 1 << 63, 64, np.uint64) * np.uint64(
    2
) + np.uint64(1)


def copied_share(
    generated: np.ndarray, read_ids: Callable[[int, int], np.ndarray], start: int, stop: int, *, piece: int = 20
) -> float | None:
    """Return which share of a generated text's pieces occurs word for word in a part of a corpus.

    A piece is a run of ``piece`` symbols; every position where one fits counts once. The answer is exact: hashes
    only find the candidates. Memory depends on the length of the generated text, not on that of the corpus.

    Args:
        generated: Ids of the generated text, shape ``(n,)``.
        read_ids: Gives the raw ids of the corpus from a start to a stop, as ``Corpus.ids`` does.
        start: Where the training part begins.
        stop: Where it ends.
        piece: Symbols in a piece.

    Returns:
        A number from 0 to 1, or ``None`` when the generated text is shorter than one piece.

    Raises:
        ArgumentError: When ``piece`` is below 1.
    """
    if piece < 1:
        raise ArgumentError(f"copied_share expected piece to be at least 1, got {piece}")
    if len(generated) < piece:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(generated, np.int64), piece)
    distinct, counts = np.unique(windows, axis=0, return_counts=True)
    wanted = _Wanted(distinct)
    for begin in range(start, stop - piece + 1, _CHUNK):
        wanted.search(read_ids(begin, min(begin + _CHUNK + piece - 1, stop)))
        if wanted.found.all():
            break
    return float(counts[wanted.found].sum() / counts.sum())


class _Wanted:
    """Distinct pieces that are looked for, sorted by their hash.

    Attributes:
        found: Which pieces were found so far, in the order in which they were given.
    """

    def __init__(self, pieces: np.ndarray) -> None:  # (n, piece)
        self.found = np.zeros(len(pieces), bool)
        self._pieces = pieces
        self._length = pieces.shape[1]
        hashes = _window_hashes(pieces.reshape(-1), self._length)[:: self._length]
        self._order = np.argsort(hashes)
        self._hashes = hashes[self._order]
        bits = int(np.clip(int(np.ceil(np.log2(len(pieces)))) + 6, _MIN_FILTER_BITS, _MAX_FILTER_BITS))
        self._shift = np.uint64(64 - bits)
        self._filter = np.zeros(1 << bits, bool)
        self._filter[self._hashes >> self._shift] = True

    def search(self, ids: np.ndarray) -> None:
        """Mark the pieces that occur in ``ids``."""
        ids = np.asarray(ids)
        hashes = _window_hashes(ids, self._length)
        # a small table of the leading bits spares nearly all positions the binary search
        places = np.flatnonzero(self._filter[hashes >> self._shift])
        slots = np.searchsorted(self._hashes, hashes[places])
        before = int(self.found.sum())
        while len(places):
            here = slots < len(self._hashes)
            places, slots = places[here], slots[here]
            here = self._hashes[slots] == hashes[places]
            places, slots = places[here], slots[here]
            self._verify(ids, places, self._order[slots])
            slots = slots + 1  # another piece may have the same hash
        if int(self.found.sum()) > before:
            self._filter[:] = False
            self._filter[self._hashes[~self.found[self._order]] >> self._shift] = True

    def _verify(self, ids: np.ndarray, places: np.ndarray, pieces: np.ndarray) -> None:
        new = ~self.found[pieces]
        places, pieces = places[new], pieces[new]
        if not len(places):
            return
        windows = np.lib.stride_tricks.sliding_window_view(ids, self._length)
        step = max(1, (1 << 22) // self._length)
        for begin in range(0, len(places), step):
            some = slice(begin, begin + step)
            equal = (windows[places[some]] == self._pieces[pieces[some]]).all(axis=1)
            self.found[pieces[some][equal]] = True


def _window_hashes(ids: np.ndarray, length: int) -> np.ndarray:
    """Return a 64-bit hash of every window of ``length`` ids, shape ``(len(ids) - length + 1,)``.

    Windows of 1, 2, 4, ... symbols are hashed from two halves each, and those that add up to ``length`` are joined.
    """
    doubled = (ids.astype(np.uint64) + np.uint64(1)) * _MULTIPLIERS[0]
    joined: np.ndarray | None = None
    width, covered = 1, 0
    count = len(ids) - length + 1
    for level in range(length.bit_length()):
        if length & width:
            part = doubled[covered : covered + count]
            joined = part.copy() if joined is None else joined * _MULTIPLIERS[32 + level] + part
            covered += width
        if covered < length:
            doubled = doubled[:-width] * _MULTIPLIERS[1 + level] + doubled[width:]
            width *= 2
    assert joined is not None
    return joined


__all__ = ["copied_share"]
