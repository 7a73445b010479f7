"""The equations of a cell, forward and backward, held against the cell before anyone reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.inspection.equations.checking import Check, check_equations
from recurra.inspection.equations.derivative import differentiate
from recurra.inspection.equations.inlining import inline_products
from recurra.inspection.equations.preactivations import name_preactivations
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Line


@dataclass(frozen=True, eq=False)
class Explanation:
    """A cell with its equations.

    Attributes:
        name: What was asked for: a registered name, ``module:Class``, or the class's own.
        cell: The cell.
        step: Its step. ``step.lines`` are the equations to show.
        forward: The same with the arguments of activations named, as the backward equations need them.
        backward: The derivative: what arrives at states and outputs, traced back to inputs, states and weights.
        check: How far what is printed is from the cell and from autograd.
    """

    name: str
    cell: torch.nn.Module
    step: Step
    forward: tuple[Line, ...]
    backward: tuple[Line, ...]
    check: Check


def explain_cell(
    cell: torch.nn.Module,
    *,
    name: str = "",
    input_size: int | Sequence[int] | None = None,
    every_assignment: bool = False,
) -> Explanation:
    """Return the equations of a cell and of its derivative.

    What would be printed is parsed again, evaluated at random inputs in float64, and compared with the cell and with
    autograd.

    Args:
        cell: A cell, in the mode (training or evaluation) that is meant; see :func:`record_step`.
        name: What it is called; its class's name if left out.
        input_size: Width of its input, or of each of its inputs; its attribute ``input_size`` if left out.
        every_assignment: Whether each assignment of ``forward`` keeps its line; else products with weights stand
            inside the activations that need them.

    Raises:
        UnsupportedCellError: When an operation has no mathematical form, naming it and its line; or the equations do
            not give what the cell computes.
        ArgumentError: When no ``input_size`` is given and the cell has none.
    """
    step = record_step(cell, _input_of(input_size))
    if not every_assignment:
        step = replace(step, lines=inline_products(step.lines, frozenset([*step.leaving, step.output])))
    forward = name_preactivations(step.lines)
    trained = [symbol for symbol, block in step.weights.items() if block.is_parameter]
    results = tuple(dict.fromkeys([*step.leaving, step.output]))
    backward = differentiate(forward, results, [*step.inputs, *step.entering, *trained], step.shapes)
    check = check_equations(cell, step, forward, backward)
    if not check.is_good:
        raise UnsupportedCellError(
            f"{step.who} was expected to compute what its equations say, got a relative difference of "
            f"{max(check.forward, check.backward):.1e} in {check.worst}",
            hint="does it draw random numbers, keep something from one step to the next, or change its own gradient?",
        )
    return Explanation(name or step.who, cell, step, forward, backward, check)


def _input_of(input_size: int | Sequence[int] | None) -> Tensor | tuple[Tensor, ...] | None:
    if input_size is None:
        return None
    widths = (input_size,) if isinstance(input_size, int) else tuple(input_size)
    tensors = tuple(torch.zeros(2, width) for width in widths)
    return tensors if len(tensors) > 1 else tensors[0]
