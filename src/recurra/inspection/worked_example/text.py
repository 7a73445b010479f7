"""A worked example as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from recurra.cells.checks import check_size
from recurra.inspection.worked_example.exact_text import raised
from recurra.inspection.worked_example.example import Row, Section, WorkedExample

_INDENT = "  "
_MAX_ENTRIES = 8
"""Rows or columns that are printed in full; of more, the first and the last are."""
_FIRST, _LAST = 4, 2
_WORDS = {"is": "", "adds": "this step adds ", "becomes": "together "}


def example_text(example: WorkedExample, width: int = 80, digits: int = 4) -> Iterator[str]:
    """Yield the lines of an example: notes, weights, every step forward, every step backward, sums, and the check.

    Args:
        example: The example.
        width: Characters that a line may have, at least 40.
        digits: Significant digits of numbers.

    Raises:
        ArgumentError: When the width or the digits are no such integers.
    """
    check_size("example_text", "width", width, at_least=40)
    check_size("example_text", "digits", digits)
    yield f"Worked example: {example.who}, {_count(example.num_steps, 'step')}"
    for note in example.notes:
        yield from textwrap.wrap(f"{note}.", width, initial_indent=_INDENT, subsequent_indent=_INDENT)
    yield from _section(example.start, "", width, digits)
    for section in example.forward:
        yield from _section(section, "Forward: " if section.step is not None else "", width, digits)
    for section in example.backward:
        yield from _section(section, "Backward: ", width, digits)
    if example.totals is not None:
        yield from _section(example.totals, "", width, digits)
    yield ""
    yield from textwrap.wrap(check_text(example), width)


def check_text(example: WorkedExample) -> str:
    """Return how the example compares with torch, in a sentence."""
    check = example.check
    text = f"Checked against torch: {_count(check.num_forward, 'number')} forward within {check.forward:.1g}"
    if not check.num_backward:
        return text
    return f"{text}, {_count(check.num_backward, 'number')} of its autograd within {check.backward:.1g}"


def shown_number(number: float, digits: int = 4) -> str:
    """Return a number with so many significant digits, without trailing zeros."""
    text = f"{number:.{digits}g}"
    if float(text) == 0:
        return "0"
    mantissa, _, exponent = text.replace("-", "−").partition("e")
    return f"{mantissa}·10{raised(int(text.partition('e')[2]))}" if exponent else mantissa


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _section(section: Section, before: str, width: int, digits: int) -> Iterator[str]:
    title = before + (section.title.lower() if before else section.title)
    yield ""
    yield title
    yield "─" * len(title)
    for row in section.rows:
        yield from row_text(row, width, digits)


def row_text(row: Row, width: int, digits: int) -> Iterator[str]:
    """Yield a row in lines: its equation, and below it the value; or its name with a value that is given."""
    indent, lead, sign = 2 * _INDENT, _WORDS[row.relation], ""
    if row.equation:
        yield from _wrapped(row.equation, width, _INDENT)
    else:
        indent, lead = _INDENT, f"{row.symbol} "
    if row.relation == "is":
        sign = "= "
    first, *others = _value(row, width - len(indent) - len(lead), digits, sign)
    lines = [lead + first, *(" " * len(lead) + line for line in others)]
    yield from _with_note(lines, indent, f"  ({row.note})" if row.note else "", width)


def _with_note(lines: Sequence[str], indent: str, note: str, width: int) -> Iterator[str]:
    *others, last = (indent + line for line in lines)
    for line in others:
        yield from _wrapped(line[len(indent) :], width, indent)
    if len(last + note) <= width:
        yield last + note
    else:
        yield from _wrapped(last[len(indent) :], width, indent)
        if note:
            yield from _wrapped(note.strip(), width, 2 * indent)


def _wrapped(text: str, width: int, indent: str) -> Iterator[str]:
    """Yield a text in lines of the width, broken at its spaces only; those it begins with stay."""
    lead = indent + " " * (len(text) - len(text.lstrip()))
    if len(indent + text) <= width:
        yield indent + text
        return
    yield from textwrap.wrap(
        text.strip(),
        width,
        initial_indent=lead,
        subsequent_indent=lead + 2 * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _value(row: Row, width: int, digits: int, sign: str) -> list[str]:
    """Return a value in lines: its numbers, behind ≈ if they are rounded, and then behind the exact ones if short."""
    if not row.is_rounded(digits):
        return _behind(sign, _numbers(row.array, width - len(sign), digits))
    numbers = _behind("≈ ", _numbers(row.array, width - len("≈ "), digits))
    if not row.exact:
        return numbers
    exact = f"{sign}{row.exact}{' each' if row.is_each else ''}"
    if len(numbers) == 1 and len(exact) + len(numbers[0]) < width:
        return [f"{exact} {numbers[0]}"]
    return [exact, *numbers]


def _behind(sign: str, lines: Sequence[str]) -> list[str]:
    return [(" " * len(sign) if place else sign) + line for place, line in enumerate(lines)]


def _numbers(array: np.ndarray, width: int, digits: int) -> list[str]:
    """Return numbers in lines: one number, a vector in one line, a matrix in aligned columns."""
    if array.shape == (1, 1):
        return [shown_number(array[0, 0], digits)]
    if array.shape[1] == 1:
        return [f"({', '.join(_abbreviated([shown_number(entry, digits) for entry in array[:, 0]]))})ᵀ"]
    if len(set(array.flat)) == 1:
        return [f"{shown_number(array[0, 0], digits)} in all {array.shape[0]} × {array.shape[1]} entries"]
    # the bracket and the sign that more columns follow take one more than what parts columns
    return _matrix(array, width - 1, digits)


def _abbreviated(entries: list[str]) -> list[str]:
    return entries if len(entries) <= _MAX_ENTRIES else [*entries[:_FIRST], "…", *entries[-_LAST:]]


def _matrix(array: np.ndarray, width: int, digits: int) -> list[str]:
    """Return the rows of a matrix between brackets, its columns in blocks where they are too wide together."""
    table = [_abbreviated([shown_number(entry, digits) for entry in row]) for row in array]
    if len(table) > _MAX_ENTRIES:
        table = [*table[:_FIRST], ["⋮"] * len(table[0]), *table[-_LAST:]]
    sizes = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    blocks: list[list[int]] = [[]]
    for column, size in enumerate(sizes):
        if blocks[-1] and sum(sizes[other] + 2 for other in blocks[-1]) + size + 2 > width:
            blocks.append([])
        blocks[-1].append(column)
    lines = []
    for place, block in enumerate(blocks):
        rows = ["  ".join(row[column].rjust(sizes[column]) for column in block) for row in table]
        lines += _bracketed(rows, is_first=place == 0, is_last=place == len(blocks) - 1)
    return lines


def _bracketed(rows: list[str], *, is_first: bool, is_last: bool) -> list[str]:
    """Return rows with the left bracket before the first block and the right one behind the last."""
    if len(rows) == 1:
        left, right = ["["], ["]"]
    else:
        middle = len(rows) - 2
        left, right = ["⎡", *"⎢" * middle, "⎣"], ["⎤", *"⎥" * middle, "⎦"]
    return [
        (a if is_first else " ") + row + (b if is_last else " …") for a, row, b in zip(left, rows, right, strict=True)
    ]
