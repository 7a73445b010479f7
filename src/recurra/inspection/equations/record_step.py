"""From a cell to the equations of its step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.errors import ArgumentError, RecurraError, UnsupportedCellError
from recurra.inspection.contract import CONTRACT, RETURNS, assumes_state
from recurra.inspection.equations.assembling import assemble
from recurra.inspection.equations.private_copy import as_state, double_precision, private_copy, tensors_of
from recurra.inspection.equations.recording import record
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.watching import place_of_error, run_watched
from recurra.loop.probing import as_tuple, find_initial_state

_SEED = 0
_ASSUMED = (
    "the class tells no first state, so one tensor of the hidden size was assumed; for (h, c), give it a method "
    "initial_state(batch_size) that returns two"
)


def record_step(cell: torch.nn.Module, x: Tensor | tuple[Tensor, ...] | None = None, state: Any = None) -> Step:
    """Return the equations of a cell's step, as its ``forward`` computes them.

    The cell is run once, as a copy in float64 and in the mode (training or evaluation) that it is in. Each tensor that
    ``forward`` gives a name is a line; so is what it computes without a name and needs more than once. A new state is
    called as the old one, without words such as prev; further arguments of ``forward`` stay at their defaults.

    Args:
        cell: A cell: any module whose ``forward(x, state)`` returns the new state.
        x: The input of a step (B, ·), or a tuple of such tensors; only widths matter. Left out, it is the
            ``input_size`` of the cell.
        state: The state, in the cell's form, (B, ·) each; only widths matter. Left out, the cell is asked.

    Raises:
        UnsupportedCellError: When an operation has no mathematical form, naming it and its line, or the cell cannot be
            run for one step.
        ArgumentError: When ``x`` is left out and the cell has no ``input_size``.
    """
    private = private_copy(cell)
    inputs = _input_of(cell, x)
    with torch.random.fork_rng(devices=[]), double_precision():
        torch.manual_seed(_SEED)
        start = _state_of(private, inputs) if state is None else state
        widths = [tensor.shape[-1] for tensor in (*as_tuple(inputs), *as_tuple(start))]
        sizes = [size for tensor in tensors_of(private).values() for size in tensor.shape]
        sizes = [size for tensor in tensors_of(private).values() for size in tensor.shape]
        num_rows = _prime_above(2 * max([*widths, *sizes]))
        drawn = [torch.rand(num_rows, width, dtype=torch.float64) for width in widths]
        return _recorded(private, drawn[: len(as_tuple(inputs))], drawn[len(as_tuple(inputs)) :], inputs, type(start))


def _recorded(
    private: torch.nn.Module, inputs: list[Tensor], states: list[Tensor], like: Any, state_form: type
) -> Step:
    given = tensors_of(private)
    x = inputs[0] if isinstance(like, Tensor) else tuple(inputs)
    try:
        recording = record(private, x, as_state(state_form, states), given)
        return assemble(private, recording, tuple(inputs), tuple(states), given, state_form)
    except RecurraError as error:
        if assumes_state(private):
            raise UnsupportedCellError(error.message, hint=_ASSUMED) from error
        raise
    except RecursionError as error:
        raise UnsupportedCellError(
            f"{type(private).__name__} was expected to have lines of a length that can be read, got one of hundreds of "
            "operations",
            hint="give what is computed on the way names in forward",
        ) from error
    except Exception as error:  # a cell may fail in any way
        place = place_of_error(error)
        raise UnsupportedCellError(
            f"{type(private).__name__} was expected to run for one step, got {type(error).__name__}: {error}"
            + (f" at {place}" if place else ""),
            hint=CONTRACT,
        ) from error


def _input_of(cell: torch.nn.Module, x: Any) -> Any:
    if x is not None:
        return x
    size = getattr(cell, "input_size", None)
    if not isinstance(size, int):
        raise ArgumentError(
            f"record_step expected {type(cell).__name__} to have an input_size, got none",
            hint="pass x, the input of one step",
        )
    return torch.zeros(2, size, dtype=torch.float64)


def _state_of(private: torch.nn.Module, inputs: Any) -> Any:
    doubled = inputs.double() if isinstance(inputs, Tensor) else tuple(tensor.double() for tensor in inputs)
    try:
        return run_watched(find_initial_state, private, doubled)
    except RecurraError as error:
        raise UnsupportedCellError(error.message, hint=RETURNS) from error
    except Exception as error:  # a cell may fail in any way
        place = place_of_error(error)
        raise UnsupportedCellError(
            f"{type(private).__name__} was expected to run from the state that it returned, "
            f"got {type(error).__name__}: {error}" + (f" at {place}" if place else ""),
            hint=RETURNS,
        ) from error


def _prime_above(number: int) -> int:
    candidate = number + 1
    while any(candidate % divisor == 0 for divisor in range(2, int(candidate**0.5) + 1)):
        candidate += 1
    return candidate
