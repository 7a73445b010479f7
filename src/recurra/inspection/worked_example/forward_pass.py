"""The forward pass of a worked example, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recurra.errors import ArgumentError
from recurra.inspection.equations.look_alikes import look_alikes
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Line, Shape, Symbol
from recurra.inspection.worked_example.arguments import WHO, Targets
from recurra.inspection.worked_example.example import Row, Section
from recurra.inspection.worked_example.readout import Readout
from recurra.inspection.worked_example.rows import RowWriter
from recurra.inspection.worked_example.symbols import Value, Values, given, work_out


@dataclass(frozen=True)
class Model:
    """The equations of a worked example, and the numbers that are the same in all steps.

    Attributes:
        step: The cell's equations.
        lines: Its lines, with the preactivations named.
        readout: What comes behind it; ``None`` without targets.
        targets: What the outputs are compared with, likewise.
        weights: The values of weights and constants.
    """

    step: Step
    lines: tuple[Line, ...]
    readout: Readout | None
    targets: Targets | None
    weights: Mapping[Symbol, Value]

    def symbols(self) -> Iterator[Symbol]:
        """Yield the symbols of the example, with repetitions."""
        yield from (*self.step.shapes, *self.weights)
        for line in (*self.lines, *(() if self.readout is None else self.readout.lines)):
            yield line.target
            yield from line.term.symbols()

    @cached_property
    def write(self) -> RowWriter:
        """What writes its rows, so that different names look different."""
        return RowWriter(look_alikes(self.symbols()))

    def target_at(self, step: int) -> np.ndarray | None:
        """Return the target of a step counted from 1, or ``None`` where it has none."""
        return None if self.targets is None else self.targets.at(step)


def forward_pass(
    model: Model, inputs: Sequence[Sequence[np.ndarray]], initial: Sequence[Value]
) -> tuple[tuple[Section, ...], list[Values]]:
    """Work out every step from the states that the one before left.

    Args:
        model: The equations.
        inputs: The inputs of every step as columns, in the order of ``model.step.inputs``.
        initial: The states before the first step.

    Returns:
        A section for each step, and all that is known in each step.
    """
    states = list(initial)
    sections: list[Section] = []
    known: list[Values] = []
    for number, columns in enumerate(inputs, 1):
        values: Values = dict(model.weights)
        values.update(zip(model.step.entering, states, strict=True))
        rows = _given_rows(model.write, values, model.step.inputs, columns, number)
        rows += _worked_rows(model.write, values, model.lines, model.step.shapes, number)
        target = model.target_at(number)
        if target is not None:
            assert model.readout is not None
            rows += _worked_rows(model.write, values, model.readout.lines[:1], {}, number)
            rows += _given_rows(model.write, values, [model.readout.target], [target], number)
            rows += _worked_rows(model.write, values, model.readout.lines[1:], {}, number)
        states = [values[symbol] for symbol in model.step.leaving]
        sections.append(Section(f"Step {number}", number, tuple(rows)))
        known.append(values)
    return tuple(sections), known


def _given_rows(
    write: RowWriter, values: Values, symbols: Sequence[Symbol], columns: Sequence[np.ndarray], number: int
) -> list[Row]:
    rows = []
    for symbol, column in zip(symbols, columns, strict=True):
        values[symbol] = given(column)
        rows.append(write.of_value(symbol, values[symbol], number))
    return rows


def _worked_rows(
    write: RowWriter, values: Values, lines: Sequence[Line], shapes: Mapping[Symbol, Shape], number: int
) -> list[Row]:
    rows = []
    for line in lines:
        values[line.target] = work_out(line.term, values, shapes.get(line.target, line.term.shape))
        rows.append(write.of_line(line, values[line.target], number))
    return rows


def loss_section(model: Model, known: Sequence[Values]) -> tuple[Section, Value]:
    """Return the section of the sum of the losses of all steps, and the sum.

    Raises:
        ArgumentError: When a loss is not finite.
    """
    readout = model.readout
    assert readout is not None
    numbered = [(number, values[readout.loss]) for number, values in enumerate(known, 1) if readout.loss in values]
    for number, value in numbered:
        if not np.isfinite(value.number).all():
            raise ArgumentError(
                f"{WHO} expected inputs and weights of which every output is a finite number, and no target has the "
                f"probability 0, got a loss of {value.number.item()} in step {number}",
                hint="smaller inputs or weights (init) help",
            )
    total = numbered[0][1]
    for _, value in numbered[1:]:
        total = total + value
    row = _row_of_sum(model.write, readout.total, readout.loss, total, [number for number, _ in numbered])
    return Section("Loss of the sequence", None, (row,)), total


def _row_of_sum(write: RowWriter, total: Symbol, part: Symbol, value: Value, numbers: Sequence[int]) -> Row:
    """Return the row of a sum over steps: L = L₁ + L₂."""
    parts = [write.of_value(part, value, number) for number in numbers]
    whole = write.of_value(total, value, None)
    return Row(
        symbol=whole.symbol,
        symbol_latex=whole.symbol_latex,
        equation=f"{whole.symbol} = {' + '.join(row.symbol for row in parts)}",
        equation_latex=f"{whole.symbol_latex} = {' + '.join(row.symbol_latex for row in parts)}",
        value=value,
        exact=whole.exact,
        exact_latex=whole.exact_latex,
    )
