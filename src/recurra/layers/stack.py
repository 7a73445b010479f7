"""Cells over sequences in layers and directions: the one place for packing, dropout, directions and merging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import State
from recurra.cells.cell import map_tensors
from recurra.errors import ArgumentError, ShapeError
from recurra.layers.building import start_state
from recurra.layers.dropout import draw_mask
from recurra.layers.inputs import Sequences
from recurra.layers.states import LayerState, join_states, part_states
from recurra.loop import packed_index, unroll

MERGE_MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda ahead, back: torch.cat((ahead, back), -1),
    "sum": torch.add,
    "mean": lambda ahead, back: (ahead + back) / 2,
    "mul": torch.mul,
}
"""How the outputs (T, B, H) of two directions become one, by the names that Keras gives them."""


@dataclass(frozen=True)
class Stack:
    """The cells of a layer module, and how they are run.

    Attributes:
        who: Name of the module for messages.
        cells: For each layer the cell of each direction, one or two.
        dropout: Probability that an output between two layers is zeroed.
        dropout_mask: "step" draws that for every element, "sequence" once for all steps of a row.
        input_dropout: Probability that a unit of the first layer's input is zeroed for all steps of a row.
        is_training: Whether dropout acts.
        merge_mode: A key of ``MERGE_MODES``.
        projections: For each layer what its output goes through; empty where there is nothing.
        residual: Whether each layer but the first adds the output of the one below, before dropout.
        engine: As for ``unroll``.
        initial: For each cell its learned initial state, in its form, each tensor without a batch axis; ``None`` for a
            state, or in a state, where the cell has its own. Empty where nothing is learned.
        is_stacked: Whether the states of all cells are stacked, and not one entry a cell.
    """

    who: str
    cells: Sequence[Sequence[torch.nn.Module]]
    dropout: float = 0.0
    dropout_mask: str = "step"
    input_dropout: float = 0.0
    is_training: bool = False
    merge_mode: str = "concat"
    projections: Sequence[torch.nn.Module] = ()
    residual: bool = False
    engine: str = "auto"
    initial: Sequence[Any] = ()
    is_stacked: bool = True


def run_layer(
    stack: Stack,
    input: Sequences,
    state: LayerState,
    *,
    lengths: Any,
    reset: Any,
    batch_first: bool,
    extras: tuple[Any, ...] = (),
) -> tuple[Tensor | PackedSequence, LayerState]:
    """Run a stack over an input in any of the forms that torch's layers take.

    Args:
        stack: The cells.
        input: (T, B, I), or (B, T, I) if ``batch_first``; (T, I) for a single sequence; or a packed batch.
        state: Each (L*D, B, width), or (L*D, width) for a single sequence; where the stack says so, not stacked, but
            one entry a cell.
        lengths: (B,) integers, a single one for a single sequence; not for a packed batch, which has its own.
        reset: Bool, of the form of ``input`` without its last axis; (T, B) for a packed batch, rows in the order in
            which they were packed.
        extras: What every cell is given beside its input, in the form of ``input``; see :func:`part_input`.
        batch_first: Whether the first axis of a padded input, of its ``reset`` and of the output is the batch.

    Returns:
        The output in the form of the input, and the states in the form of ``state``.

    Raises:
        ShapeError: When an argument is of another shape or type.
        ArgumentError: When a packed batch comes with ``lengths``.
    """
    if isinstance(input, PackedSequence):
        return _run_packed(stack, input, state, lengths=lengths, reset=reset, extras=extras)
    if not isinstance(input, Tensor):
        raise ShapeError(f"{stack.who} expected input to be a tensor or a PackedSequence, got {type(input).__name__}")
    if input.dim() == 2:
        return _run_single(stack, input, state, lengths=lengths, reset=reset, extras=extras)
    if input.dim() != 3:
        raise ShapeError(
            f"{stack.who} expected input of shape {_axes(batch_first)} or (time, input_size), got {tuple(input.shape)}"
        )
    x = input.transpose(0, 1) if batch_first else input  # (T, B, I)
    if isinstance(reset, Tensor) and reset.shape != input.shape[:2]:
        raise ShapeError(
            f"{stack.who} expected reset of the first two axes of input, {tuple(input.shape[:2])}, "
            f"got {tuple(reset.shape)}"
        )
    if isinstance(reset, Tensor) and batch_first:
        reset = reset.transpose(0, 1)
    extras = tuple(extra.transpose(0, 1) if batch_first else extra for extra in extras)
    output, last = run_stack(stack, x, state, lengths=lengths, reset=reset, extras=extras)
    return output.transpose(0, 1) if batch_first else output, last


def run_stack(
    stack: Stack,
    x: Tensor,
    state: LayerState,
    *,
    lengths: Any = None,
    reset: Tensor | None = None,
    extras: tuple[Tensor, ...] = (),
) -> tuple[Tensor, LayerState]:
    """Run a stack over (T, B, I), with extras (T, B, ·) that every cell is given.

    Returns:
        The output (T, B, ·) of the last layer, and the last states, layer by layer and in it direction by direction.
    """
    num_directions = len(stack.cells[0])
    num_cells = len(stack.cells) * num_directions
    states = part_states(state, num_cells, is_stacked=stack.is_stacked)
    initial = stack.initial or [None] * num_cells
    last: list[State] = []
    for layer, cells in enumerate(stack.cells):
        below, x = x, _drop_input(stack, x, layer)
        outputs = []
        for direction, cell in enumerate(cells):
            place = layer * num_directions + direction
            output, left = unroll(
                cell,
                (x, *extras) if extras else x,
                states[place],
                lengths=lengths,
                reset=reset,
                reverse=direction == 1,
                engine=stack.engine,
                initial_state=start_state(cell, initial[place], x.shape[1]),
            )
            outputs.append(output)
            last.append(left)
        x = outputs[0] if num_directions == 1 else MERGE_MODES[stack.merge_mode](*outputs)
        if stack.projections:
            x = stack.projections[layer](x)
        if stack.residual and layer:
            x = x + below
    return x, join_states(last, is_stacked=stack.is_stacked)


def _drop_input(stack: Stack, x: Tensor, layer: int) -> Tensor:
    """Return a layer's input (T, B, ·) after dropout."""
    p = stack.dropout if layer else stack.input_dropout
    if not stack.is_training or p == 0:
        return x
    if layer and stack.dropout_mask == "step":
        return torch.nn.functional.dropout(x, p)
    return x * draw_mask(x, x.shape[-1], p)


