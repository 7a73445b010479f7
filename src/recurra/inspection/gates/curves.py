"""How gates answer: their value against the preactivation, an entry of the input, and an entry of the state."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from recurra.cells.checks import check_size
from recurra.errors import ArgumentError
from recurra.inspection.equations.evaluation import evaluate, run_lines
from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Line, Symbol, Term, name
from recurra.inspection.equations.weight_blocks import weight_values
from recurra.inspection.gates.kinds import ELEMENTWISE, Kind, find_kind

_NUM_POINTS = 81
_WIDEST = 6.0
"""Range of a preactivation that is always shown, to both sides."""
_FARTHEST = 1e300
"""Where numbers end, from which twice as much is still one."""
_OTHERS = 3.0
"""The same of an input, and of a state whose range is not known."""
_LETTERS = ("z", "a", "s", "net")
_NO_SQUASH = ("sqrt", "abs", "floor", "mod")
"""Functions of one entry that gates are not made of."""

Values = dict[Symbol, np.ndarray]


@dataclass(frozen=True)
class Sweep:
    """A gate while one entry of what it sees moves and everything else is 0.

    Attributes:
        symbol: The input or state.
        entries: Which entry moves, for each unit shown, counted from 0.
        is_own: Whether that is the unit's own.
        at: What it moves through, (N,).
        values: The gate of each unit shown, (U, N).
    """

    symbol: Symbol
    entries: tuple[int, ...]
    is_own: bool
    at: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class GateCurves:
    """How one gate answers, or what else is squashed as gates are.

    Attributes:
        gate: Its name.
        kind: What it is: a gate, a candidate, which is what is newly written, a state, or another activation.
        preactivation: What stands for what is squashed: its own name, or a letter.
        line: The gate as a function of that letter.
        definition: What the letter stands for.
        at: Values of the preactivation, (N,).
        values: The gate of each unit shown, (U, N).
        rest: The preactivation of each where input and state are 0, which is its bias, (U,).
        values_at_rest: The gate there, (U,).
        sweeps: One for each input and state that it sees.
    """

    gate: Symbol
    kind: Kind
    preactivation: Symbol
    line: Line
    definition: Line
    at: np.ndarray
    values: np.ndarray
    rest: np.ndarray
    values_at_rest: np.ndarray
    sweeps: tuple[Sweep, ...]

    @property
    def faulty(self) -> frozenset[int]:
        """The units, counted from 0, whose numbers are not finite, so that curves of them are missing."""
        rows = [~np.isfinite(self.rest), np.isnan(self.values).any(1)]
        rows += [np.isnan(sweep.values).any(1) for sweep in self.sweeps]
        return frozenset(np.flatnonzero(np.logical_or.reduce(rows)).tolist())


def gate_curves(cell: torch.nn.Module, step: Step, *, num_units: int = 3) -> tuple[GateCurves, ...]:
    """Return the response curves of a cell's gates, computed from the equations of its step in float64.

    A gate is a line that squashes, element by element, what it sees: those that the cell names in ``gates``; of a cell
    that names none, or none that are squashed, all such lines.

    Args:
        cell: The cell, whose weights are taken.
        step: The equations of its step.
        num_units: How many units to compute, from the first.

    Raises:
        ArgumentError: When there is no such line, or ``num_units`` is not an integer of at least one.
    """
    check_size("gate_curves", "num_units", num_units)
    reader = _Reader(cell, step)
    found = [(line, *parts) for line in step.lines if (parts := reader.split(line)) is not None]
    named = [gate for gate in found if gate[0].target.name in getattr(cell, "gates", ())]
    gates = named or [gate for gate in found if reader.has_weight(gate[2])]
    if not gates:
        raise ArgumentError(
            f"response curves expected a cell with gates, lines that squash what they see as i = sigmoid(W x + b) "
            f"does, got {step.who}, whose step has none"
        )
    return tuple(reader.curves(line, form, inner, num_units) for line, form, inner in gates)


class _Reader:
    """The equations of a step with the numbers of a cell."""

    def __init__(self, cell: torch.nn.Module, step: Step) -> None:
        self.cell, self.step = cell, step
        self.ranges = getattr(cell, "state_range", {})
        self.fixed = weight_values(step, dict(cell.named_parameters()) | dict(cell.named_buffers()))
        self.lines = {line.target: line for line in step.lines}
        sources = (*step.inputs, *step.entering)
        self.rest: Values = {symbol: np.zeros(step.shapes[symbol]) for symbol in sources}
        self.seen: dict[Symbol, frozenset[Symbol]] = {symbol: frozenset([symbol]) for symbol in sources}
        for line in step.lines:
            self.seen[line.target] = self.sees(line.term)
        taken = {symbol.name for symbol in (*self.lines, *self.seen, *step.weights, *step.constants)}
        self.letter = Symbol(next(letter for letter in (*_LETTERS, "preactivation") if letter not in taken))

    def sees(self, term: Term) -> frozenset[Symbol]:
        """Return the inputs and states of the step before that a term depends on."""
        return frozenset().union(*(self.seen.get(symbol, frozenset()) for symbol in term.symbols()))

    def has_weight(self, term: Term) -> bool:
        """Say whether a term has weights, itself or by names of what nothing has squashed yet."""
        if any(_is_squash(part) for part in term.walk()):
            return False
        symbols = set(term.symbols())
        lines = [self.lines[symbol] for symbol in symbols if symbol in self.lines]
        return not symbols.isdisjoint(self.step.weights) or any(self.has_weight(line.term) for line in lines)

    def split(self, line: Line) -> tuple[Term, Term] | None:
        """Return a line's term with a name for the preactivation, and the preactivation; ``None`` if there is none.

        What stands around the outermost function may have weights, as in ``a * sigmoid(z)``; inside it, they are part
        of the preactivation.
        """
        path: list[tuple[Term, int]] = []
        term, is_inside = line.term, False
        while (index := self._driven(term, is_inside)) is not None:
            path.append((term, index))
            is_inside = is_inside or term.op == "function"
            term = term.args[index]
        if not is_inside:
            return None
        # what has a name already keeps it
        form = term if term.value in self.lines else name(self.letter, term.shape)
        for outer, index in reversed(path):
            form = replace(outer, args=(*outer.args[:index], form, *outer.args[index + 1 :]))
        return form, term

    def _driven(self, term: Term, is_inside: bool) -> int | None:
        """Return which argument of an operation element by element alone depends on what a step is given."""
        if term.op not in ELEMENTWISE and not _is_squash(term):
            return None
        driven = [index for index, arg in enumerate(term.args) if self.sees(arg)]
        others = (symbol for index, arg in enumerate(term.args) if index not in driven for symbol in arg.symbols())
        return None if len(driven) != 1 or (is_inside and any(others)) else driven[0]

    def curves(self, line: Line, form: Term, inner: Term, num_units: int) -> GateCurves:
        """Compute the curves of one gate."""
        units = np.arange(min(num_units, line.term.shape[0]))
        lines = self._needed(line)
        known = run_lines(lines, self.fixed | self.rest)
        definition = self.lines.get(inner.value) or Line(self.letter, inner)
        rest = _rows(evaluate(inner, known), units)[:, 0]
        widest = max([0.0, *np.abs(rest[np.isfinite(rest)]).tolist()])
        reach = min(max(_WIDEST, float(np.ceil(1.1 * widest))), _FARTHEST)
        at = np.linspace(-reach, reach, _NUM_POINTS)
        values, limits = (
            _rows(evaluate(form, known | {definition.target: points[None, :]}), units)
            for points in (at, np.array([-np.inf, np.inf]))
        )
        sources = [symbol for symbol in self.rest if symbol in self.seen[line.target]]
        return GateCurves(
            gate=line.target,
            kind=find_kind(self.cell, self.step, line.target, limits),
            preactivation=definition.target,
            line=Line(line.target, form),
            definition=definition,
            at=at,
            values=values,
            rest=rest,
            values_at_rest=_rows(known[line.target], units)[:, 0],
            sweeps=tuple(self._sweep(line, lines, symbol, units) for symbol in sources),
        )

    def _needed(self, line: Line) -> list[Line]:
        """Return the lines that a line is computed from, and itself, in order."""
        wanted = {line.target}
        for other in reversed(self.step.lines):
            if other.target in wanted:
                wanted.update(other.term.symbols())
        return [other for other in self.step.lines if other.target in wanted]

    def _sweep(self, line: Line, lines: list[Line], symbol: Symbol, units: np.ndarray) -> Sweep:
        width = self.step.shapes[symbol][0]
        is_own = symbol in self.step.entering and width == line.term.shape[0]
        entries = units if is_own else np.zeros_like(units)
        low, high = self._range(symbol)
        at = np.linspace(low, high, _NUM_POINTS)
        values = np.empty((len(units), len(at)))
        for entry in np.unique(entries):
            moving = units[entries == entry]
            for point, value in enumerate(at):
                column = np.zeros(self.step.shapes[symbol])
                column[entry] = value
                found = run_lines(lines, self.fixed | self.rest | {symbol: column})[line.target]
                values[entries == entry, point] = _rows(found, moving)[:, 0]
        return Sweep(symbol, tuple(map(int, entries)), is_own, at, values)

    def _range(self, symbol: Symbol) -> tuple[float, float]:
        unknown = (-np.inf, np.inf)
        low, high = self.ranges.get(symbol.name, unknown) if symbol in self.step.entering else unknown
        # 0 is shown in any case, since everything else is 0
        return (min(low, 0.0) if np.isfinite(low) else -_OTHERS), (max(high, 0.0) if np.isfinite(high) else _OTHERS)


def _is_squash(term: Term) -> bool:
    return term.op == "function" and FUNCTIONS[term.value].is_elementwise and term.value not in _NO_SQUASH


def _rows(value: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the rows of units, of a value that may be the same for all of them."""
    found: np.ndarray = np.broadcast_to(value, (max(len(value), int(units.max()) + 1), value.shape[1]))[units]
    return found
