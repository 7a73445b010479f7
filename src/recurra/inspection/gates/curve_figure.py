"""The picture of a cell's gates: a row of response curves for each, in a figure and in characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.cells.checks import check_size
from recurra.errors import ArgumentError
from recurra.inspection.equations.latex import latex_line, latex_symbol
from recurra.inspection.equations.plain import plain_line
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.figures import UNIT_COLORS, new_figure
from recurra.inspection.gates.curves import GateCurves, Sweep, gate_curves
from recurra.inspection.gates.terminal_chart import curve_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_LENGTH = 60
"""Characters of an equation, in plain text, that have room under a panel."""
_DARK = "#333333"
_LEGEND_MARGIN = 10.0
"""Pixels between a legend and the sides of the figure."""
MAX_UNITS = 8


def draw_response_curves(cell: torch.nn.Module, step: Step, *, num_units: int = 3) -> Figure:
    """Draw how each gate of a cell answers, one row a gate.

    On the left against its preactivation, with a dot for each unit where input and state are 0, at its bias; then
    against the first entry of the input, and against the unit's own entry of each state that gates see, while all else
    is 0.

    Args:
        cell: The cell, whose weights are taken.
        step: The equations of its step.
        num_units: How many units to draw, from the first, at most 8.

    Raises:
        ArgumentError: When the cell has no gates, or ``num_units`` is out of range.
    """
    curves = gate_curves(cell, step, num_units=_check_units("draw_response_curves", num_units))
    columns = _columns(step, curves)
    figure = new_figure(4.0 * (1 + len(columns)), 2.15 * len(curves) + 1.0)
    panels = figure.subplots(len(curves), 1 + len(columns), squeeze=False, sharey="row")
    subject = "its gates answer" if any(gate.kind == "gate" for gate in curves) else "it answers"
    figure.suptitle(f"{step.who}: how {subject}", fontsize=16, x=0.02, ha="left")
    for row, gate in zip(panels, curves, strict=True):
        _draw_form(row[0], gate)
        by_symbol = {sweep.symbol: sweep for sweep in gate.sweeps}
        for axes, symbol in zip(row[1:], columns, strict=True):
            _draw_sweep(axes, gate, symbol, by_symbol.get(symbol))
    for symbol, axes in zip(columns, panels[-1][1:], strict=True):
        # the last gate may not see what the label is about
        sweep = next(sweep for gate in curves for sweep in gate.sweeps if sweep.symbol == symbol)
        axes.set_xlabel(_sweep_label(sweep), fontsize=12)
    _draw_legend(figure, len(curves[0].rest), _faulty(curves))
    return figure


def response_curves_text(cell: torch.nn.Module, step: Step, *, num_units: int = 3, width: int = 80) -> Iterator[str]:
    """Draw each gate against its preactivation in characters, with the units' numbers at their biases.

    Args:
        cell: As for :func:`draw_response_curves`.
        step: Likewise.
        num_units: Likewise.
        width: Characters of a line, at least 20.

    Yields:
        One line at a time.

    Raises:
        ArgumentError: As there.
    """
    curves = gate_curves(cell, step, num_units=_check_units("response_curves_text", num_units))
    for number, gate in enumerate(curves):
        if number:
            yield ""
        yield f"{plain_line(gate.line)}   ({gate.kind})"
        yield f"{plain_line(gate.definition)}"
        marks = [(z, k, str(unit + 1)) for unit, (z, k) in enumerate(zip(gate.rest, gate.values_at_rest, strict=True))]
        # of units at one place, the first is shown
        yield from curve_text(
            gate.at, list(_different(gate.values)), width=width, marks=marks[::-1], bounds=_bounds(gate)
        )
    yield ""
    yield "numbers: units where input and state are 0, so that the preactivation is the bias"
    if faulty := _faulty(curves):
        yield f"not finite, and so not drawn: unit{'s' * (len(faulty) > 1)} {', '.join(str(n + 1) for n in faulty)}"


def _faulty(curves: Sequence[GateCurves]) -> list[int]:
    """Return the units of which some curve is missing, counted from 0."""
    return sorted(frozenset().union(*(gate.faulty for gate in curves)))


def _check_units(who: str, num_units: int) -> int:
    if check_size(who, "num_units", num_units) > MAX_UNITS:
        raise ArgumentError(f"{who} expected num_units to be at most {MAX_UNITS}, got {num_units}")
    return num_units


def _columns(step: Step, curves: Sequence[GateCurves]) -> list[Symbol]:
    seen = {sweep.symbol for gate in curves for sweep in gate.sweeps}
    return [symbol for symbol in (*step.inputs, *step.entering) if symbol in seen]


def _different(values: np.ndarray) -> np.ndarray:
    """Return one curve where those of all units are the same."""
    return values[:1] if np.array_equal(values, np.broadcast_to(values[:1], values.shape)) else values


def _bounds(gate: GateCurves) -> tuple[float, float] | None:
    """Return the limits of a gate that has the usual ones, which its curve only comes near to."""
    low, high = gate.values.min(), gate.values.max()
    return ((0.0, 1.0) if low >= 0 else (-1.0, 1.0)) if low >= -1 and high <= 1 else None


def _draw_form(axes: Any, gate: GateCurves) -> None:
    curves = _different(gate.values)
    if len(curves) == 1:
        axes.plot(gate.at, curves[0], color=_DARK, lw=2.2, zorder=2)
    else:
        _draw_curves(axes, gate.at, curves)
    _draw_dots(axes, gate.rest, gate.values_at_rest)
    kind = "" if gate.kind == "gate" else f", {gate.kind}"
    axes.set_title(_math(latex_line(gate.line, align=False), plain_line(gate.line)) + kind, loc="left", fontsize=13)
    definition, letter = plain_line(gate.definition), latex_symbol(gate.preactivation)
    is_short = len(definition) <= _MAX_LENGTH
    equation = _math(latex_line(gate.definition, align=False), definition) if is_short else f"${letter}$"
    axes.set_xlabel(equation, fontsize=11)
    axes.set_xlim(gate.at[0], gate.at[-1])
    _tidy(axes)


def _draw_sweep(axes: Any, gate: GateCurves, symbol: Symbol, sweep: Sweep | None) -> None:
    if sweep is None:
        _draw_unseen(axes, gate.gate, symbol)
        return
    _draw_curves(axes, sweep.at, sweep.values)
    _draw_dots(axes, np.zeros_like(gate.rest), gate.values_at_rest)
    axes.set_xlim(sweep.at[0], sweep.at[-1])
    _tidy(axes)


def _draw_curves(axes: Any, at: np.ndarray, curves: np.ndarray) -> None:
    for unit, values in enumerate(curves):
        # units that answer alike lie on each other, and show at the sides
        axes.plot(at, values, color=UNIT_COLORS[unit], lw=_sizes(len(curves), 3.4, 1.6)[unit], zorder=2)


def _draw_dots(axes: Any, at: np.ndarray, values: np.ndarray) -> None:
    for unit, (x, y) in enumerate(zip(at, values, strict=True)):
        size = _sizes(len(values), 11.0, 6.0)[unit]
        axes.plot(x, y, "o", color=UNIT_COLORS[unit], mec="white", mew=0.8, ms=size, zorder=3 + unit, clip_on=False)


def _sizes(num_units: int, largest: float, smallest: float) -> np.ndarray:
    """Return a size for each unit, so that of those at one place all are seen; a single one has the mean."""
    return np.linspace(largest, smallest, num_units) if num_units > 1 else np.array([(largest + smallest) / 2])


def _draw_unseen(axes: Any, gate: Symbol, symbol: Symbol) -> None:
    words = f"${latex_symbol(gate)}$ does not see ${latex_symbol(symbol)}$"
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color="#666666", fontsize=12)
    axes.set_xticks([])
    axes.tick_params(left=False, labelleft=False)
    axes.spines[:].set_visible(False)


def _tidy(axes: Any) -> None:
    axes.axvline(0, color="#cccccc", lw=0.9, zorder=0)
    axes.axhline(0, color="#cccccc", lw=0.9, zorder=0)
    axes.grid(alpha=0.25)
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(labelleft=True)
    axes.spines[["top", "right"]].set_visible(False)


def _sweep_label(sweep: Sweep) -> str:
    entry = "own entry" if sweep.is_own else "first entry"
    return f"{entry} of ${latex_symbol(sweep.symbol)}$, all else 0"


def _math(latex: str, plain: str) -> str:
    """Return an equation for a figure: as plain text where it needs more of LaTeX than figures know."""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(f"${latex}$")
    except ValueError:
        return plain
    return f"${latex}$"


def _draw_legend(figure: Figure, num_units: int, faulty: Sequence[int]) -> None:
    from matplotlib.lines import Line2D

    notes = {unit: ": not finite, not drawn" for unit in faulty}
    lines = [
        Line2D([], [], color=UNIT_COLORS[unit], lw=2.2, label=f"unit {unit + 1}{notes.get(unit, '')}")
        for unit in range(num_units)
    ]
    label = "where input and state are 0: at the bias"
    dot = Line2D([], [], marker="o", ls="", color=_DARK, mec="white", ms=9, label=label)
    handles = [*lines, dot]
    room = figure.bbox.width - 2 * _LEGEND_MARGIN
    for num_rows in range(1, len(handles) + 1):
        columns = -(-len(handles) // num_rows)
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=12)
        if columns == 1 or legend.get_window_extent().width <= room:
            return
        legend.remove()
