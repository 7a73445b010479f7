"""Building the cells of a layer, with errors that say what is no cell, and what is no width."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from recurra.cells import State
from recurra.cells.checks import check_size
from recurra.errors import ArgumentError, RecurraError, UnsupportedCellError
from recurra.layers.wrapping import memories_of
from recurra.loop import Layout, find_layout
from recurra.loop.probing import as_tuple


def build_cell(
    cell_class: type[torch.nn.Module], input_size: int, hidden_size: int, options: dict[str, Any]
) -> torch.nn.Module:
    """Build a cell that can be called as one.

    Raises:
        UnsupportedCellError: When its class is not built, or it is not called, as cells are.
    """
    try:
        cell = cell_class(input_size, hidden_size, **options)
    except RecurraError:
        raise
    except TypeError as error:
        arguments = ", ".join(("input_size", "hidden_size", *(f"{name}=..." for name in options)))
        raise UnsupportedCellError(
            f"Recurrent expected {cell_class.__name__} to be a cell that is built from ({arguments}), got: {error}"
        ) from error
    try:
        inspect.signature(cell.forward).bind(None, None)
    except TypeError as error:
        raise UnsupportedCellError(
            f"Recurrent expected {cell_class.__name__} to be a cell that is called with (x, state), got: {error}",
            hint="a cell's forward takes the input of one step and the state before it, and returns the new state",
        ) from error
    return cell


def layout_of(cell: torch.nn.Module, input_size: int) -> Layout:
    """Return the widths of a cell's output and states.

    Raises:
        UnsupportedCellError: When it returns something else than a state.
    """
    try:
        return find_layout(cell, input_size)
    except (AttributeError, TypeError) as error:
        if isinstance(error, RecurraError):
            raise
        # what a call returned has no widths: it is neither a tensor nor a tuple of tensors
        raise UnsupportedCellError(
            f"Recurrent expected {type(cell).__name__} to be a cell that returns its new state, a tensor or a tuple of "
            f"tensors, got something else from one call ({error})",
            hint="layers over whole sequences, such as torch.nn.LSTM, are no cells; torch.nn.LSTMCell is one",
        ) from error


def check_hidden_sizes(hidden_size: int | Sequence[int], num_layers: int) -> tuple[int, ...]:
    """Return the hidden size of each layer, given one for all or one a layer.

    Raises:
        ArgumentError: When a size is no integer of at least one, or their number is not that of the layers.
    """
    if not isinstance(hidden_size, tuple | list):
        return (check_size("Recurrent", "hidden_size", hidden_size),) * num_layers
    sizes = tuple(check_size("Recurrent", f"hidden_size[{k}]", size) for k, size in enumerate(hidden_size))
    if len(sizes) != num_layers:
        raise ArgumentError(
            f"Recurrent expected hidden_size to be one integer, or one for each of {num_layers} layers, got {sizes}"
        )
    return sizes


def initial_values(cell: torch.nn.Module, layout: Layout) -> tuple[torch.Tensor | None, ...]:
    """Return what learned initial states start from, (width,) each: the cell's own initial state, or zeros.

    ``None`` stands for a state that stays the cell's own: one that is no memory, or that the cell learns by itself.
    """
    own = getattr(cell, "initial_state", None)
    if not callable(own):
        like = next(cell.parameters(), torch.empty(0))
        return tuple(like.detach().new_zeros(width) for width in layout.widths)
    with torch.enable_grad():  # what the cell learns shows in the gradient
        states: tuple[torch.Tensor | None, ...] = as_tuple(own(1))
    memories = memories_of(cell)
    if memories is not None:
        names: Any = cell.states
        states = tuple(tensor if name in memories else None for name, tensor in zip(names, states, strict=True))
    return tuple(None if tensor is None or tensor.requires_grad else tensor.detach()[0] for tensor in states)


def start_state(cell: torch.nn.Module, learned: Any, batch_size: int) -> State | None:
    """Return the state that a cell starts from, each (batch_size, width); ``None`` is the cell's own.

    Args:
        cell: The cell.
        learned: Its learned initial state in its form, (width,) each; ``None`` in a place, or for all, is the cell's
            own.
        batch_size: Number of rows.
    """
    if learned is None or isinstance(learned, torch.Tensor):
        return None if learned is None else learned.expand(batch_size, -1)
    if all(tensor is None for tensor in learned):
        return None
    own: Any = learned
    if any(tensor is None for tensor in learned):
        find_own: Any = cell.initial_state
        own = as_tuple(find_own(batch_size))
    return tuple(
        other if tensor is None else tensor.expand(batch_size, -1) for tensor, other in zip(learned, own, strict=True)
    )
