"""Lines of a corpus, each a sequence by itself: where they are, which are equal, which part they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recurra.data.token_ids import TokenIds
from recurra.errors import ArgumentError

_TOKENS_AT_A_TIME = 1 << 20


@dataclass(frozen=True)
class Lines:
    """Lines as ranges of token ids, none of them empty.

    Attributes:
        ids: The ids of all the text that they lie in.
        starts: Where each line begins, int64 of shape (n,).
        lengths: Tokens of each line without its end, int64 of shape (n,), at least 1.
        labels: Number of each line's label, int64 of shape (n,), or None.
    """

    ids: TokenIds
    starts: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, indices: np.ndarray) -> Lines:
        """Return some of the lines, in the order of ``indices``."""
        labels = None if self.labels is None else self.labels[indices]
        return Lines(self.ids, self.starts[indices], self.lengths[indices], labels)

    def read(self, index: int, max_length: int | None = None) -> np.ndarray:
        """Return the vocabulary ids of a line without its end, at most ``max_length``: int64, a copy."""
        start, length = int(self.starts[index]), int(self.lengths[index])
        return self.ids.read(start, start + (length if max_length is None else min(length, max_length)))


def find_lines(
    raw: np.ndarray,
    newline_id: int | None,
    start: int = 0,
    stop: int | None = None,
    labels: np.ndarray | None = None,
) -> tuple[Lines, int]:
    """Find the lines of a text; empty ones are left out and counted.

    Args:
        raw: Ids of the text, any integer type.
        newline_id: The id among them that ends a line; None where no line ends.
        start: Where the first line begins.
        stop: Where the last line ends, with or without ``newline_id``; by default at the end of ``raw``.
        labels: One number for each line from ``start`` to ``stop``, empty ones included.

    Returns:
        The lines, over ``TokenIds(raw)`` until ``dataclasses.replace`` gives them other ids, and the number of empty
        ones.

    Raises:
        ArgumentError: When the range does not lie in the text, or there is another number of labels than of lines.

    Example:
        >>> lines, num_empty = find_lines(np.array([5, 6, 9, 9, 7]), newline_id=9)
        >>> lines.starts, lines.lengths, num_empty
        (array([0, 4]), array([2, 1]), 1)
    """
    stop = len(raw) if stop is None else stop
    if not 0 <= start <= stop <= len(raw):
        raise ArgumentError(f"find_lines expected 0 <= start <= stop <= {len(raw)}, got start={start}, stop={stop}")
    ends = _line_ends(raw, newline_id, start, stop)
    if labels is not None and len(labels) != len(ends):
        raise ArgumentError(f"find_lines expected as many labels as lines, {len(ends)}, got {len(labels)}")
    starts = np.concatenate([np.array([start], np.int64), ends[:-1] + 1])[: len(ends)]
    lengths = ends - starts
    kept = lengths > 0
    # boolean indexing copies, so nobody's labels are shared
    kept_labels = None if labels is None else np.asarray(labels)[kept].astype(np.int64)
    return Lines(TokenIds(raw), starts[kept], lengths[kept], kept_labels), int(len(kept) - kept.sum())


def _line_ends(raw: np.ndarray, newline_id: int | None, start: int, stop: int) -> np.ndarray:
    ends = [np.zeros(0, np.int64)]
    if newline_id is not None:
        borders = range(start, stop + _TOKENS_AT_A_TIME, _TOKENS_AT_A_TIME)
        ends += [
            begin + np.flatnonzero(raw[begin : min(end, stop)] == newline_id).astype(np.int64)
            for begin, end in pairwise(borders)
        ]
    found = np.concatenate(ends)
    has_open_line = start < stop and (not len(found) or found[-1] != stop - 1)
    return np.append(found, stop) if has_open_line else found


def iter_tokens(lines: Lines) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield where the tokens of all lines are, one line after the other, so many at a time as fit into memory.

    Yields:
        For each token the index of its line (ascending), its place in the line, and its place in ``lines.ids``;
        int64, all of one shape.
    """
    ends = np.cumsum(lines.lengths)
    begins = ends - lines.lengths
    total = int(ends[-1]) if len(ends) else 0
    for begin in range(0, total, _TOKENS_AT_A_TIME):
        end = min(begin + _TOKENS_AT_A_TIME, total)
        first, behind = np.searchsorted(ends, begin, side="right"), np.searchsorted(begins, end)
        # a line may have begun before, or go on behind
        counts = np.minimum(ends[first:behind], end) - np.maximum(begins[first:behind], begin)
        owners = np.repeat(np.arange(first, behind), counts)
        within = np.arange(begin, end) - begins[owners]
        yield owners, within, lines.starts[owners] + within


def num_targets(lines: Lines, max_length: int | None = None) -> np.ndarray:
    """Return what there is to predict in each line: its tokens and its end, or ``max_length`` tokens of a longer one.

    Returns:
        int64 of shape (n,).
    """
    if max_length is None:
        return lines.lengths + 1
    return np.where(lines.lengths > max_length, max_length, lines.lengths + 1)


def num_cut(lines: Lines, max_length: int) -> tuple[int, int]:
    """Return how many lines are longer than ``max_length`` tokens, and how many tokens of them lie behind that."""
    over = lines.lengths[lines.lengths > max_length] - max_length
    return len(over), int(over.sum())


__all__ = ["Lines", "find_lines", "iter_tokens", "num_cut", "num_targets"]
