"""A reading for a terminal: one row a token."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from recurra.errors import ArgumentError
from recurra.inspection.reading.reader import Reading
from recurra.inspection.reading.visible_tokens import isolated, marks_line, visible
from recurra.inspection.terminal_columns import columns, padded, wrapped
from recurra.tasks.text.writing import unknown_line

_MIN_WIDTH = 60
_MIN_TOKEN, _MIN_STRIP = 5, 14
_LEVELS = np.array(list("▁▂▃▄▅▆▇"))  # an odd number, so that zero has a mark


def reading_text(reading: Reading, width: int = 80) -> Iterator[str]:
    """Yield the lines of a table with one row a token, and then what its columns mean.

    A row has the token's number, the token, its probability and its cost in bits, the likeliest token behind it with
    its probability, and the output of the last layer as a strip of marks, one a unit, or the mean of some.

    Args:
        reading: What ``read_text`` returned.
        width: Columns of the terminal.

    Raises:
        ArgumentError: When the table does not fit in ``width``.
    """
    if width < _MIN_WIDTH:
        raise ArgumentError(f"reading_text expected a width of at least {_MIN_WIDTH} columns, got {width}")
    rows = [("id", "token", "prob", "bits", "next", "prob"), *_rows(reading)]
    widths = _widths(rows, width)
    most = width - sum(widths) - 2 * len(widths)
    strips, largest = _strips(reading.output, most)
    for row, strip in zip(rows, [f"layer {reading.num_layers}", *strips], strict=True):
        cells = (
            _token_cell(cell, size) if name in ("token", "next") else cell.rjust(size)
            for name, cell, size in zip(rows[0], row, widths, strict=True)
        )
        yield "  ".join((*cells, strip))
    yield ""
    for line in _legend(reading, most, largest):
        yield from wrapped(line, width, "  ")


def _token_cell(token: str, width: int) -> str:
    text = padded(token, width)
    # the spaces behind a token from right to left would else stand before it
    return isolated(text.rstrip()) + " " * (width - columns(text.rstrip()))


def _rows(reading: Reading) -> Iterator[tuple[str, ...]]:
    """Yield number, token, probability, bits, likeliest next token and its probability, for each token."""
    for number, token, log_prob, bits, choices in zip(
        reading.ids.tolist(), reading.tokens, reading.log_probs, reading.surprisals, reading.choices, strict=True
    ):
        prob, cost = ("–", "–") if math.isnan(log_prob) else (f"{math.exp(log_prob):.1%}", f"{bits:.2f}")
        yield str(number), visible(token), prob, cost, visible(choices[0].text), f"{choices[0].prob:.1%}"


def _widths(rows: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """Return the width of each column: what it needs, but tokens are cut where the strip would be left no room."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    needed = sum(widths) + 2 * len(widths) + max(_MIN_STRIP, width // 4)
    # the wider one of the two columns of tokens gives way first
    while needed > width and max(widths[1], widths[4]) > _MIN_TOKEN:
        widths[1 if widths[1] >= widths[4] else 4] -= 1
        needed -= 1
    return widths


def _strips(output: np.ndarray, most: int) -> tuple[list[str], float]:
    """Return each row of (T, H) as at most so many marks, as many units each, and the value of the highest mark."""
    first = np.arange(0, output.shape[1], _units_a_mark(output, most))
    counts = np.diff(np.append(first, output.shape[1]))
    means = np.add.reduceat(output.astype(np.float64), first, axis=1) / counts  # (T, marks)
    largest = float(np.abs(means).max())
    middle = len(_LEVELS) // 2
    levels = np.rint(means / (largest or 1.0) * middle).astype(int) + middle
    return ["".join(row) for row in _LEVELS[levels]], largest


def _units_a_mark(output: np.ndarray, most: int) -> int:
    return int(np.ceil(output.shape[1] / most))


def _legend(reading: Reading, most: int, largest: float) -> Iterator[str]:
    bits = reading.surprisals[1:]
    condition = "" if reading.condition is None else f", read for {reading.condition}"
    cost = f"; the {len(bits)} behind it cost {bits.sum():.2f} bits, {bits.mean():.2f} each" if len(bits) else ""
    yield f"the first token has nothing before it and so no probability{cost}{condition}"
    yield "prob, bits: what a token has and costs, given those before it; next: the likeliest token behind it"
    count = _units_a_mark(reading.output, most)
    marks = f"a mark for the mean of {count} units" if count > 1 else "a mark for each unit"
    scale = f"{_LEVELS[0]} −{largest:.3g}, {_LEVELS[len(_LEVELS) // 2]} 0, {_LEVELS[-1]} {largest:.3g}"
    yield f"layer {reading.num_layers}: its output, {marks}: {scale}"
    if shown := marks_line([*reading.tokens, *(choices[0].text for choices in reading.choices)]):
        yield shown
    if reading.unknown:
        yield unknown_line(reading.unknown)
