"""A picture in SVG, made of what drawings of networks consist of: arrows, boxes, names, badges.

It stands alone: no scripts, styles, links or fonts of its own, and no identifiers, so that several fit into one page.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from recurra.inspection.drawing.colours import INK, PAPER, SOFT
from recurra.inspection.drawing.labels import Label
from recurra.inspection.drawing.lettering import (
    BADGE,
    CELL_SIZE,
    NODE,
    SANS,
    TAG,
    TAG_WIDTH,
    badge_width,
    label_markup,
    label_width,
    name_lines,
    node_width,
)
from recurra.inspection.drawing.strokes import Point, direction, rounded_path

_LEAST_WIDTH, _LEAST_HEIGHT, _MARGIN = 960, 540, 36
_HEAD = 13


class Picture:
    """Shapes that are put down one after the other; lines lie below all others."""

    def __init__(self, *, has_crossings: bool) -> None:
        self._has_crossings = has_crossings
        self._grounds: list[str] = []
        self._lines: list[str] = []
        self._shapes: list[str] = []
        self._left = self._top = float("inf")
        self._right = self._bottom = float("-inf")

    def _reach(self, *points: Point) -> None:
        self._left = min(self._left, *(x for x, _ in points), self._left)
        self._right = max(self._right, *(x for x, _ in points), self._right)
        self._top = min(self._top, *(y for _, y in points), self._top)
        self._bottom = max(self._bottom, *(y for _, y in points), self._bottom)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what there is so far."""
        return self._left, self._top, self._right, self._bottom

    def _frame(self, x: float, y: float, width: float, height: float, radius: float, fill: str, stroke: str) -> None:
        """Draw a rectangle with round corners around a point; ``stroke`` holds the attributes of its edge."""
        left, top = x - width / 2, y - height / 2
        self._reach((left, top), (left + width, top + height))
        self._shapes.append(
            f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
            f' fill="{fill}" {stroke}/>'
        )

    def ground(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """Tint a region behind everything."""
        self._reach((left, top), (right, bottom))
        self._grounds.append(
            f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" rx="18"'
            f' fill="{colour}"/>'
        )

    def lines(self, paths: Sequence[Sequence[Point]], colour: str = INK) -> None:
        """Draw lines with round corners through points, with an arrow head at the last of each.

        Where a picture has crossings, a rim of the paper's colour parts them from what they cross, not from each other.
        """
        drawn = []
        for points in paths:
            self._reach(*points)
            *others, (x, y) = points
            dx, dy = direction(others[-1], (x, y))
            drawn.append(rounded_path([*others, (x - dx * (_HEAD - 2), y - dy * (_HEAD - 2))]))
            back, side = (x - dx * _HEAD, y - dy * _HEAD), (-dy * 6, dx * 6)
            corners = [(x, y), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]
            spots = " ".join(f"{a:g},{b:g}" for a, b in corners)
            self._shapes.append(f'<polygon points="{spots}" fill="{colour}"/>')
        for stroke, width in ((PAPER, 9), (colour, 2.6)) if self._has_crossings else ((colour, 2.6),):
            self._lines.extend(f'<path d="{d}" fill="none" stroke="{stroke}" stroke-width="{width}"/>' for d in drawn)

    def words(self, text: str, x: float, y: float, size: float = 19, colour: str = SOFT, anchor: str = "middle",
              weight: str = "normal") -> None:  # fmt: skip
        """Write words with their middle at height y."""
        width = size * 0.55 * len(text)
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        self._reach((left, y - size / 2), (left + width, y + size / 2))
        self._shapes.append(
            f'<text x="{x:g}" y="{y + size * 0.35:g}" font-family="{SANS}" font-size="{size:g}" font-weight="{weight}"'
            f' fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def name(self, label: Label, x: float, y: float, size: float = 25, colour: str = INK) -> None:
        """Write a name around a point."""
        left = x - label_width(label, size) / 2
        self._reach((left, y - size * 0.75), (left + label_width(label, size), y + size * 0.5))
        self._shapes.extend(label_markup(label, left, y, size, colour))

    def box(self, text: str, x: float, y: float, width: float, height: float, note: str = "") -> None:
        """Draw the box of a step around a point, with a small note under its name."""
        self._frame(x, y, width, height, 14, "#fdf3d8", f'stroke="{INK}" stroke-width="2.4"')
        lines = name_lines(text)
        first = y - 14 * (len(lines) - 1 + bool(note))
        for number, line in enumerate(lines):
            size = min(CELL_SIZE, (width - 12) / (0.58 * len(line)))
            self.words(line, x, first + 27 * number, size, INK, weight="bold")
        if note:
            self.words(note, x, first + 27 * len(lines) + 2, 18, SOFT)

    def node(self, label: Label, x: float, y: float, colour: str = SOFT, *, dashed: bool = False) -> None:
        """Draw a name in a round frame."""
        dashes = ' stroke-dasharray="6 5"' if dashed else ""
        self._frame(x, y, node_width(label), NODE, NODE / 2, PAPER, f'stroke="{colour}" stroke-width="2.4"{dashes}')
        self.name(label, x, y)

    def badge(self, label: Label, x: float, y: float, colour: str) -> None:
        """Write the name of a weight in white on its colour."""
        self._frame(x, y, badge_width(label), BADGE, 8, colour, f'stroke="{PAPER}" stroke-width="2"')
        self.name(label, x, y + (2 if label.direction is not None else 0), 22, PAPER)

    def tag(self, text: str, x: float, y: float) -> None:
        """Draw a small operation around a point."""
        self._frame(x, y, TAG_WIDTH, TAG, TAG / 2, "#e6e9ee", f'stroke="{INK}" stroke-width="1.6"')
        self.words(text, x, y, 15, INK)

    def dots(self, x: float, y: float) -> None:
        """Draw three dots for what is left out."""
        self._reach((x - 18, y), (x + 18, y))
        for offset in (-14, 0, 14):
            self._shapes.append(f'<circle cx="{x + offset:g}" cy="{y:g}" r="3.6" fill="{INK}"/>')

    def square(self, x: float, y: float) -> None:
        """Draw a black square: one step of delay."""
        self._reach((x - 8, y - 8), (x + 8, y + 8))
        self._shapes.append(f'<rect x="{x - 8:g}" y="{y - 8:g}" width="16" height="16" fill="{INK}"/>')

    def document(self, title: str, description: str) -> str:
        """Return the whole picture, with room around it, in a landscape format."""
        left, right = _widened(self._left - _MARGIN, self._right + _MARGIN, _LEAST_WIDTH)
        top, bottom = _widened(self._top - _MARGIN, self._bottom + _MARGIN, _LEAST_HEIGHT)
        view = f"{left:g} {top:g} {right - left:g} {bottom - top:g}"
        paper = f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" fill="{PAPER}"/>'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" role="img" aria-label={quoteattr(title)}>'
        words = [f"<title>{escape(title)}</title>", f"<desc>{escape(description)}</desc>"]
        return "\n".join([head, *words, paper, *self._grounds, *self._lines, *self._shapes, "</svg>", ""])


def _widened(low: float, high: float, least: float) -> tuple[float, float]:
    missing = max(0.0, least - (high - low)) / 2
    return low - missing, high + missing
