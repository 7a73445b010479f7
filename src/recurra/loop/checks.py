"""Checks of what a caller hands to the loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.cells import Cell
from recurra.errors import ShapeError

INTEGER_TYPES = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def check_cell(who: str, cell: Any) -> None:
    """Check that ``cell`` is a module.

    Raises:
        ShapeError: When it is not.
    """
    if not isinstance(cell, torch.nn.Module):
        raise ShapeError(f"{who} expected cell to be a torch.nn.Module, got {type(cell).__name__}")


def check_inputs(cell: torch.nn.Module, x: Any) -> tuple[Tensor, ...]:
    """Return the inputs as a tuple of (T, B, I) tensors.

    Raises:
        ShapeError: When one is no tensor, has not three axes, or differs from the first in time or batch, or when the
            first is not of the width that Recurra's or torch's cell has.
    """
    inputs = x if isinstance(x, tuple) else (x,)
    if not inputs:
        raise ShapeError("unroll expected x to be a tensor or a tuple of tensors, got an empty tuple")
    for k, tensor in enumerate(inputs):
        name = f"x[{k}]" if isinstance(x, tuple) else "x"
        if not isinstance(tensor, Tensor):
            raise ShapeError(f"unroll expected {name} to be a tensor, got {type(tensor).__name__}")
        if tensor.dim() != 3:
            hint = "a single sequence (T, I) needs a batch axis: x.unsqueeze(1)" if tensor.dim() == 2 else ""
            raise ShapeError(
                f"unroll expected {name} of shape (time, batch, input_size), got {tuple(tensor.shape)}", hint=hint
            )
        if tensor.shape[:2] != inputs[0].shape[:2]:
            raise ShapeError(
                f"unroll expected {name} to have the time and batch of x[0], {tuple(inputs[0].shape[:2])}, "
                f"got {tuple(tensor.shape)}"
            )
    # of other modules it is not known what their input_size, if they have one, counts
    if isinstance(cell, Cell | torch.nn.RNNCellBase) and inputs[0].shape[2] != cell.input_size:
        name = "x[0]" if isinstance(x, tuple) else "x"
        raise ShapeError(
            f"unroll expected {name} of shape (time, batch, input_size={cell.input_size}) for {type(cell).__name__}, "
            f"got {tuple(inputs[0].shape)}"
        )
    return inputs


def check_lengths(who: str, lengths: Tensor | Sequence[int], num_steps: int, batch_size: int) -> Tensor:
    """Return the lengths as an int64 tensor (B,) on the CPU.

    Raises:
        ShapeError: When they are no integers, not one a row, or not in 0 to ``num_steps``.
    """
    if not isinstance(lengths, Tensor):
        try:
            lengths = torch.as_tensor(lengths)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ShapeError(f"{who} expected lengths to be integers of shape (batch,), got {lengths!r}") from error
        lengths = lengths.long() if lengths.numel() == 0 else lengths
    if lengths.dtype not in INTEGER_TYPES:
        raise ShapeError(f"{who} expected lengths to be integers, got {lengths.dtype}")
    if lengths.shape != (batch_size,):
        raise ShapeError(f"{who} expected lengths of shape (batch={batch_size},), got {tuple(lengths.shape)}")
    lengths = lengths.to("cpu", torch.int64)
    if batch_size and (int(lengths.min()) < 0 or int(lengths.max()) > num_steps):
        raise ShapeError(
            f"{who} expected lengths in 0 to {num_steps}, the time of x, "
            f"got {int(lengths.min())} to {int(lengths.max())}"
        )
    return lengths


def check_reset(reset: Any, shape: tuple[int, int]) -> Tensor:
    """Return ``reset`` if it is a bool tensor of ``shape``.

    Raises:
        ShapeError: When it is not.
    """
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
        kind = reset.dtype if isinstance(reset, Tensor) else type(reset).__name__
        raise ShapeError(f"unroll expected reset to be a bool tensor, got {kind}")
    if tuple(reset.shape) != shape:
        raise ShapeError(f"unroll expected reset of shape (time, batch), here {shape}, got {tuple(reset.shape)}")
    return reset


def check_states(
    who: str, given: Any, widths: tuple[int, ...] | None, *, is_bare: bool | None, lead: tuple[int, ...]
) -> None:
    """Check a state from outside.

    Args:
        who: Name for the message, with the argument.
        given: The state.
        widths: Width of each state, ``None`` if it is not known.
        is_bare: Whether the state is a tensor, ``None`` if it is not known.
        lead: The sizes before the width.

    Raises:
        ShapeError: When the number of states, or the shape of one, is another.
    """
    if isinstance(given, Tensor):
        found, form = (given,), True
    elif isinstance(given, tuple | list) and given and all(isinstance(s, Tensor) for s in given):
        found, form = tuple(given), False
    else:
        raise ShapeError(f"{who} to be a tensor or a tuple of tensors, got {describe(given)}")
    if is_bare is not None and is_bare != form:
        raise ShapeError(f"{who} to be {'a tensor' if is_bare else 'a tuple of tensors'}, got {describe(given)}")
    if widths is not None and len(found) != len(widths):
        raise ShapeError(f"{who} to have {len(widths)} tensors, got {len(found)}")
    for k, tensor in enumerate(found):
        width = None if widths is None else widths[k]
        rows_fit = tensor.dim() > len(lead) and tuple(tensor.shape[: len(lead)]) == lead
        if not rows_fit or (width is not None and tuple(tensor.shape) != (*lead, width)):
            wanted = ", ".join(str(n) for n in (*lead, "width" if width is None else width))
            raise ShapeError(f"{who}{'' if form else f'[{k}]'} to be of shape ({wanted}), got {tuple(tensor.shape)}")


def describe(value: object) -> str:
    """Say in a few words what ``value`` is, for messages."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"{len(value)} {'value' if len(value) == 1 else 'values'}"
    return type(value).__name__
