"""How names are set in SVG, and how much room they take.

Nobody knows which fonts a reader has, so widths are estimates for common ones, and nothing depends on them exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from recurra.inspection.drawing.labels import Label
from recurra.inspection.drawing.network import FORWARD

SERIF = "'STIX Two Text','Cambria Math','Times New Roman','Liberation Serif','DejaVu Serif',serif"
SANS = "'Segoe UI','Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif"

NODE, BADGE, TAG, TAG_WIDTH = 50, 36, 28, 58
"""Heights of nodes, badges and tags, and the width of a tag."""

CELL_SIZE = 23
_MOST_LETTERS = 15
_ADVANCES = {"ijltf.,;:|′'()[] ": 0.29, "rscezvkI": 0.42, "W": 0.84, "mwMQψφω−+=": 0.7}
_SMALL = 0.68
"""Of the size of letters: what stands below and above them."""
_RUNS = re.compile(r"[^\W\d_]+|[\W\d_]+")


def _serif_width(text: str, size: float) -> float:
    """Estimate how wide a word is in a serif font; nobody knows which one a reader has."""
    return size * sum(_advance(letter) for letter in text)


def _advance(letter: str) -> float:
    for letters, width in _ADVANCES.items():
        if letter in letters:
            return width
    return 0.61 if letter.isupper() else 0.5


def label_width(label: Label, size: float) -> float:
    """Estimate how wide a name is."""
    small = size * _SMALL
    return (
        _serif_width(label.base, size)
        + _indent(label, size)
        + max(_serif_width(label.below, small), _serif_width(label.above, small))
    )


def _indent(label: Label, size: float) -> float:
    """Return the room between a letter and what stands around it: more where that meets an arrow or a prime."""
    is_marked = label.direction is not None or label.base.endswith("′")
    return size * (0.14 if is_marked and label.above else 0.06 if is_marked or label.above else 0.02)


def box_width(name: str) -> float:
    """Return how wide a step's box is with this name in it."""
    return max(112.0, 0.6 * CELL_SIZE * max(map(len, name_lines(name))) + 24)


def name_lines(name: str) -> tuple[str, ...]:
    """Return a name, cut in two if it is long: at a space, or where a word of several begins."""
    cuts = [found.start() for found in re.finditer(r"(?<=\S) |(?<=[a-z0-9])(?=[A-Z])|(?<=[_-])", name)]
    if len(name) <= _MOST_LETTERS or not cuts:
        return (name,)
    cut = min(cuts, key=lambda place: abs(place - len(name) / 2))
    return name[:cut], name[cut:].strip()


def node_width(label: Label) -> float:
    """Return how wide a node is."""
    return max(NODE, label_width(label, 25) + 24)


def badge_width(label: Label) -> float:
    """Return how wide a badge is."""
    return max(BADGE, label_width(label, 22) + 19)


def label_markup(label: Label, left: float, y: float, size: float, colour: str) -> Iterator[str]:
    """Yield the elements of a name whose left end and middle are given."""
    small, style = size * _SMALL, "italic" if len(label.base.rstrip("′")) == 1 else "normal"
    indent, spans = _indent(label, size), escape(label.base)
    if label.below:
        spans += f'<tspan font-size="{small:g}" dx="{indent:g}" dy="{size * 0.2:g}">{_slanted(label.below)}</tspan>'
    if label.above:
        # at the letter's own end: how wide what stands below comes out, nobody knows
        end, height = left + _serif_width(label.base, size) + indent, y - size * 0.14
        spans += f'<tspan font-size="{small:g}" x="{end:g}" y="{height:g}" font-style="normal">{label.above}</tspan>'
    yield (
        f'<text x="{left:g}" y="{y + size * 0.28:g}" font-family="{SERIF}" font-size="{size:g}"'
        f' font-style="{style}" fill="{colour}">{spans}</text>'
    )
    if label.direction is not None:
        yield _arrow_above(label, left, y, size, colour)


def _arrow_above(label: Label, left: float, y: float, size: float, colour: str) -> str:
    is_tall = label.base[0].isupper() or label.base[0] in "bdfhklt"
    width, height = _serif_width(label.base.rstrip("′"), size), y - size * (0.5 if is_tall else 0.33)
    start, end = (left + 1, left + width + 2) if label.direction == FORWARD else (left + width + 2, left + 1)
    barb = 4 if start < end else -4
    return (
        f'<path d="M{start:g} {height:g}H{end:g}M{end - barb:g} {height - 3:g}L{end:g} {height:g}L{end - barb:g}'
        f' {height + 3:g}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    )


def _slanted(text: str) -> str:
    """Return marked-up text in which single letters are slanted, and digits, signs and words upright."""
    styles = ((run, "italic" if len(run) == 1 and run.isalpha() else "normal") for run in _RUNS.findall(text))
    return "".join(f'<tspan font-style="{style}">{escape(run)}</tspan>' for run, style in styles)
