"""An explanation as a document of LaTeX."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from recurra.inspection.equations.latex import latex, latex_symbol
from recurra.inspection.equations.terms import Line
from recurra.inspection.pages.constants import constants_latex, constants_words
from recurra.inspection.pages.equation_parts import named_lines
from recurra.inspection.pages.equation_table import place_of
from recurra.inspection.pages.groups import backward_groups, backward_words
from recurra.inspection.pages.inline_mathematics import with_mathematics
from recurra.inspection.pages.latex_anatomy import anatomy_lines
from recurra.inspection.pages.latex_example import example_lines
from recurra.inspection.pages.latex_text import latex_text, without_unknown
from recurra.inspection.pages.line_breaks import broken
from recurra.inspection.pages.page import Page
from recurra.inspection.pages.signs import signs

_OPENING = r"""
\documentclass[11pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=2.2cm]{geometry}
\usepackage{amsmath,amssymb,booktabs}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\begin{document}
""".strip()
_WIDTH = 62
"""Letters of an equation that have room in a line of the page."""


def latex_document(page: Page) -> str:
    """Write an explanation as a document that LaTeX sets as it is; drawings are left to their SVG.

    Args:
        page: What it shows.

    Returns:
        The whole file. Equations are in ``align*``, each with the line of code it comes from as a comment.
    """
    lines = [_OPENING, *_heading(page)]
    for part in page.parts:
        lines += ["", *_part(page, part)]
    lines += ["", r"\end{document}"]
    return without_unknown("\n".join(lines)) + "\n"


def _part(page: Page, name: str) -> Iterator[str]:
    if name == "equations":
        yield from _equations(page)
    elif name == "derivative":
        yield from _derivative(page)
    elif name == "anatomy":
        assert page.anatomy is not None, "a page with this part has one"
        yield from anatomy_lines(page.anatomy, page.spelled_out)
    elif name == "example":
        assert page.example is not None, "a page with this part has one"
        yield from example_lines(page.example, page.digits, _WIDTH, page.spelled_out)
    elif name == "network":
        yield "% The network is drawn as SVG:"
        yield from (f"%   {command}" for command in _drawing_commands(page))
    else:
        yield "% The gates are drawn as SVG:"
        yield f"%   {page.command} --gate --output {_file(page)}-gates.svg"


def _heading(page: Page) -> Iterator[str]:
    name = "" if page.name == page.class_name else rf" \normalfont\large\texttt{{{latex_text(page.name)}}}"
    yield rf"\section*{{{latex_text(page.class_name)}{name}}}"
    if page.summary:
        yield rf"{latex_text(page.summary)}\par"
    if page.reference:
        yield rf"\textit{{{latex_text(page.reference)}}}\par"
    if page.notes:
        yield rf"{{\small {sentence(' '.join(page.notes), page.spelled_out)}\par}}"


def sentence(text: str, spelled_out: Collection[str] = ()) -> str:
    """Return a sentence with the names in it as mathematics."""
    return with_mathematics(text, latex_text, lambda latex: f"${latex}$", spelled_out)


def _equations(page: Page) -> Iterator[str]:
    step = page.explanation.step
    yield r"\subsection*{Equations}"
    yield from equation_lines(step.lines, page.spelled_out)
    yield from _meanings(signs(step.lines))
    if step.constants:
        yield r"\subsubsection*{Constants}"
        yield latex_text(constants_words(step))
        yield from constants_latex(step, page.digits, page.spelled_out)


def _derivative(page: Page) -> Iterator[str]:
    explanation = page.explanation
    yield r"\subsection*{Backward}"
    yield rf"{sentence(backward_words(explanation), page.spelled_out)}\par"
    named = named_lines(explanation)
    if named:
        yield r"\subsubsection*{Named for the derivative}"
        yield from equation_lines(named, page.spelled_out)
    for group in backward_groups(explanation):
        yield rf"\subsubsection*{{{latex_text(group.title)}}}"
        yield from equation_lines(group.lines, page.spelled_out)
    known = signs(explanation.step.lines)
    yield from _meanings([entry for entry in signs(explanation.backward) if entry not in known])


def equation_lines(lines: Sequence[Line], spelled_out: Collection[str] = ()) -> Iterator[str]:
    """Yield equations below each other, aligned at their signs.

    Args:
        lines: The equations.
        spelled_out: Names that are written letter by letter; see ``look_alikes.py``.
    """
    yield r"\begin{align*}"
    for number, line in enumerate(lines):
        first, *others = broken(latex(line.term, spelled_out), _WIDTH)
        sign = r"\;\text{+=}\;" if line.is_sum else "="
        rows = [f"{latex_symbol(line.target, spelled_out)} &{sign} {first}", *(rf"&\quad {other}" for other in others)]
        rows[:-1] = [rf"{row} \\" for row in rows[:-1]]
        if number < len(lines) - 1:
            rows[-1] += r" \\"
        place = place_of(line)
        if place:
            rows[-1] += f" % {place.name}: {' '.join(place.text.split())}"
        yield from (f"  {row}" for row in rows)
    yield r"\end{align*}"


def _meanings(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    if entries:
        yield r"\begin{tabular}{@{}ll@{}}"
        yield from (rf"  ${sign}$ & {latex_text(words)} \\" for sign, words in entries)
        yield r"\end{tabular}"


def _drawing_commands(page: Page) -> Iterable[str]:
    network = page.network
    options = [page.command]
    if network.form != "many-to-many":
        options.append(f"--form {network.form}")
    if network.num_layers > 1:
        options.append(f"--num-layers {network.num_layers}")
    if network.bidirectional:
        options.append("--bidirectional")
    command = " ".join(options)
    if page.is_folded:
        yield f"{command} --fold --output {_file(page)}-folded.svg"
    if page.is_unfolded:
        yield f"{command} --unfold {network.steps} --output {_file(page)}-unfolded.svg"


def _file(page: Page) -> str:
    return page.name.rpartition(":")[2]
