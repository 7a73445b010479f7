"""The input itself as a part of a state or an output, for cells that add to it or blend with it."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import linear

from recurra.cells.cell import Cell


def projection_shape(cell: Cell, name: str) -> dict[str, tuple[int, ...]]:
    """Return the shape (H, I) of the projection ``name`` by its name; nothing where I is H, as x fits as it is."""
    return {} if cell.input_size == cell.hidden_size else {name: (cell.hidden_size, cell.input_size)}


def bare_input(cell: Cell, x: Tensor, name: str) -> Tensor:
    """Return x (B, I) where I is H, else its product with the projection ``name``: (B, H) both ways."""
    return x if cell.input_size == cell.hidden_size else linear(x, getattr(cell, name))
