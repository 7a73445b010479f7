"""The picture of a cell's time gates: one unit in detail, with period, shift and open ratio, then several in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.cells.checks import check_size
from recurra.errors import ArgumentError
from recurra.inspection.figures import UNIT_COLORS, new_figure
from recurra.inspection.gates.time_gates import (
    Rhythms,
    check_num_steps,
    gates_at,
    gates_by_step,
    read_rhythms,
    takes_times,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_UNITS = 24
_MAX_PERIODS = 400
"""Periods of a unit in one row beyond which its openings are narrower than a line."""
_GREY = "#555555"
_ARROWS, _LABELS = 1.13, 1.22
"""Heights above the curve, whose top is 1."""


def draw_time_gates(cell: torch.nn.Module, *, num_steps: int = 40, num_units: int = 6) -> Figure:
    """Draw how far the time gates of a cell's first units are open.

    Above, unit 1 over two periods with its shift, period and open ratio, and what a closed gate leaks, magnified;
    below, the first units over the steps of a sequence. Lines are the gate at real times, dots what a sequence without
    times sees of it at its steps; a cell whose step takes no time has dots alone. All are measured on the cell, in its
    mode, training or evaluation; see :func:`recurra.inspection.gates.time_gates.gates_at`.

    Args:
        cell: A cell with the parameters period, shift and open_ratio, whose output is the state that the gate keeps.
        num_steps: Steps that the lower part shows.
        num_units: Units that it shows, at most 24.

    Raises:
        ArgumentError: When the cell has no time gates, or an argument is out of range.
    """
    check_num_steps("draw_time_gates", num_steps)
    if check_size("draw_time_gates", "num_units", num_units) > MAX_UNITS:
        raise ArgumentError(f"draw_time_gates expected num_units to be at most {MAX_UNITS}, got {num_units}")
    rhythms = read_rhythms(cell)
    num_units = min(num_units, len(rhythms.periods))
    if not takes_times(cell):
        figure = new_figure(12.8, 1.4 + 0.62 * num_units)
        _draw_units(figure.subplots(), cell, rhythms, num_units, num_steps)
        return figure
    leak = _leak(cell, rhythms)
    heights = [3.0, *([1.0] if leak else []), 0.9 + 0.55 * num_units]
    figure = new_figure(12.8, sum(heights) + 0.6)
    panels = figure.subplots(len(heights), 1, height_ratios=heights)
    _draw_anatomy(panels[0], cell, rhythms)
    if leak:
        _draw_leak(panels[1], cell, rhythms, leak)
    else:
        panels[0].set_xlabel("time in steps")
    _draw_units(panels[-1], cell, rhythms, num_units, num_steps)
    return figure


def _corners(rhythms: Rhythms, unit: int, end: float) -> np.ndarray:
    """Return the times up to ``end`` at which a unit's gate turns or leaps, each from both sides."""
    period, shift, ratio = rhythms.periods[unit], rhythms.shifts[unit], min(rhythms.open_ratios[unit], 1.0)
    if end / period > _MAX_PERIODS:
        return np.empty(0)
    starts = shift + period * np.arange(-1, end / period + 1)
    corners = (starts[:, None] + period * np.array([0.0, ratio / 2, ratio])).ravel()
    near = 1e-9 * period
    return np.concatenate([corners - near, corners, corners + near])


def _times(rhythms: Rhythms, units: range, end: float) -> np.ndarray:
    corners = [_corners(rhythms, unit, end) for unit in units]
    # a gate is straight between its corners, and the points between them only confirm it
    num_between = 100 if all(map(len, corners)) else 2000
    times = np.concatenate([np.linspace(0.0, end, num_between), *corners])
    return np.unique(times[(times >= 0) & (times <= end)])


def _span(rhythms: Rhythms) -> float:
    return float(rhythms.shifts[0] + 2.3 * rhythms.periods[0])


def _leak(cell: torch.nn.Module, rhythms: Rhythms) -> float:
    """Return the most that the gate of unit 1 leaks when it is closed: that at the end of its period."""
    period, shift, ratio = rhythms.periods[0], rhythms.shifts[0], rhythms.open_ratios[0]
    if ratio >= 1:
        return 0.0
    return float(gates_at(cell, np.array([shift + period * (1 - 1e-9)]))[0, 0])


