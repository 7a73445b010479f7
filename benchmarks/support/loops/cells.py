"""Cells to measure: a user's own, and those of torchrecurrent."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError, ShapeError, UnsupportedCellError
from recurra.loop import unroll

NEEDS_TORCHRECURRENT = "torchrecurrent is not installed: pip install --no-deps torchrecurrent==0.2.5"
_FAILURES = (ArgumentError, ShapeError, UnsupportedCellError)


class CoupledCell(nn.Module):
    """A user's cell of ten lines: an LSTM that writes as much as it forgets. Four transcendental functions a unit."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.from_x = nn.Linear(input_size, 3 * hidden_size)
        self.from_h = nn.Linear(hidden_size, 3 * hidden_size, bias=False)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        f, o, g = (self.from_x(x) + self.from_h(h)).chunk(3, -1)
        keep = torch.sigmoid(f)
        c = keep * c + (1 - keep) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Delayed(nn.Module):
    """tauGRU's step as its layer runs it: the state before the last is a state too."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell
        self.state_size = (int(cell.hidden_size),) * 2

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        zeros = next(self.parameters()).new_zeros(batch_size, self.state_size[0])
        return zeros, zeros

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, delayed = state
        next_h: Tensor = self.cell(x, h, delayed)
        return next_h, h


def has_torchrecurrent() -> bool:
    """Return whether the package is there."""
    return find_spec("torchrecurrent") is not None


def torchrecurrent_names() -> list[str]:
    """Return the classes of its cells."""
    torchrecurrent = import_module("torchrecurrent")
    return sorted(name for name in torchrecurrent.__all__ if name.endswith("Cell"))


def torchrecurrent_pair(name: str, input_size: int, hidden_size: int) -> tuple[nn.Module, nn.Module]:
    """Return a layer of the package, and its only cell as Recurra takes it: the same weights in both."""
    torchrecurrent = import_module("torchrecurrent")
    torch.manual_seed(0)
    layer = getattr(torchrecurrent, name.removesuffix("Cell"))(input_size, hidden_size)
    cell = layer.cells[0]
    if any("Decoupled" in base.__name__ for base in type(cell).__mro__):
        cell.returns_output = True
    return layer, Delayed(cell) if name == "tauGRUCell" else cell


def why_not_a_cell(cell: nn.Module, input_size: int) -> str:
    """Return why a module is no cell, in a line; empty if it takes (x, state)."""
    try:
        with torch.no_grad():
            unroll(cell, torch.zeros(1, 2, input_size), engine="eager")
    except _FAILURES as error:
        return error.message
    return ""
