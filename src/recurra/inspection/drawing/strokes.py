"""Lines with round corners."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


def direction(a: Point, b: Point) -> Point:
    """Return the step of length 1 from a point towards another."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy)
    return dx / length, dy / length


def rounded_path(points: Sequence[Point]) -> str:
    """Return the path through points with the corners rounded off."""
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(14.0, _distance(before, corner) / 2, _distance(corner, after) / 2)
        back, on = direction(before, corner), direction(corner, after)
        enter = corner[0] - back[0] * reach, corner[1] - back[1] * reach
        leave = corner[0] + on[0] * reach, corner[1] + on[1] * reach
        path += f"L{enter[0]:g} {enter[1]:g}Q{corner[0]:g} {corner[1]:g} {leave[0]:g} {leave[1]:g}"
    return path + f"L{points[-1][0]:g} {points[-1][1]:g}"


def _distance(a: Point, b: Point) -> float:
    return math.hypot(b[0] - a[0], b[1] - a[1])
