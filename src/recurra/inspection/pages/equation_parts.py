"""The equations of a cell and of its derivative, as parts of a page of HTML."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from html import escape

from recurra.inspection.equations.terms import Line
from recurra.inspection.explanation import Explanation
from recurra.inspection.pages.constants import constants_table, constants_words
from recurra.inspection.pages.document import Part, listing
from recurra.inspection.pages.equation_table import equation_table
from recurra.inspection.pages.groups import backward_groups, backward_words
from recurra.inspection.pages.inline_mathematics import with_mathematics
from recurra.inspection.pages.mathematics import mathml
from recurra.inspection.pages.page import Page
from recurra.inspection.pages.signs import signs


def sentence(text: str, spelled_out: Collection[str] = ()) -> str:
    """Return a sentence as HTML, the names in it as mathematics."""
    return with_mathematics(text, escape, mathml, spelled_out)


def equations_part(page: Page) -> Part:
    """Return the equations, what their signs mean, and the constants in them."""
    step = page.explanation.step
    body = [equation_table(step.lines, page.spelled_out), _meanings(signs(step.lines))]
    if not step.constants:
        return Part("equations", "Equations", "\n".join(body))
    heading = ("equations-constants", "Constants")
    body += [f'<h3 id="{heading[0]}">{heading[1]}</h3>', f"<p>{escape(constants_words(step))}</p>"]
    body.append(constants_table(step, page.digits, page.spelled_out))
    return Part("equations", "Equations", "\n".join(body), (heading,))


def derivative_part(page: Page) -> Part:
    """Return the backward equations in their groups."""
    explanation = page.explanation
    body = [f"<p>{sentence(backward_words(explanation), page.spelled_out)}</p>"]
    named = named_lines(explanation)
    if named:
        body += ["<h3>Named for the derivative</h3>", equation_table(named, page.spelled_out)]
    inner = []
    for number, group in enumerate(backward_groups(explanation), 1):
        name = f"derivative-{number}"
        inner.append((name, group.title))
        body += [f'<h3 id="{name}">{escape(group.title)}</h3>', equation_table(group.lines, page.spelled_out)]
    known = signs(explanation.step.lines)
    body.append(_meanings(entry for entry in signs(explanation.backward) if entry not in known))
    return Part("derivative", "Backward", "\n".join(body), tuple(inner))


def named_lines(explanation: Explanation) -> tuple[Line, ...]:
    """Return the equations whose quantities have a name in the derivative only."""
    shown = {line.target for line in explanation.step.lines}
    return tuple(line for line in explanation.forward if line.target not in shown)


def _meanings(entries: Iterable[tuple[str, str]]) -> str:
    rows = [(mathml(latex), escape(words)) for latex, words in entries]
    return f'<div class="legend">{listing(rows)}</div>' if rows else ""
