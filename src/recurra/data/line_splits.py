"""Sharing out lines among training, validation and test part."""

from __future__ import annotations

import numpy as np

from recurra.data.example_splits import split_by_key
from recurra.data.line_sets import line_hashes, stored
from recurra.data.lines import Lines


def split_lines(lines: Lines, validation: float, test: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share out lines at random; equal lines always fall into the same part; see ``split_by_key``.

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
    return split_by_key(line_hashes(stored(lines)), validation, test, seed, what="lines", who="split_lines")


__all__ = ["split_lines"]
