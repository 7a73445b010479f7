"""A sequence worked through by hand, in a document of LaTeX."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from recurra.inspection.pages.inline_mathematics import with_mathematics
from recurra.inspection.pages.latex_text import latex_text
from recurra.inspection.pages.line_breaks import broken, latex_width
from recurra.inspection.pages.matrices import matrix_latex
from recurra.inspection.worked_example.example import Row, Section, WorkedExample
from recurra.inspection.worked_example.text import check_text

_PLUS_EQUALS = r"\;\text{+=}\;"


def example_lines(
    example: WorkedExample, digits: int, width: float, spelled_out: Collection[str] = ()
) -> Iterator[str]:
    """Yield the lines of a section: what is given, each step forward, each step backward, the sums, and the check.

    Args:
        example: The example.
        digits: Significant digits of numbers.
        width: Letters of an equation that have room in a line.
        spelled_out: Names that sentences write letter by letter; see ``look_alikes.py``.
    """
    steps = f"{example.num_steps} step{'s' if example.num_steps > 1 else ''}"
    yield rf"\subsection*{{Worked by hand: {steps}}}"
    notes = " ".join(f"{note}." for note in example.notes)
    yield with_mathematics(notes, latex_text, lambda latex: f"${latex}$", spelled_out)
    yield from _values(example.start, digits)
    for way, sections in (("Forward", example.forward), ("Backward", example.backward)):
        for section in sections:
            title = section.title if section.step is None else f"{way}: {section.title.lower()}"
            yield rf"\subsubsection*{{{latex_text(title)}}}"
            yield from _rows(section.rows, digits, width)
    if example.totals is not None:
        yield from _values(example.totals, digits)
    yield rf"\par\medskip {latex_text(check_text(example))}."


def _values(section: Section, digits: int) -> Iterator[str]:
    """Yield values beside each other, as many as fit in a line."""
    yield rf"\subsubsection*{{{latex_text(section.title)}}}"
    yield r"{\raggedright\lineskiplimit=3pt\lineskip=6pt"
    for row in section.rows:
        yield rf"$\displaystyle {row.symbol_latex} {_value(row, digits)}$\quad"
    yield r"\par}"


def _rows(rows: Sequence[Row], digits: int, width: float) -> Iterator[str]:
    lines = [line for row in rows for line in _row(row, digits, width)]
    yield r"\begin{align*}"
    yield from (rf"  {line} \\" for line in lines[:-1])
    yield f"  {lines[-1]}"
    yield r"\end{align*}"


def _row(row: Row, digits: int, width: float) -> Iterator[str]:
    left, value = row.symbol_latex, f"{_value(row, digits)}{_note(row)}"
    right = row.equation_latex.removeprefix(left).strip()
    if right:
        sign = _PLUS_EQUALS if right.startswith(_PLUS_EQUALS) else "="
        first, *others = broken(right.removeprefix(sign).strip(), width)
        if not others and latex_width(f"{first} {value}") <= width:
            yield f"{left} &{sign} {first} {value}"
            return
        yield f"{left} &{sign} {first}"
        yield from (rf"&\quad {other}" for other in others)
        left = ""
    elif row.equation:
        value += rf" \quad \text{{{latex_text(row.equation)}}}"
    yield f"{left} &{value}".strip()


def _note(row: Row) -> str:
    notes = [row.note] if row.note else []
    if row.relation == "becomes":
        notes.append("together with what was there")
    return rf" \quad \text{{({latex_text('; '.join(notes))})}}" if notes else ""


def _value(row: Row, digits: int) -> str:
    """Return the numbers behind =; where they are rounded behind ≈, with the exact ones before it if they are short."""
    numbers = matrix_latex(row.array, digits)
    if not row.is_rounded(digits):
        return f"= {numbers}"
    if not row.exact_latex:
        return rf"\approx {numbers}"
    # what stands in parentheses beside a column is that column
    behind = r" \text{ each}" if row.is_each else (r"^{\top}" if row.array.size > 1 else "")
    return rf"= {row.exact_latex}{behind} \approx {numbers}"
