"""How far the time gates of a cell's units are open, measured on the cell itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.cells.checks import check_size
from recurra.errors import ArgumentError
from recurra.inspection.gates.terminal_chart import curve_text, strip_text
from recurra.loop.probing import as_tuple, find_initial_state, split_result

MAX_STEPS = 10_000
_PARAMETERS = ("period", "shift", "open_ratio")
_MAX_ROWS = 4096
_FAR = 2.0**60
"""An h beside which what a step writes is nothing, so that what is left of it tells what the gate keeps."""


@dataclass(frozen=True)
class Rhythms:
    """When the units of a cell are open, as a step takes it; each (H,), float64.

    Attributes:
        periods: Time from one opening to the next, in steps or the unit of the times.
        shifts: When they open first, at least 0 and below the period.
        open_ratios: Part of the period for which they are open; from 1 on they never close.
    """

    periods: np.ndarray
    shifts: np.ndarray
    open_ratios: np.ndarray

    def describe(self, unit: int) -> str:
        """Name the three of one unit, counted from 0."""
        return f"τ = {self.periods[unit]:.3g}, s = {self.shifts[unit]:.3g}, r = {self.open_ratios[unit]:.3g}"


def read_rhythms(cell: torch.nn.Module) -> Rhythms:
    """Return the rhythms of a cell's units: what its ``rhythm()`` says, or else its parameters as they are.

    Raises:
        ArgumentError: When it has not the parameters period, shift and open_ratio, when one of them is not finite, or a
            period or an open ratio is not above 0.
    """
    found: list[Any] = [getattr(cell, name, None) for name in _PARAMETERS]
    missing = [name for name, value in zip(_PARAMETERS, found, strict=True) if not isinstance(value, Tensor)]
    who = type(cell).__name__
    if missing:
        raise ArgumentError(
            f"time gates expected a cell with the parameters {', '.join(_PARAMETERS)}, "
            f"got {who}, which has no {', '.join(missing)}",
            hint="phased-lstm and phased-lstm-gated have time gates; other gates are drawn as response curves",
        )
    own: Any = getattr(cell, "rhythm", None)
    effective = own() if callable(own) else found
    period, shift, ratio = np.broadcast_arrays(
        *(np.atleast_1d(value.detach().cpu().double().numpy()) for value in effective)
    )
    for name, values, is_sound in (
        ("finite periods above 0", period, np.isfinite(period) & (period > 0)),
        ("finite shifts", shift, np.isfinite(shift)),
        ("finite open ratios above 0", ratio, np.isfinite(ratio) & (ratio > 0)),
    ):
        if not is_sound.all():
            unit = int(np.flatnonzero(~is_sound)[0])
            raise ArgumentError(f"time gates of {who} expected {name}, got {values[unit]:g} for unit {unit + 1}")
    return Rhythms(period, np.mod(shift, period), ratio)


def takes_times(cell: torch.nn.Module) -> bool:
    """Say whether a step may be given its time, beside x."""
    return "time" in getattr(cell, "inputs", ())


def gates_at(cell: torch.nn.Module, times: np.ndarray) -> np.ndarray:
    """Return how far each unit is open at real times, (N, H), as one step of the cell at each of them shows.

    h is made so large that what a step writes is nothing beside it: what is left of it is what the gate keeps. So the
    numbers are those of the cell's own ``forward``, in its mode, training or evaluation, and in float64; the cell is
    left as it is.

    Args:
        cell: A cell whose step takes (x, time), whose output is the state that the gate keeps, and whose candidate
            has bounds.
        times: Times, (N,), float64.

    Raises:
        ArgumentError: When the steps take no time, or the output is not kept by a gate.
    """
    if not takes_times(cell):
        raise ArgumentError(f"gates_at expected a cell whose step takes (x, time), got {type(cell).__name__}")
    probe = _probe(cell)
    found = []
    for part in torch.split(torch.from_numpy(np.asarray(times, np.float64))[:, None], _MAX_ROWS):
        step = tuple(
            part if name == "time" else like.expand(len(part), -1)
            for name, like in zip(probe.inputs, _inputs(probe), strict=True)
        )
        found.append(_openness(probe, step, as_tuple(find_initial_state(probe, step)))[0])
    return np.concatenate(found)


def gates_by_step(cell: torch.nn.Module, num_steps: int) -> np.ndarray:
    """Return how far each unit is open at each step of a sequence without times, (num_steps, H).

    The cell goes step by step and carries its phases. Else as :func:`gates_at`.

    Args:
        cell: As there.
        num_steps: Steps, at most 10 000.

    Raises:
        ArgumentError: When ``num_steps`` is out of range, or the output is not kept by a gate.
    """
    check_num_steps("gates_by_step", num_steps)
    probe = _probe(cell)
    step = _inputs(probe)[0]
    state = as_tuple(find_initial_state(probe, step))
    rows = []
    for _ in range(num_steps):
        found, state = _openness(probe, step, state)
        rows.append(found[0])
    return np.stack(rows)


def check_num_steps(who: str, num_steps: int) -> int:
    """Return ``num_steps`` if it is a count of at most 10 000.

    Raises:
        ArgumentError: When it is not.
    """
    if check_size(who, "num_steps", num_steps) > MAX_STEPS:
        raise ArgumentError(f"{who} expected num_steps to be at most {MAX_STEPS}, got {num_steps}")
    return num_steps


def time_gates_text(
    cell: torch.nn.Module, *, num_steps: int = 40, num_units: int = 6, width: int = 100
) -> Iterator[str]:
    """Draw the time gates of a cell's first units in characters: the first unit's curve, then a strip a unit.

    Args:
        cell: As for :func:`gates_at`.
        num_steps: Steps that the strips show.
        num_units: Units that the strips show.
        width: Characters of a line, at least 60.

    Yields:
        One line at a time.

    Raises:
        ArgumentError: When the cell has no time gates, or an argument is out of range.
    """
    check_num_steps("time_gates_text", num_steps)
    check_size("time_gates_text", "num_units", num_units)
    check_size("time_gates_text", "width", width, at_least=60)
    rhythms = read_rhythms(cell)
    if takes_times(cell):
        period, shift = rhythms.periods[0], rhythms.shifts[0]
        times = np.linspace(0.0, shift + 2 * period, 4 * width)
        yield f"k of unit 1 over time: {rhythms.describe(0)}"
        yield from curve_text(times, [gates_at(cell, times)[:, 0]], width=width, bounds=(0.0, 1.0))
        yield ""
    gates = gates_by_step(cell, num_steps)
    labels = [rhythms.describe(unit) for unit in range(min(num_units, len(rhythms.periods)))]
    columns = min(num_steps, width - max(map(len, labels)) - 14)
    # with more steps than columns, a column shows the widest opening of its steps
    starts = np.arange(columns) * num_steps // columns
    strips = np.maximum.reduceat(gates, starts, axis=0)
    yield f"k at the steps 0 to {num_steps - 1}" + (", in each column the largest" if columns < num_steps else "")
    for unit, label in enumerate(labels):
        yield f"unit {unit + 1:<3} │{strip_text(strips[:, unit])}│ {label}"


def _probe(cell: torch.nn.Module) -> Any:
    read_rhythms(cell)
    return copy.deepcopy(cell).cpu().double()


def _inputs(probe: Any) -> tuple[Tensor, ...]:
    sizes = getattr(probe, "input_sizes", None) or (probe.input_size,)
    return tuple(torch.zeros(1, size, dtype=torch.float64) for size in sizes)


def _openness(probe: Any, step: Any, state: tuple[Tensor, ...]) -> tuple[np.ndarray, tuple[Tensor, ...]]:
    """Return the openness (B, H) of a step, and the state after it."""
    h = torch.full_like(state[0], _FAR)
    with torch.no_grad():
        output, after = split_result(probe, probe(step, (h, *state[1:]) if len(state) > 1 else h))
    openness = 1 - (output / _FAR).numpy()
    if not np.isfinite(openness).all() or openness.min() < -1e-9 or openness.max() > 1 + 1e-9:
        raise ArgumentError(
            f"time gates expected the output of {type(probe).__name__} to be a mean of its past and what is new, "
            "weighted by the gate, got another"
        )
    return np.clip(openness, 0.0, 1.0), as_tuple(after)
