"""The states of a layer's cells, in the form in which a caller has them.

Where the cells' states have the same widths each is one tensor (L*D, B, width); else there is one entry a cell.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from recurra.cells import State
from recurra.cells.cell import map_tensors

LayerState: TypeAlias = Any
"""A tensor or a tuple of them, each (L*D, B, width), cells stacked; or a tuple of one cell's state each."""


def part_states(state: LayerState, num_cells: int, *, is_stacked: bool) -> Sequence[State | None]:
    """Return the state of each cell; ``None`` for each where there is no state."""
    if state is None:
        return [None] * num_cells
    if not is_stacked:
        return list(state)
    return [map_tensors(state, operator.itemgetter(place)) for place in range(num_cells)]


def join_states(states: Sequence[State], *, is_stacked: bool) -> LayerState:
    """Return the states of all cells in the caller's form."""
    if not is_stacked:
        return tuple(states)
    if isinstance(states[0], Tensor):
        return torch.stack([state for state in states if isinstance(state, Tensor)])
    return tuple(torch.stack(column) for column in zip(*states, strict=True))
