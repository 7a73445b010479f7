"""Which lines are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recurra.data.hashing import mix
from recurra.data.lines import Lines, iter_tokens
from recurra.data.token_ids import TokenIds

_PLACE_BITS = np.uint64(32)


class LineSet:
    """Some lines, to ask whether others are among them.

    Lines are equal when their ids are, in their order. With the ids of a vocabulary all unknown symbols are the same;
    with stored ids, as ``find_lines`` gives them, they are told apart. Hashes find the candidates, and ids decide: the
    answer is exact.

    Args:
        lines: The lines.
    """

    def __init__(self, lines: Lines) -> None:
        hashes = line_hashes(lines)
        order = np.argsort(hashes, kind="stable")
        self._lines, self._hashes = lines.take(order), hashes[order]

    def __contains__(self, tokens: Sequence[int] | np.ndarray) -> bool:
        """Return whether a sequence of ids, without a line end, is one of the lines."""
        wanted = np.asarray(tokens, np.int64)
        if not len(wanted):
            return False  # none of the lines is empty
        alone = Lines(TokenIds(wanted), np.zeros(1, np.int64), np.array([len(wanted)]))
        (found,) = line_hashes(alone)
        first = int(np.searchsorted(self._hashes, found, side="left"))
        behind = int(np.searchsorted(self._hashes, found, side="right"))
        return any(np.array_equal(self._lines.read(index), wanted) for index in range(first, behind))

    def holds(self, others: Lines) -> np.ndarray:
        """Return for each of some lines, with ids of the same kind, whether it is in the set: bool of shape (n,)."""
        hashes = line_hashes(others)
        places = np.searchsorted(self._hashes, hashes)
        is_found = places < len(self._hashes)
        is_found[is_found] = self._hashes[places[is_found]] == hashes[is_found]
        candidates = np.flatnonzero(is_found)
        is_same = _are_equal(self._lines.take(places[candidates]), others.take(candidates))
        # a line may have the hash of another one that stands before it
        for index in candidates[~is_same].tolist():
            is_found[index] = others.read(index) in self
        return is_found


def stored(lines: Lines) -> Lines:
    """Return the lines with the ids that are stored in place of a vocabulary's."""
    return replace(lines, ids=TokenIds(lines.ids.raw))


def line_hashes(lines: Lines) -> np.ndarray:
    """Return a hash of the ids of each line: uint64 of shape (n,), the same on every machine."""
    sums = np.zeros(len(lines), np.uint64)
    for owners, within, places in iter_tokens(lines):
        tokens = lines.ids.map(lines.ids.raw[places]).view(np.uint64)
        # each token at each place has a random number of its own, and a line the sum of them
        numbers = mix(tokens | (within.view(np.uint64) << _PLACE_BITS))
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        sums[owners[firsts]] += np.add.reduceat(numbers, firsts)
    return sums


def _are_equal(lines: Lines, others: Lines) -> np.ndarray:
    """Return which pairs of lines are equal: bool of shape (n,)."""
    is_equal: np.ndarray = lines.lengths == others.lengths
    pairs = np.flatnonzero(is_equal)
    lines, others = lines.take(pairs), others.take(pairs)
    for owners, within, places in iter_tokens(lines):
        theirs = others.ids.map(others.ids.raw[others.starts[owners] + within])
        is_equal[pairs[owners[lines.ids.map(lines.ids.raw[places]) != theirs]]] = False
    return is_equal


__all__ = ["LineSet", "line_hashes", "stored"]
