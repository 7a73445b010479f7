"""The same sequence run by the cell itself, and differentiated by torch's autograd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.cells.cell import map_tensors
from recurra.errors import UnsupportedCellError
from recurra.inspection.equations.plain import plain_symbol
from recurra.inspection.equations.step import WeightBlock
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.equations.weight_blocks import block_of
from recurra.inspection.worked_example.backward_pass import Backward
from recurra.inspection.worked_example.example import Check
from recurra.inspection.worked_example.first_states import FirstStates
from recurra.inspection.worked_example.forward_pass import Model
from recurra.inspection.worked_example.rows import plain_at
from recurra.inspection.worked_example.symbols import Value, Values
from recurra.loop.probing import as_tuple, split_result

_TOLERANCE = 1e-9
"""What float64 loses in a few steps, relative to the largest number compared."""
Pair = tuple[str, np.ndarray, Tensor | None]


def check_example(
    model: Model,
    cell: torch.nn.Module,
    inputs: Sequence[Sequence[np.ndarray]],
    start: FirstStates,
    known: Sequence[Values],
    backward: Backward | None,
) -> Check:
    """Compare an example with the cell.

    Args:
        model: The example's equations.
        cell: The cell, in float64.
        inputs: The inputs of every step as columns.
        start: The states before the first step.
        known: What the example found in each step.
        backward: The gradients that it found; ``None`` without targets.

    Raises:
        UnsupportedCellError: When they disagree, naming the quantity that is farthest off.
    """
    run = _Run(model, cell, inputs, start)
    forward = list(run.forward_pairs(known))
    gradients = []
    if backward is not None:
        torch.autograd.backward(run.loss)
        gradients = list(run.backward_pairs(backward))
    who = model.step.who
    return Check(
        forward=_largest_difference(who, forward),
        backward=_largest_difference(who, gradients),
        num_forward=sum(found.size for _, found, _ in forward),
        num_backward=sum(found.size for _, found, _ in gradients),
    )


class _Run:
    """A cell run over the sequence, with gradients to all that has one."""

    def __init__(
        self, model: Model, cell: torch.nn.Module, inputs: Sequence[Sequence[np.ndarray]], start: FirstStates
    ) -> None:
        self.model, self.cell, self.start = model, cell, start
        self.weights = _readout_weights(model)
        self.inputs = [tuple(_row(column).requires_grad_() for column in columns) for columns in inputs]
        self.initial = map_tensors(start.state, _with_gradient)
        self.outputs: list[Tensor] = []
        self.states: list[tuple[Tensor, ...]] = []
        self.losses: list[Tensor | None] = []
        state: Any = self.initial
        for number, columns in enumerate(self.inputs, 1):
            output, state = split_result(cell, cell(columns if len(columns) > 1 else columns[0], state))
            for tensor in (output, *as_tuple(state)):
                if tensor.requires_grad:
                    tensor.retain_grad()
            self.outputs.append(output)
            self.states.append(as_tuple(state))
            self.losses.append(self._loss(output, number))

    @property
    def loss(self) -> Tensor:
        """The sum of the losses of all steps."""
        return torch.stack([loss for loss in self.losses if loss is not None]).sum()

    def _loss(self, output: Tensor, number: int) -> Tensor | None:
        target, targets = self.model.target_at(number), self.model.targets
        if target is None or targets is None:
            return None
        weight, bias = self.weights
        y = torch.nn.functional.linear(output, weight, bias)
        if targets.loss == "squared-error":
            return torch.nn.functional.mse_loss(y, _row(target), reduction="sum") / 2
        return torch.nn.functional.cross_entropy(y, _row(target).argmax(1))

    def forward_pairs(self, known: Sequence[Values]) -> Iterator[Pair]:
        """Yield what is compared forward: its name, the example's numbers, torch's."""
        step, readout = self.model.step, self.model.readout
        for number, values in enumerate(known, 1):
            quantities = [(step.output, self.outputs[number - 1])]
            quantities += zip(step.leaving, self.states[number - 1], strict=True)
            loss = self.losses[number - 1]
            if readout is not None and loss is not None:
                quantities.append((readout.loss, loss))
            for symbol, tensor in quantities:
                yield _name(symbol, number), values[symbol].number, tensor

    def backward_pairs(self, backward: Backward) -> Iterator[Pair]:
        """Yield what is compared backward; torch has ``None`` where it found no dependence."""
        step, readout = self.model.step, self.model.readout
        assert readout is not None
        for symbol, value in backward.gradients.items():
            block = step.weights.get(symbol) or self.start.learned.get(symbol)
            if block is not None:
                yield _pair_of(symbol, value, None, self._weight_gradient(block))
        for symbol, tensor in zip((readout.weight, readout.bias), self.weights, strict=True):
            yield _pair_of(symbol, backward.gradients[symbol], None, tensor.grad)
        quantities = list(self._quantities())
        names: dict[int, set[tuple[Symbol, int]]] = {}
        for symbol, number, tensor in quantities:
            names.setdefault(id(tensor), set()).add((symbol, number))
        for symbol, number, tensor in quantities:
            gradient = backward.known[max(number, 1) - 1].get(symbol.gradient)
            # a tensor with two names has one gradient, where the equations part it
            if gradient is not None and tensor.requires_grad and len(names[id(tensor)]) == 1:
                yield _pair_of(symbol, gradient, max(number, 1), tensor.grad)

    def _quantities(self) -> Iterator[tuple[Symbol, int, Tensor]]:
        """Yield inputs and states with their symbols and steps; those before the first step are of step 0."""
        step = self.model.step
        for symbol, tensor in zip(step.entering, as_tuple(self.initial), strict=True):
            yield symbol, 0, tensor
        for number, (inputs, states) in enumerate(zip(self.inputs, self.states, strict=True), 1):
            for symbol, tensor in zip((*step.inputs, *step.leaving), (*inputs, *states), strict=True):
                yield symbol, number, tensor

    def _weight_gradient(self, block: WeightBlock) -> Tensor | None:
        gradient = self.cell.get_parameter(block.path).grad
        return None if gradient is None else block_of(gradient, block)


def _readout_weights(model: Model) -> tuple[Tensor, ...]:
    if model.readout is None:
        return ()
    weight, bias = (model.weights[symbol].number for symbol in (model.readout.weight, model.readout.bias))
    return torch.tensor(weight, requires_grad=True), torch.tensor(bias[:, 0], requires_grad=True)


def _with_gradient(state: Tensor) -> Tensor:
    """Return a first state that keeps its gradient, and passes it on where it is learned."""
    found = state.clone().requires_grad_()
    found.retain_grad()
    return found


def _row(column: np.ndarray) -> Tensor:
    """Return a column as a batch of one row."""
    return torch.tensor(column.T)


def _name(symbol: Symbol, number: int | None) -> str:
    return plain_at(plain_symbol(symbol), number)


def _pair_of(symbol: Symbol, value: Value, number: int | None, tensor: Tensor | None) -> Pair:
    return _name(symbol.gradient, number), value.number, tensor


def _largest_difference(who: str, pairs: Sequence[Pair]) -> float:
    """Return the largest absolute difference, once all are within what rounding explains."""
    largest = 0.0
    for name, found, tensor in pairs:
        wanted = np.zeros(found.size) if tensor is None else tensor.detach().numpy().reshape(-1)
        difference = float(np.abs(found.reshape(-1) - wanted).max(initial=0))
        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
        # what is no number is not within the tolerance either
        if not difference <= _TOLERANCE * scale:
            raise UnsupportedCellError(
                f"work_example expected the equations of {who} to give what the cell computes, "
                f"got a difference of {difference:.3g} in {name}",
                hint="a forward that decides in Python by the values it sees has other equations for other values",
            )
        largest = max(largest, difference)
    return largest
