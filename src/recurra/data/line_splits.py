"""Sharing out lines among training, validation and test part."""

from __future__ import annotations

import numpy as np

from recurra.data.hashing import key_of, mix
from recurra.data.line_sets import line_hashes, stored
from recurra.data.lines import Lines
from recurra.data.splits import check_fractions
from recurra.errors import DataTooShortError


def split_lines(lines: Lines, validation: float, test: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share out lines at random; equal lines always fall into the same part.

    The distinct lines stand in an order that the hash of their content and the seed determine. Going through it, the
    test part takes lines until it has its share of all lines, then the validation part does, and the rest is for
    training. A part gets more than its share only by copies of the last line that it took.

    Args:
        lines: The lines.
        validation: Share of the lines for validation, above 0 and below 1.
        test: Share of the lines for the test, from 0 and below 1.
        seed: Any integer.

    Returns:
        The indices of the lines for training, for validation and for the test, each ascending int64.

    Raises:
        ArgumentError: When a share is out of range, or nothing is left to train on.
        DataTooShortError: When a part would have no line.
    """
    check_fractions("split_lines", validation, test)
    distinct, group_of_line, counts = np.unique(line_hashes(stored(lines)), return_inverse=True, return_counts=True)
    order = np.argsort(mix(distinct ^ np.uint64(key_of("recurra lines", seed))), kind="stable")
    ends = np.cumsum(counts[order])
    num_validation, num_test = round(len(lines) * validation), round(len(lines) * test)
    # how many of the distinct lines it takes to reach a number of lines
    of_test = int(np.searchsorted(ends, num_test)) + 1 if num_test else 0
    reached = int(ends[of_test - 1]) if of_test else 0
    of_both = int(np.searchsorted(ends, reached + num_validation)) + 1 if num_validation else of_test
    if not num_validation or (test and not num_test) or of_both >= len(ends):
        raise DataTooShortError(
            f"split_lines expected lines for training, for validation={validation} and for test={test}, "
            f"got {len(lines)} lines, {len(distinct)} of them distinct",
            hint="use more text, or other fractions",
        )
    part_of_group = np.empty(len(distinct), np.int8)
    part_of_group[order] = np.repeat(np.array([2, 1, 0], np.int8), [of_test, of_both - of_test, len(order) - of_both])
    part_of_line = part_of_group[group_of_line]
    train, held_out, final = (np.flatnonzero(part_of_line == part) for part in range(3))
    return train, held_out, final


__all__ = ["split_lines"]