def _draw_anatomy(axes: Any, cell: torch.nn.Module, rhythms: Rhythms) -> None:
    end, color = _span(rhythms), UNIT_COLORS[0]
    times = _times(rhythms, range(1), end)
    values = gates_at(cell, times)[:, 0]
    axes.fill_between(times, values, color=color, alpha=0.15, lw=0)
    axes.plot(times, values, color=color, lw=2.2, label="$k$ at real times")
    if end <= 100:
        axes.plot(*_dots(cell, int(end) + 1, 0), "o", color="white", mec=color, mew=1.6, ms=6, label="$k$ at the steps")
    _mark_rhythm(axes, rhythms)
    axes.set(xlim=(-0.012 * end, end), ylim=(-0.04, 1.75), yticks=[0, 0.5, 1], ylabel="time gate $k$")
    axes.set_title(f"{type(cell).__name__}: the time gate $k$ of unit 1", loc="left", fontsize=14)
    axes.legend(loc="upper right", ncols=2, frameon=False, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["left"].set_bounds(0, 1)


def _dots(cell: torch.nn.Module, num_steps: int, unit: int) -> tuple[np.ndarray, np.ndarray]:
    # the first step of a sequence is at time 0
    return np.arange(num_steps), gates_by_step(cell, num_steps)[:, unit]


def _mark_rhythm(axes: Any, rhythms: Rhythms) -> None:
    """Put shift, period and the open part above the curve, one behind the other."""
    period, shift, ratio = rhythms.periods[0], rhythms.shifts[0], min(rhythms.open_ratios[0], 1.0)
    second, is_narrow = shift + period, shift < 0.13 * _span(rhythms)
    for at in (shift, second, second + ratio * period):
        axes.plot([at, at], [0, _ARROWS + 0.05], color=_GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
    for start, stop in ((0.0, shift), (shift, second), (second, second + ratio * period)):
        _draw_arrow(axes, start, stop, _span(rhythms))
    # a label that has no room over its arrow stands above the others
    axes.text(
        0.0 if is_narrow else shift / 2,
        _LABELS + 0.2 * is_narrow,
        rf"shift $s$ = {shift:.3g}",
        ha="left" if is_narrow else "center",
        fontsize=12,
    )
    axes.text(shift + period / 2, _LABELS, rf"period $\tau$ = {period:.3g}", ha="center", fontsize=12)
    share = rhythms.open_ratios[0]
    how_long = "never closed" if share > 1 else rf"open for $r\tau$ = {share * period:.3g}"
    label = rf"open ratio $r$ = {share:.3g}: {how_long}"
    axes.text(second, _LABELS, label, ha="left", fontsize=12)


def _draw_arrow(axes: Any, start: float, stop: float, span: float) -> None:
    """Draw an arrow with two heads, or a bar where there is no room for heads."""
    is_wide = stop - start > 0.03 * span
    style = "<|-|>,head_width=0.25,head_length=0.6" if is_wide else "|-|,widthA=0.3,widthB=0.3"
    how = {"arrowstyle": style, "color": _GREY, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (stop, _ARROWS), (start, _ARROWS), arrowprops=how)


def _draw_leak(axes: Any, cell: torch.nn.Module, rhythms: Rhythms, leak: float) -> None:
    end, color = _span(rhythms), UNIT_COLORS[0]
    times = _times(rhythms, range(1), end)
    values = gates_at(cell, times)[:, 0]
    axes.fill_between(times, values, color=color, alpha=0.15, lw=0)
    axes.plot(times, values, color=color, lw=1.8)
    axes.set(xlim=(-0.012 * end, end), ylim=(0, 1.6 * leak), yticks=[0, leak], xlabel="time in steps")
    axes.set_yticklabels(["0", f"{leak:.2g}"])
    axes.set_title(f"magnified: a closed gate leaks, up to {leak:.2g} at the end of a period", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_units(axes: Any, cell: torch.nn.Module, rhythms: Rhythms, num_units: int, num_steps: int) -> None:
    units, pitch = range(num_units), 1.35
    by_step = gates_by_step(cell, num_steps)
    times = values = None
    if takes_times(cell):
        times = _times(rhythms, units, num_steps - 1.0)
        values = gates_at(cell, times)
    for unit in units:
        base, color = -pitch * unit, UNIT_COLORS[unit % len(UNIT_COLORS)]
        axes.axhline(base, color="#cccccc", lw=0.8, zorder=0)
        if times is not None and values is not None:
            axes.fill_between(times, base, base + values[:, unit], color=color, alpha=0.2, lw=0)
            axes.plot(times, base + values[:, unit], color=color, lw=1.4)
        if num_steps <= 120:
            axes.plot(range(num_steps), base + by_step[:, unit], "o", color="white", mec=color, mew=1.3, ms=4)
    axes.set_yticks([0.5 - pitch * unit for unit in units], [f"unit {unit + 1}" for unit in units])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(-0.5, num_steps - 0.5), ylim=(-pitch * (num_units - 1) - 0.2, 1.3), xlabel="time in steps")
    for unit in units:
        place = (1.01, 0.5 - pitch * unit)
        axes.text(*place, rhythms.describe(unit), transform=axes.get_yaxis_transform(), va="center", fontsize=10)
    axes.set_title(f"units open in rhythms of their own: {num_steps} steps", loc="left", fontsize=14)
    axes.spines[["top", "right", "left"]].set_visible(False)
