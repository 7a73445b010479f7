"""Backpropagation through time of a worked example, from the last step to the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recurra.inspection.equations.terms import Line, Shape, Symbol
from recurra.inspection.worked_example.example import Row, Section
from recurra.inspection.worked_example.first_states import FirstStates
from recurra.inspection.worked_example.forward_pass import Model
from recurra.inspection.worked_example.rows import RowWriter
from recurra.inspection.worked_example.symbols import Value, Values, given, work_out


@dataclass
class Backward:
    """What a backward pass found.

    Attributes:
        sections: One a step, the last step first.
        gradients: The sum over the steps of each weight's gradient, by the weight.
        num_steps: How many steps add to it.
        known: All that is known in each step, gradients included, the first step first.
    """

    sections: list[Section] = field(default_factory=list)
    gradients: dict[Symbol, Value] = field(default_factory=dict)
    num_steps: Counter[Symbol] = field(default_factory=Counter)
    known: list[Values] = field(default_factory=list)


def backward_pass(model: Model, lines: Sequence[Line], trained: Sequence[Symbol], known: Sequence[Values]) -> Backward:
    """Work out all gradients of the sum of the losses.

    Args:
        model: The equations.
        lines: The derivative of the cell's step.
        trained: The weights to which each step contributes.
        known: What the forward pass found in each step.

    Returns:
        Sections, sums and values.
    """
    found = Backward()
    future: dict[Symbol, Value] = {}
    for number in range(len(known), 0, -1):
        worker = _StepWorker(model, number, dict(known[number - 1]), frozenset(trained), found)
        worker.arrive(future, is_last=number == len(known))
        worker.work(lines)
        future = worker.leave()
        found.sections.append(Section(f"Step {number}", number, tuple(worker.rows)))
        found.known.insert(0, worker.values)
    for symbol in trained:
        # what no output depends on
        found.gradients.setdefault(symbol, _zeros(known[0][symbol].number.shape))
    return found


@dataclass
class _StepWorker:
    """One step of the backward pass."""

    model: Model
    number: int
    values: Values
    trained: frozenset[Symbol]
    found: Backward
    rows: list[Row] = field(default_factory=list)

    def arrive(self, future: Mapping[Symbol, Value], *, is_last: bool) -> None:
        """Note what comes from this step's loss and from the step after: for the states, and for the output."""
        step, readout = self.model.step, self.model.readout
        assert readout is not None
        has_target = self.model.target_at(self.number) is not None
        if has_target:
            self.work(readout.gradients)
        for symbol in dict.fromkeys((step.output, *step.leaving)):
            parts = []
            if symbol == step.output:
                parts.append(self._from_output(readout.arriving, has_target=has_target))
            if symbol in step.leaving:
                parts.append(self._from_future(symbol, future, is_last=is_last))
            gradient = symbol.gradient
            self.values[gradient] = parts[0] if len(parts) == 1 else parts[0] + parts[1]
            if len(parts) == 2:
                self.rows.append(
                    self.model.write.of_value(gradient, self.values[gradient], self.number, "the sum of both")
                )

    def _from_output(self, arriving: Line, *, has_target: bool) -> Value:
        note = "from the output"
        if not has_target:
            value = _zeros(self.values[self.model.step.output].number.shape)
            self.rows.append(
                self.model.write.of_value(arriving.target, value, self.number, f"{note}: this step has no target")
            )
            return value
        value = self._work_out(arriving)
        self.rows.append(self.model.write.of_line(arriving, value, self.number, note=note))
        return value

    def _from_future(self, symbol: Symbol, future: Mapping[Symbol, Value], *, is_last: bool) -> Value:
        value = _zeros(self.values[symbol].number.shape) if is_last else future[symbol]
        which = "no step follows" if is_last else f"step {self.number + 1}"
        gradient = symbol.gradient
        self.rows.append(self.model.write.of_value(gradient, value, self.number, f"from the future: {which}"))
        return value

    def work(self, lines: Sequence[Line]) -> None:
        """Work out lines; a sum for a weight is over steps, and every other one within the step."""
        for line in lines:
            value = self._work_out(line)
            weight = replace(line.target, is_gradient=False)
            if weight in self.trained:
                before = self.found.gradients.get(weight)
                self.found.gradients[weight] = value if before is None else before + value
                self.found.num_steps[weight] += 1
                self.rows.append(self.model.write.of_line(line, value, self.number, "adds"))
                continue
            if line.is_sum and line.target in self.values:
                value = self.values[line.target] + value
            self.values[line.target] = value
            self.rows.append(self.model.write.of_line(line, value, self.number, "becomes" if line.is_sum else "is"))

    def leave(self) -> dict[Symbol, Value]:
        """Return what the step before gets for each state that it left."""
        step = self.model.step
        return {
            leaving: self.values[entering.gradient]
            for entering, leaving in zip(step.entering, step.leaving, strict=True)
        }

    def _work_out(self, line: Line) -> Value:
        plain = replace(line.target, is_gradient=False)
        shape: Shape = line.term.shape
        if plain in self.values:
            rows, columns = self.values[plain].number.shape
            shape = (rows, columns)
        return work_out(line.term, self.values, shape)


def _zeros(shape: tuple[int, ...]) -> Value:
    return given(np.zeros(shape))


def add_first_states(found: Backward, start: FirstStates, entering: Sequence[Symbol]) -> None:
    """Add what parameters receive through the states before the first step that they make."""
    arriving = [found.known[0][symbol.gradient] for symbol in entering]
    for symbol, value in start.gradients(arriving).items():
        before = found.gradients.get(symbol)
        found.gradients[symbol] = value if before is None else before + value


def totals_section(write: RowWriter, found: Backward, start: FirstStates, read: Container[Symbol]) -> Section:
    """Return the gradient of every weight over all steps.

    Args:
        write: What writes rows.
        found: The backward pass.
        start: The states before the first step.
        read: The weights that steps read; the others only make the first states.
    """
    rows = []
    for weight, value in found.gradients.items():
        count = found.num_steps[weight]
        steps = f"the sum of {count} steps" if count > 1 else "of one step"
        note = steps if weight in read else "through the first states"
        if weight in read and weight in start.learned:
            note = f"{steps}, and through the first states"
        rows.append(write.of_value(weight.gradient, value, None, note))
    return Section("Gradients of the weights", None, tuple(rows))
