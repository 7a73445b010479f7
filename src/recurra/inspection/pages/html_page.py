"""An explanation as a page of HTML that stands alone."""

from __future__ import annotations

from html import escape

from recurra.inspection.pages.anatomy_part import anatomy_part
from recurra.inspection.pages.document import Part, document
from recurra.inspection.pages.equation_parts import derivative_part, equations_part, sentence
from recurra.inspection.pages.example_part import example_part
from recurra.inspection.pages.page import Page
from recurra.inspection.pages.picture_parts import gates_part, network_part


def html_page(page: Page) -> str:
    """Write an explanation as one file of HTML: mathematics as MathML, drawings as SVG, nothing fetched, no script.

    Args:
        page: What it shows.

    Returns:
        The whole file.
    """
    return document(f"{page.class_name} explained", _header(page), [_part(page, name) for name in page.parts])


def _part(page: Page, name: str) -> Part:
    if name == "example":
        assert page.example is not None, "a page with this part has one"
        return example_part(page.example, page.digits, page.spelled_out)
    if name == "anatomy":
        assert page.anatomy is not None, "a page with this part has one"
        return anatomy_part(page.anatomy, page.spelled_out)
    return {
        "equations": equations_part,
        "derivative": derivative_part,
        "network": network_part,
        "gates": gates_part,
    }[name](page)


def _header(page: Page) -> str:
    name = "" if page.name == page.class_name else f"<code>{escape(page.name)}</code>"
    lines = [f"<h1>{escape(page.class_name)}{name}</h1>"]
    if page.summary:
        lines.append(f'<p class="summary">{escape(page.summary)}</p>')
    if page.reference:
        lines.append(f'<p class="source">{escape(page.reference)}</p>')
    lines += [f'<p class="note">{sentence(note, page.spelled_out)}</p>' for note in page.notes]
    return "\n".join(lines)
