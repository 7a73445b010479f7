"""An explanation as text for a terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from recurra.inspection.anatomy.text import anatomy_text
from recurra.inspection.drawing.terminal import unfolded_text
from recurra.inspection.equations.plain import plain, plain_symbol
from recurra.inspection.equations.terms import Line
from recurra.inspection.gates.curve_figure import response_curves_text
from recurra.inspection.gates.time_gates import time_gates_text
from recurra.inspection.pages.constants import constants_text, constants_words
from recurra.inspection.pages.groups import backward_groups, backward_words
from recurra.inspection.pages.page import Page
from recurra.inspection.worked_example.text import example_text

_INDENT = "  "


def text_page(page: Page, width: int = 100) -> Iterator[str]:
    """Yield the lines of an explanation.

    Args:
        page: What it shows.
        width: Columns that lines are broken at; equations may be wider.
    """
    width = max(width, 40)
    yield from _heading(page, width)
    writers = {
        "equations": _equations,
        "derivative": _derivative,
        "anatomy": _anatomy,
        "network": _network,
        "example": _example,
        "gates": _gates,
    }
    for part in page.parts:
        yield ""
        yield from writers[part](page, width)
    if "equations" in page.parts:
        yield ""
        yield from _wrapped(" ".join(page.notes), width)
        yield from _more(page)


def _heading(page: Page, width: int) -> Iterator[str]:
    title = page.name if page.name.endswith(page.class_name) else f"{page.name}: {page.class_name}"
    yield f"{title} ({page.reference})" if page.reference else title
    if page.summary:
        yield from _wrapped(page.summary, width)


def _equations(page: Page, width: int) -> Iterator[str]:
    yield "Equations"
    step = page.explanation.step
    yield from _aligned(step.lines, width)
    if step.constants:
        yield ""
        yield f"{_INDENT}Constants"
        yield from textwrap.wrap(constants_words(step), width, initial_indent=_INDENT, subsequent_indent=_INDENT)
        yield from (f"{_INDENT * 2}{line}" for line in constants_text(step, page.digits))


def _derivative(page: Page, width: int) -> Iterator[str]:
    yield "Backward"
    yield from textwrap.wrap(backward_words(page.explanation), width, initial_indent=_INDENT, subsequent_indent=_INDENT)
    known = set(page.explanation.step.lines)
    named = [line for line in page.explanation.forward if line not in known and _is_new(line, page)]
    if named:
        yield ""
        yield f"{_INDENT}With"
        yield from _aligned(named, width)
    for group in backward_groups(page.explanation):
        yield ""
        yield f"{_INDENT}{group.title}"
        yield from _aligned(group.lines, width)


def _is_new(line: Line, page: Page) -> bool:
    """Say whether a line names what the equations have without a name."""
    return all(line.target != shown.target for shown in page.explanation.step.lines)


def _aligned(lines: Sequence[Line], width: int) -> Iterator[str]:
    """Yield equations with their signs below each other, the same at all widths; long ones go on further right."""
    lefts = [plain_symbol(line.target) for line in lines]
    widest = max(map(len, lefts))
    has_sums = any(line.is_sum for line in lines)
    for left, line in zip(lefts, lines, strict=True):
        sign = "+=" if line.is_sum else " =" if has_sums else "="
        head = f"{_INDENT * 2}{left:>{widest}} {sign} "
        yield from _broken(head, plain(line.term), width)


def _broken(head: str, text: str, width: int) -> Iterator[str]:
    """Yield a line, broken before signs at the outer level where it is too wide."""
    room = max(width - len(head), 30)
    current = ""
    for piece in _summands(text):
        if current and len(current) + len(piece) > room:
            yield head + current.rstrip()
            head, current = " " * len(head), ""
        current += piece
    yield head + current.rstrip()


def _summands(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and text[place : place + 3] in (" + ", " − "):
            yield text[start : place + 1]
            start = place + 1
    yield text[start:]


def _anatomy(page: Page, width: int) -> Iterable[str]:
    assert page.anatomy is not None, "a page with this part has one"
    return anatomy_text(page.anatomy)


def _network(page: Page, width: int) -> Iterator[str]:
    yield "Unfolded in time"
    yield from unfolded_text(page.network, width).splitlines()


def _example(page: Page, width: int) -> Iterable[str]:
    assert page.example is not None, "a page with this part has one"
    return example_text(page.example, width, page.digits)


def _gates(page: Page, width: int) -> Iterator[str]:
    if page.has_time_gates:
        yield from time_gates_text(page.explanation.cell, width=width)
        yield ""
    yield from response_curves_text(page.explanation.cell, page.explanation.step, width=width)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width)


def _more(page: Page) -> Iterator[str]:
    """Say what else there is, as commands that can be copied."""
    width = page.explanation.step.shapes[page.explanation.step.inputs[0]][0]
    inputs = json.dumps([[int(k == place) for k in range(width)] for place in range(2)], separators=(",", ":"))
    ways = [
        (f"--inputs '{inputs}' --targets 0,1", "a sequence worked through by hand"),
        *([("--gate", "how the gates answer")] if page.has_gates else []),
        (f"--output {page.name.rpartition(':')[2]}.html", "all of it as a page, with drawings"),
    ]
    yield ""
    yield f"More, behind {page.command}:"
    widest = max(len(options) for options, _ in ways)
    for options, what in ways:
        yield f"{_INDENT}{options:<{widest}}  {what}"
