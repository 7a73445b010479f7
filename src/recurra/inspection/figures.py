"""Figures that need no window: making them, and writing them as SVG that stands in a page with others."""

from __future__ import annotations

import hashlib
import io
import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNIT_COLORS = ("#0b5fa5", "#c8501e", "#2c8a4b", "#8a3fa0", "#a07a00", "#0f8a8a", "#b03060", "#555555")
"""Colours of units that follow each other: dark enough for a projector, and for print."""

_TAG = re.compile(r"<[^>]+>")
_ID = re.compile(r'(\bid="|(?:xlink:)?href="#|url\(#)')
_NOT_INLINE = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", re.S
)


def new_figure(width: float, height: float, *, is_arranged: bool = True) -> Figure:
    """Return an empty figure.

    Args:
        width: In inches of 100 pixels.
        height: Likewise.
        is_arranged: Whether matplotlib makes room for what stands around the axes; else they stay where they are put.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, whatever the machine has
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1) if is_arranged else None
    figure = Figure(figsize=(width, height), dpi=100, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def figure_svg(figure: Figure, title: str = "") -> str:
    """Write a figure as an ``svg`` element: the same text each time, and whole in itself.

    Letters are drawn as shapes, so no font is needed. Names of its parts carry a mark made of the picture, and no style
    reaches out of it, so that several stand in one HTML page; the element can be a file of its own too.

    Args:
        figure: What to write.
        title: What the picture shows, for those who do not see it.

    Returns:
        The element, without an XML declaration.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.hashsalt": "recurra", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = _NOT_INLINE.sub("", buffer.getvalue()).strip()
    mark = "f" + hashlib.sha256((title + svg).encode()).hexdigest()[:8] + "-"
    svg = _TAG.sub(lambda tag: _ID.sub(rf"\g<1>{mark}", tag[0]), svg)
    # what matplotlib says of every element by a style sheet, which would reach all of a page
    opening = 'style="stroke-linejoin: round; stroke-linecap: butt" role="img" '
    svg = svg.replace("<svg ", f"<svg {opening}", 1)
    return svg.replace(">", f">\n <title>{escape(title, quote=False)}</title>", 1) if title else svg
