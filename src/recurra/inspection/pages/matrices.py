"""Numbers of a worked example as LaTeX: a number, a column, a matrix."""

from __future__ import annotations

import numpy as np

_MAX_ENTRIES, _FIRST, _LAST = 8, 4, 2
"""Rows or columns that are written in full; of more, the first and the last are."""


def matrix_latex(array: np.ndarray, digits: int) -> str:
    r"""Return a matrix of numbers as LaTeX.

    Args:
        array: The numbers, (rows, columns).
        digits: Significant digits.

    Example:
        >>> matrix_latex(np.array([[0.5]]), 4)
        '0.5'
    """
    if array.shape == (1, 1):
        return number_latex(array[0, 0], digits)
    rows = [_abbreviated([number_latex(entry, digits) for entry in row]) for row in array]
    if len(rows) > _MAX_ENTRIES:
        rows = [*rows[:_FIRST], [r"\vdots"] * len(rows[0]), *rows[-_LAST:]]
    inside = r" \\ ".join(" & ".join(row) for row in rows)
    return rf"\left[ \begin{{array}}{{{'r' * len(rows[0])}}} {inside} \end{{array}} \right]"


def number_latex(number: float, digits: int) -> str:
    r"""Return a number with so many significant digits.

    Example:
        >>> number_latex(-1.5e-7, 3)
        '-1.5 \\cdot 10^{-7}'
    """
    mantissa, _, exponent = f"{number + 0.0:.{digits}g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _abbreviated(entries: list[str]) -> list[str]:
    return entries if len(entries) <= _MAX_ENTRIES else [*entries[:_FIRST], r"\cdots", *entries[-_LAST:]]
