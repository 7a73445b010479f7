"""Curves and strips of numbers in characters, for terminals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from recurra.cells.checks import check_size

_BLOCKS = " ▁▂▃▄▅▆▇█"
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of a braille character's dots, four rows of two."""

Mark = tuple[float, float, str]


def strip_text(values: np.ndarray) -> str:
    """Return one character a number: a column as high as the number, which lies between 0 and 1."""
    levels = np.ceil(np.clip(values, 0, 1) * (len(_BLOCKS) - 1) - 1e-9).astype(int)
    return "".join(_BLOCKS[level] for level in levels)


def curve_text(
    x: np.ndarray,
    curves: Sequence[np.ndarray],
    *,
    width: int,
    height: int = 8,
    marks: Sequence[Mark] = (),
    bounds: tuple[float, float] | None = None,
) -> Iterator[str]:
    """Draw curves in dots, with an axis on the left and one below.

    Args:
        x: Where the curves are given, rising, (N,).
        curves: Their values, (N,) each; what is not finite is left out.
        width: Characters of a line, axis included; at least 20.
        height: Lines of the drawing, without the axis below.
        marks: Characters to put at places, as (x, y, character); what lies outside is left out.
        bounds: Values at the lower and the upper end; those of the curves if left out.

    Yields:
        One line at a time, the last two of which are the axis below.
    """
    check_size("curve_text", "width", width, at_least=20)
    check_size("curve_text", "height", height, at_least=2)
    low, high = bounds or _bounds(curves)
    labels = [f"{value:.3g}" for value in (high, low)]
    margin = max(map(len, labels))
    columns = width - margin - 2
    rows = _braille(x, curves, (height, columns), (low, high))
    for at, value, character in marks:
        across, down = (at - x[0]) / (x[-1] - x[0]), (high - value) / (high - low)
        if 0 <= across <= 1 and 0 <= down <= 1:
            rows[round(down * (height - 1))][round(across * (columns - 1))] = character
    ends = {0: labels[0], height - 1: labels[1]}
    for number, characters in enumerate(rows):
        yield f"{ends.get(number, ''):>{margin}} {'┤' if number in ends else '│'}{''.join(characters)}".rstrip()
    yield f"{'':{margin}} └{'─' * columns}"
    first, middle, last = (f"{value:.3g}" for value in (x[0], (x[0] + x[-1]) / 2, x[-1]))
    gap = columns - len(first) - len(last)
    yield f"{'':{margin}}  {first}{middle:^{gap}}{last}"


def _braille(
    x: np.ndarray, curves: Sequence[np.ndarray], size: tuple[int, int], bounds: tuple[float, float]
) -> list[list[str]]:
    """Return the rows of a drawing of a height and a width in characters."""
    height, columns = size
    dots = np.zeros((4 * height, 2 * columns), dtype=bool)
    for curve in curves:
        _draw(dots, x, curve, *bounds)
    cells = (dots.reshape(height, 4, columns, 2) * _DOTS[None, :, None, :]).sum((1, 3))
    return [[chr(0x2800 + bits) if bits else " " for bits in row] for row in cells.tolist()]


def _bounds(curves: Sequence[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw(dots: np.ndarray, x: np.ndarray, curve: np.ndarray, low: float, high: float) -> None:
    """Set the dots of one curve, without gaps where it is steep."""
    rows, columns = dots.shape
    at = np.linspace(x[0], x[-1], columns)
    known = np.isfinite(curve)
    # a column between a known and an unknown value is unknown
    is_drawn = np.interp(at, x, known.astype(float)) == 1
    heights = np.interp(at, x, np.where(known, curve, 0.0))
    places = np.rint((high - heights) / (high - low) * (rows - 1)).astype(int)
    for column in np.flatnonzero(is_drawn):
        before = places[column - 1] if column and is_drawn[column - 1] else places[column]
        top, bottom = sorted((int(places[column]), int(before)))
        dots[max(top, 0) : max(bottom + 1, 0), column] = True
