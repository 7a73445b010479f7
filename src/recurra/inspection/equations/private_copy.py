"""A copy of a cell to run and to change, in float64."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError


def private_copy(cell: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a cell in float64, whose parameters all have gradients.

    A buffer keeps the decimals that it was written with: 0.05 in float32 is 0.05 in the copy, and not
    0.05000000074505806.

    Raises:
        UnsupportedCellError: When the cell cannot be copied.
    """
    try:
        found = copy.deepcopy(cell)
    except Exception as error:  # what a module holds may refuse in any way
        raise UnsupportedCellError(
            f"{type(cell).__name__} was expected to be a module that can be copied, got {type(error).__name__}: {error}"
        ) from error
    decimals = {path: _decimals(buffer) for path, buffer in found.named_buffers() if buffer.dtype == torch.float32}
    found = found.double()
    buffers = dict(found.named_buffers())
    with torch.no_grad():
        for path, values in decimals.items():
            buffers[path].copy_(torch.from_numpy(values))
    for parameter in found.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return found


@contextmanager
def double_precision() -> Iterator[None]:
    """Let tensors that a step makes without saying of what type be of float64, as its copy is."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _decimals(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy().astype(str).astype(np.float64)
    return array


def tensors_of(cell: torch.nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by path."""
    return {**dict(cell.named_parameters()), **dict(cell.named_buffers())}


def as_state(form: type, tensors: Sequence[Tensor]) -> Any:
    """Return states in the form that the cell takes: a tensor, a tuple, a list or a named tuple."""
    if issubclass(form, Tensor):
        return tensors[0]
    make: Any = form
    return make(*tensors) if hasattr(form, "_fields") else make(tensors)
