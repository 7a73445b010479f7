"""A sequence worked through by hand, as a part of a page of HTML."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from recurra.inspection.pages.document import Part
from recurra.inspection.pages.equation_parts import sentence
from recurra.inspection.pages.equation_table import breakable
from recurra.inspection.pages.mathematics import mathml
from recurra.inspection.pages.matrices import matrix_latex
from recurra.inspection.worked_example.example import Row, Section, WorkedExample
from recurra.inspection.worked_example.text import check_text

_WIDTH = 45
"""Letters of an equation that have room beside its value."""


def example_part(example: WorkedExample, digits: int, spelled_out: Collection[str] = ()) -> Part:
    """Return the example: what is given, each step forward, each step backward, the sums, and the check.

    Args:
        example: The example.
        digits: Significant digits of numbers.
        spelled_out: Names that sentences write letter by letter; see ``look_alikes.py``.
    """
    steps = f"{example.num_steps} step{'s' if example.num_steps > 1 else ''}"
    body = [f"<p>{sentence(_sentences(example.notes), spelled_out)}</p>"]
    inner = [("example-start", example.start.title)]
    body += [_heading(*inner[0]), _grid(example.start.rows, digits)]
    for section in example.forward:
        body += _step(section, "forward", inner, digits)
    for section in example.backward:
        body += _step(section, "backward", inner, digits)
    if example.totals is not None:
        inner.append(("example-totals", example.totals.title))
        body += [_heading(*inner[-1]), _grid(example.totals.rows, digits)]
    body.append(f'<p class="note">{escape(check_text(example))}.</p>')
    return Part("example", f"Worked by hand: {steps}", "\n".join(body), tuple(inner))


def _sentences(notes: Sequence[str]) -> str:
    return " ".join(f"{note}." for note in notes)


def _heading(name: str, title: str) -> str:
    return f'<h3 id="{name}">{escape(title)}</h3>'


def _step(section: Section, way: str, inner: list[tuple[str, str]], digits: int) -> list[str]:
    name = f"example-{way}-{section.step or 'loss'}"
    title = section.title if section.step is None else f"{way.capitalize()}: {section.title.lower()}"
    inner.append((name, title))
    # what a step adds to the weights is as much again, and needs no order
    worked = [row for row in section.rows if row.relation != "adds"]
    added = [row for row in section.rows if row.relation == "adds"]
    body = [f'<div class="step {way}">', _heading(name, title), _table(worked, digits)]
    if added:
        body += ["<h4>What this step adds to the gradients of the weights</h4>", _grid(added, digits)]
    return [*body, "</div>"]


def _table(rows: Sequence[Row], digits: int) -> str:
    body = "\n".join(_row(row, digits) for row in rows)
    return f'<div class="wide"><table class="steps"><tbody>\n{body}\n</tbody></table></div>'


def _row(row: Row, digits: int) -> str:
    right = escape(row.equation)
    if row.equation_latex:
        right = breakable(row.equation_latex.removeprefix(row.symbol_latex).strip(), _WIDTH)
    notes = [row.note] if row.note else []
    if row.relation == "becomes":
        notes.append("together with what was there")
    cells = (
        ("left", mathml(row.symbol_latex)),
        ("right", right),
        ("value", _value(row, digits)),
        ("note", escape("; ".join(notes))),
    )
    body = "".join(f'<td class="{name}">{cell}</td>' for name, cell in cells)
    return f"<tr>{body}</tr>"


def _grid(rows: Sequence[Row], digits: int) -> str:
    """Return values beside each other, as many as fit in a line."""
    cells = "\n".join(f"<div>{_cell(row, digits)}</div>" for row in rows)
    return f'<div class="values">\n{cells}\n</div>'


def _cell(row: Row, digits: int) -> str:
    return _value(row, digits, row.symbol_latex, "+" if row.relation == "adds" else "")


def _value(row: Row, digits: int, name: str = "", plus: str = "") -> str:
    """Return the numbers behind a sign; where they are rounded it is ≈, and the exact ones stand before it if short.

    Args:
        row: The row.
        digits: Significant digits.
        name: What stands before the sign, in LaTeX.
        plus: What the sign begins with.
    """
    numbers = matrix_latex(row.array, digits)
    equals = rf"\;\text{{{plus}=}}\;" if plus else "="
    if not row.is_rounded(digits):
        return f"{mathml(f'{name} {equals}'.strip())} {mathml(numbers)}"
    if not row.exact_latex:
        about = rf"\;\text{{{plus}}}\approx\;" if plus else r"\approx"
        return f"{mathml(f'{name} {about}'.strip())} {mathml(numbers)}"
    # what stands in parentheses beside a column is that column
    raised = r"^{\top}" if row.array.size > 1 and not row.is_each else ""
    exact = mathml(f"{name} {equals} {row.exact_latex}{raised}".strip())
    about = mathml(rf"\approx {numbers}")
    return f"{exact}{' each' if row.is_each else ''} {about}"
