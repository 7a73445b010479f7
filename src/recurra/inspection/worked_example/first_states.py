"""The states before the first step of a worked example, and the parameters of which a cell makes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.cells.cell import map_tensors
from recurra.inspection.equations.naming import free_name, whole_name
from recurra.inspection.equations.step import Step, WeightBlock
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.equations.weight_blocks import as_matrix, block_of
from recurra.inspection.worked_example.symbols import Value, given
from recurra.loop.probing import as_tuple, find_initial_state


@dataclass(frozen=True, eq=False)
class FirstStates:
    """The states before the first step, for one row.

    Attributes:
        state: In the cell's form, each (1, width); what is learned of it leads autograd to the parameters.
        values: Each state as a column, in the order of the step's entering ones.
        learned: What of the parameters the states are made of, by its name in the equations.
        tensors: The parameters of the cell, by path.
    """

    state: Any
    values: tuple[Value, ...]
    learned: Mapping[Symbol, WeightBlock]
    tensors: Mapping[str, Tensor]

    def numbers(self) -> dict[Symbol, Value]:
        """Return the values of the parameters that the states are made of."""
        return {symbol: given(_matrix(self.tensors[block.path], block)) for symbol, block in self.learned.items()}

    def gradients(self, arriving: Sequence[Value]) -> dict[Symbol, Value]:
        """Return what the parameters receive through the states.

        Args:
            arriving: The derivative of the loss by each state.
        """
        if not self.learned:
            return {}
        pairs = [(s, value) for s, value in zip(as_tuple(self.state), arriving, strict=True) if s.requires_grad]
        paths = list(dict.fromkeys(block.path for block in self.learned.values()))
        found = torch.autograd.grad(
            [state for state, _ in pairs],
            [self.tensors[path] for path in paths],
            [torch.tensor(value.number).reshape(state.shape) for state, value in pairs],
            retain_graph=True,
        )
        by_path = dict(zip(paths, found, strict=True))
        return {
            symbol: _as_value(_matrix(by_path[block.path], block), arriving) for symbol, block in self.learned.items()
        }


def find_first_states(
    cell: torch.nn.Module, step: Step, inputs: Sequence[np.ndarray], taken: Collection[str]
) -> FirstStates:
    """Return the states before the first step.

    Args:
        cell: The cell, in float64.
        step: Its equations.
        inputs: The inputs of the first step as columns.
        taken: Names that others have.
    """
    rows = tuple(torch.tensor(column.T) for column in inputs)
    state = find_initial_state(cell, rows if len(rows) > 1 else rows[0])
    state = map_tensors(state, lambda tensor: tensor.double())
    tensors = dict(cell.named_parameters(remove_duplicate=False))
    learned: dict[Symbol, WeightBlock] = {}
    for path in _sources(cell, as_tuple(state)):
        known = [(symbol, block) for symbol, block in step.weights.items() if tensors.get(block.path) is tensors[path]]
        learned.update(known or [_new_name(path, tensors[path], {*taken, *(symbol.name for symbol in learned)})])
    values = tuple(given(as_matrix(tensor, row_axis=0)) for tensor in as_tuple(state))
    return FirstStates(state, values, learned, tensors)


def _sources(cell: torch.nn.Module, states: Sequence[Tensor]) -> Iterator[str]:
    """Yield the paths of the parameters that states are made of."""
    sums = [state.sum() for state in states if state.requires_grad]
    trained = {path: parameter for path, parameter in cell.named_parameters() if parameter.requires_grad}
    if not sums or not trained:
        return
    found = torch.autograd.grad(sums, list(trained.values()), allow_unused=True, retain_graph=True)
    yield from (path for path, gradient in zip(trained, found, strict=True) if gradient is not None)


def _new_name(path: str, parameter: Tensor, taken: set[str]) -> tuple[Symbol, WeightBlock]:
    name = free_name(whole_name(path, parameter.dim()), taken)
    rows = 0, parameter.shape[0] if parameter.dim() else 1
    return Symbol(name, kind="weight"), WeightBlock(path, tuple(parameter.shape), rows)


def _matrix(tensor: Tensor, block: WeightBlock) -> np.ndarray:
    part = block_of(tensor, block)
    return as_matrix(part.flatten(1) if part.dim() > 2 else part)


def _as_value(number: np.ndarray, arriving: Sequence[Value]) -> Value:
    """Return a gradient; exact as what arrived at a state, if a parameter is that state."""
    for value in arriving:
        if value.exact is not None and np.array_equal(value.number.ravel(), number.ravel()):
            return Value(number, value.exact.reshape(number.shape))
    return Value(number)
