"""Holds printed equations against the cell they came from: parsed again, evaluated, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.inspection.equations.evaluation import run_lines
from recurra.inspection.equations.parsing import parse_line
from recurra.inspection.equations.plain import plain_line
from recurra.inspection.equations.private_copy import as_state, double_precision, private_copy, tensors_of
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Line, Symbol
from recurra.inspection.equations.weight_blocks import weight_values
from recurra.loop.probing import as_tuple, split_result

_NUM_ROWS = 3
_SEED = 1
_LEAST_SCALE = 1e-3
TOLERANCE = 1e-9, 1e-7
"""Largest difference forward and backward, relative to the largest number of a tensor, that is put down to rounding.

Some of torch's own derivatives have constants in float32 (hardsigmoid's 1/6)."""


@dataclass(frozen=True)
class Check:
    """How far printed equations are from the cell, over random inputs, states and gradients in float64.

    Attributes:
        forward: Largest difference of a state or an output, relative to the largest of its numbers.
        backward: Largest difference of a gradient, likewise.
        worst: What differs most.
    """

    forward: float
    backward: float
    worst: str

    @property
    def is_good(self) -> bool:
        """Whether the differences are those of rounding."""
        return self.forward <= TOLERANCE[0] and self.backward <= TOLERANCE[1]


def check_equations(
    cell: torch.nn.Module, step: Step, forward: Sequence[Line], backward: Sequence[Line] = (), *, seed: int = _SEED
) -> Check:
    """Print equations, parse what was printed, evaluate it, and compare with the cell and its autograd.

    Args:
        cell: The cell, in the mode (training or evaluation) in which it was recorded.
        step: Its step.
        forward: Lines that give all of ``step.leaving`` and ``step.output``.
        backward: Lines that give the gradients of inputs, entering states and parameters; may be left out.
        seed: Of the random numbers.
    """
    lines, derivative = [*map(_printed, forward)], [*map(_printed, backward)]
    checks = []
    with torch.random.fork_rng(devices=[]), double_precision():
        for low in (0.0, -1.0):  # a time, or a part of a period, is not negative; other things are
            torch.manual_seed(seed)
            checker = _Checker(private_copy(cell), step, low)
            if low == 0 or checker.is_finite():
                checks.append(checker.check(lines, derivative))
    return max(checks, key=lambda check: max(check.forward, check.backward))


def _printed(line: Line) -> Line:
    return parse_line(plain_line(line))


class _Checker:
    def __init__(self, cell: torch.nn.Module, step: Step, low: float) -> None:
        self.cell, self.step = cell, step
        self.tensors = tensors_of(cell)
        drawn = [
            torch.empty(_NUM_ROWS, step.shapes[symbol][0], dtype=torch.float64).uniform_(low, 1).requires_grad_()
            for symbol in (*step.inputs, *step.entering)
        ]
        self.inputs, self.states = drawn[: len(step.inputs)], drawn[len(step.inputs) :]
        before = _memory_of(cell)
        self._run()  # a cell that keeps something from one step to the next shows itself at the second
        self.results = self._run()
        after = _memory_of(cell)
        changed = [name for name, value in after.items() if before.get(name) != value]
        if changed:
            raise UnsupportedCellError(
                f"{step.who} was expected to compute the same at every step, got one that changes {', '.join(changed)}",
                hint="what a cell keeps from one step to the next is a state, and has equations as such",
            )
        self.incoming = {symbol: torch.randn_like(tensor) for symbol, tensor in self.results.items()}
        self.worst: tuple[float, str] = (0.0, "")

    def is_finite(self) -> bool:
        """Say whether the cell itself gives numbers here."""
        return all(bool(tensor.isfinite().all()) for tensor in self.results.values())

    def _run(self) -> dict[Symbol, Tensor]:
        # clones, since a cell may change in place what it is given
        inputs, states = ([tensor.clone() for tensor in given] for given in (self.inputs, self.states))
        x: Any = inputs[0] if len(inputs) == 1 else tuple(inputs)
        output, new_state = split_result(self.cell, self.cell(x, as_state(self.step.state_form, states)))
        found = dict(zip(self.step.leaving, as_tuple(new_state), strict=True))
        return {**found, **({} if self.step.output in found else {self.step.output: output})}

    def check(self, forward: list[Line], backward: list[Line]) -> Check:
        weights = weight_values(self.step, self.tensors)
        rows = [self._row(row, weights, forward, backward) for row in range(_NUM_ROWS)]
        of_results = max(
            self._difference(symbol, np.stack([_flat(row[symbol]) for row in rows]), tensor.detach().numpy())
            for symbol, tensor in self.results.items()
        )
        of_gradients = self._gradient_difference(rows) if backward else 0.0
        return Check(of_results, of_gradients, self.worst[1])

    def _row(
        self, row: int, weights: dict[Symbol, np.ndarray], forward: list[Line], backward: list[Line]
    ) -> dict[Symbol, np.ndarray]:
        given = zip((*self.step.inputs, *self.step.entering), (*self.inputs, *self.states), strict=True)
        values = {**weights, **{symbol: _column(tensor, row) for symbol, tensor in given}}
        values = {**values, **run_lines(forward, values)}
        values |= {symbol.gradient: _column(tensor, row) for symbol, tensor in self.incoming.items()}
        return {**values, **run_lines(backward, values)}

    def _gradient_difference(self, rows: list[dict[Symbol, np.ndarray]]) -> float:
        tensors = [*self.inputs, *self.states, *(p for p in self.tensors.values() if p.requires_grad)]
        results = [tensor for tensor in self.results.values() if tensor.requires_grad]
        incoming = [self.incoming[symbol] for symbol, tensor in self.results.items() if tensor.requires_grad]
        try:
            found = torch.autograd.grad(results, tensors, incoming, allow_unused=True)
        except RuntimeError as error:
            raise UnsupportedCellError(
                f"{self.step.who} was expected to be differentiated by torch, got {type(error).__name__}: {error}"
            ) from error
        known = {id(tensor): grad for tensor, grad in zip(tensors, found, strict=True)}
        differences = [0.0]
        for symbol, tensor in zip((*self.step.inputs, *self.step.entering), tensors, strict=False):
            ours = [row.get(symbol.gradient) for row in rows]
            zero = np.zeros(tensor.shape[1])
            stacked = np.stack([zero if one is None else np.broadcast_to(_flat(one), zero.shape) for one in ours])
            grad = known[id(tensor)]
            theirs = np.zeros(tensor.shape) if grad is None else grad.numpy()
            differences.append(self._difference(symbol.gradient, stacked, theirs))
        for symbol, block in self.step.weights.items():
            if block.is_parameter:
                of_weight = known.get(id(self.tensors[block.path]))
                shape = self.step.shapes[symbol]
                ours_sum = sum((row.get(symbol.gradient, np.zeros(shape)) for row in rows), np.zeros(shape))
                theirs = np.zeros(block.shape) if of_weight is None else of_weight.numpy()
                part = theirs.reshape(block.shape or (1,))[slice(*block.rows)].reshape(shape)
                differences.append(self._difference(symbol.gradient, ours_sum, part))
        return max(differences)

    def _difference(self, symbol: Symbol, ours: np.ndarray, theirs: np.ndarray) -> float:
        # what is 0 but for rounding has no digits to compare
        scale = max(float(np.abs(theirs).max(initial=0.0)), _LEAST_SCALE)
        found = float(np.abs(ours - theirs).max(initial=0.0)) / scale
        found = found if np.isfinite(found) else float("inf")
        if found >= self.worst[0]:
            self.worst = (found, ("δ" if symbol.is_gradient else "") + symbol.name)
        return found


def _memory_of(cell: torch.nn.Module) -> dict[str, Any]:
    """Return what a step might change: buffers, and plain values that modules hold."""
    found: dict[str, Any] = {path: buffer.detach().clone().tolist() for path, buffer in cell.named_buffers()}
    for path, module in cell.named_modules():
        plain = {name: value for name, value in vars(module).items() if isinstance(value, bool | int | float | str)}
        found |= {f"{path}.{name}".lstrip("."): value for name, value in plain.items()}
    return found


def _column(tensor: Tensor, row: int) -> np.ndarray:
    found: np.ndarray = tensor.detach().numpy()[row].reshape(-1, 1)
    return found


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1)
