"""Equations in a page of HTML: aligned at their signs, each with the line of code it comes from."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from recurra.inspection.equations.latex import latex, latex_line, latex_symbol
from recurra.inspection.equations.terms import Line
from recurra.inspection.pages.line_breaks import latex_width, pieces
from recurra.inspection.pages.mathematics import mathml

_PLACE = re.compile(r"(?P<file>.*?):(?P<number>\d+): (?P<text>.*)", re.S)
_WIDTH = 60
"""Letters of an equation that have room beside the place it comes from."""

_MANY, _SHORT = 7, 24
"""So many lines, shorter than so many letters and from no line of code, stand beside each other in columns."""


@dataclass(frozen=True)
class Place:
    """A line of code.

    Attributes:
        name: File and line, without the folders.
        text: What stands there.
    """

    name: str
    text: str


def place_of(line: Line) -> Place | None:
    """Return the line of code that an equation comes from, if it is known."""
    match = _PLACE.fullmatch(line.place)
    return Place(f"{PurePath(match['file']).name}:{match['number']}", match["text"].strip()) if match else None


def equation_table(lines: Sequence[Line], spelled_out: Collection[str] = ()) -> str:
    """Return a table of equations, and their LaTeX behind a heading that opens it.

    Args:
        lines: The equations.
        spelled_out: Names that are written letter by letter; see ``look_alikes.py``.
    """
    short = [
        line for line in lines if not line.place and latex_width(latex_line(line, spelled_out=spelled_out)) < _SHORT
    ]
    if len(short) < _MANY:
        return f"{_table(lines, 'wide', spelled_out)}\n{latex_source(lines, spelled_out)}"
    long = [line for line in lines if line not in short]
    first = f"{_table(long, 'wide', spelled_out)}\n" if long else ""
    return f"{first}{_table(short, 'columns', spelled_out)}\n{latex_source(lines, spelled_out)}"


def _table(lines: Sequence[Line], kind: str, spelled_out: Collection[str]) -> str:
    rows = "\n".join(_row(line, spelled_out) for line in lines)
    return f'<div class="equations {kind}"><table><tbody>\n{rows}\n</tbody></table></div>'


def _row(line: Line, spelled_out: Collection[str]) -> str:
    sign = r"\;\text{+=}\;" if line.is_sum else "="
    place = place_of(line)
    cell = f'<td class="place" title="{escape(place.text)}">{escape(place.name)}</td>' if place else "<td></td>"
    left, right = latex_symbol(line.target, spelled_out), latex(line.term, spelled_out)
    return (
        f'<tr title="{escape(f"{left} {sign} {right}")}"><td class="left">{mathml(left)}</td>'
        f'<td class="sign">{mathml(sign)}</td><td class="right">{breakable(right, _WIDTH)}</td>{cell}</tr>'
    )


def breakable(term: str, width: float) -> str:
    """Return LaTeX as mathematics that browsers may break before signs, where it is wider than so many letters."""
    return "<wbr>".join(mathml(piece) for piece in pieces(term, width))


def latex_source(lines: Sequence[Line], spelled_out: Collection[str] = ()) -> str:
    """Return the equations as LaTeX to copy."""
    body = " \\\\\n".join(f"  {latex_line(line, spelled_out=spelled_out)}" for line in lines)
    text = f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
    return f"<details><summary>as LaTeX</summary><pre>{escape(text)}</pre></details>"
