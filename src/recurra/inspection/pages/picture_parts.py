"""Drawings of a network and of gates, as parts of a page of HTML."""

from __future__ import annotations

import re

from recurra.errors import ArgumentError
from recurra.inspection.pages.document import Part, figure
from recurra.inspection.pages.page import Page

_DECLARATION = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>", re.S)


def network_part(page: Page) -> Part:
    """Return the network, folded and unfolded."""
    from recurra.inspection.drawing.folded import folded_svg
    from recurra.inspection.drawing.unfolded import unfolded_svg

    drawings = (
        ("network-folded", "Folded", folded_svg if page.is_folded else None),
        ("network-unfolded", "Unfolded in time", unfolded_svg if page.is_unfolded else None),
    )
    shown = [(name, title, draw) for name, title, draw in drawings if draw]
    body = (f'<h3 id="{name}">{title}</h3>\n{figure(_element(draw(page.network)))}' for name, title, draw in shown)
    return Part("network", "The network", "\n".join(body), tuple((name, title) for name, title, _ in shown))


def gates_part(page: Page) -> Part:
    """Return how gates respond, and how they open and close in time where they do."""
    from recurra.inspection.figures import figure_svg
    from recurra.inspection.gates.curve_figure import draw_response_curves
    from recurra.inspection.gates.time_gate_figure import draw_time_gates

    body = []
    if page.has_time_gates:
        svg = figure_svg(draw_time_gates(page.explanation.cell), f"Time gates of {page.class_name}")
        body.append(figure(svg, "A gate that opens and closes by itself, measured on the cell.", is_natural=True))
    try:
        curves = draw_response_curves(page.explanation.cell, page.explanation.step)
    except ArgumentError:
        if not page.has_time_gates:
            raise
    else:
        svg = figure_svg(curves, f"Response curves of {page.class_name}")
        caption = "Each gate against what it is a function of, then against one entry while all else is 0."
        body.append(figure(svg, caption, is_natural=True))
    return Part("gates", "Gates", "\n".join(body))


def _element(svg: str) -> str:
    """Return a drawing as it stands inside a page."""
    return _DECLARATION.sub("", svg).strip()