def _run_single(
    stack: Stack, x: Tensor, state: LayerState, *, lengths: Any, reset: Any, extras: tuple[Tensor, ...]
) -> tuple[Tensor, LayerState]:
    if lengths is not None:
        if not isinstance(lengths, int) and not (isinstance(lengths, Tensor) and lengths.dim() == 0):
            raise ShapeError(f"{stack.who} expected lengths of a single sequence to be one integer, got {lengths!r}")
        lengths = torch.as_tensor(lengths).unsqueeze(0)
    if isinstance(reset, Tensor):
        if reset.shape != x.shape[:1]:
            raise ShapeError(
                f"{stack.who} expected reset of a single sequence of shape (time={x.shape[0]},), "
                f"got {tuple(reset.shape)}"
            )
        reset = reset.unsqueeze(1)
    batch_axis = 1 if stack.is_stacked else 0
    batched = None if state is None else map_tensors(state, lambda s: s.unsqueeze(batch_axis))
    extras = tuple(extra.unsqueeze(1) for extra in extras)
    output, last = run_stack(stack, x.unsqueeze(1), batched, lengths=lengths, reset=reset, extras=extras)
    return output.squeeze(1), map_tensors(last, lambda s: s.squeeze(batch_axis))


def _run_packed(
    stack: Stack,
    packed: PackedSequence,
    state: LayerState,
    *,
    lengths: Any,
    reset: Any,
    extras: tuple[PackedSequence, ...],
) -> tuple[PackedSequence, LayerState]:
    if lengths is not None:
        raise ArgumentError(f"{stack.who} expected no lengths with a PackedSequence, which has its own, got both")
    data, batch_sizes, sorted_indices, unsorted_indices = packed
    num_steps, batch_size = len(batch_sizes), int(batch_sizes[0])
    rows = torch.arange(batch_size) if sorted_indices is None else sorted_indices.cpu()
    index = packed_index(batch_sizes, rows, batch_size).to(data.device)
    x, *padded = (_pad(tensor, index, num_steps, batch_size) for tensor in (data, *(extra.data for extra in extras)))
    sorted_lengths = (batch_sizes.unsqueeze(1) > torch.arange(batch_size)).sum(0)
    own = torch.empty_like(sorted_lengths).index_copy(0, rows, sorted_lengths)
    output, last = run_stack(stack, x, state, lengths=own, reset=reset, extras=tuple(padded))
    kept = output.reshape(num_steps * batch_size, -1).index_select(0, index)
    return PackedSequence(kept, batch_sizes, sorted_indices, unsorted_indices), last


def _pad(data: Tensor, index: Tensor, num_steps: int, batch_size: int) -> Tensor:
    """Return packed steps as (T, B, ·), given the place of each in (T*B, ·)."""
    flat = data.new_zeros(num_steps * batch_size, *data.shape[1:]).index_copy(0, index, data)
    return flat.view(num_steps, batch_size, *data.shape[1:])


def _axes(batch_first: bool) -> str:
    return "(batch, time, input_size)" if batch_first else "(time, batch, input_size)"
