"""The recurrence of rectified units that starts as the identity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler, normal
from recurra.cells.registry import register


@register("irnn")
class IRNNCell(Cell):
    """Plain recurrence of rectified units whose recurrent weights start as a multiple of the identity.

        h = relu(W_xh x + b_h + W_hh h)

    The published start is the whole of the method: W_hh is ``scale`` times the identity, W_xh is drawn from
    N(0, 0.001^2), and b_h is 0. Without input the first states then last, or decay by ``scale`` a step.
    The state has no bound: gradients need clipping, and the learning rate a search.

    Args:
        input_size: Width of x.
        hidden_size: Width of h.
        bias: Whether there is a bias.
        scale: Multiple of the identity, above 0; the source takes 1, and 0.01 where memory should be short.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is no number above 0.
    """

    states = ("h",)
    gates = ("h",)
    source = "le2015simple"
    state_range = {"h": (0.0, math.inf)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, scale: float = 1.0, **options: Any
    ) -> None:
        self.scale = check_number(type(self).__name__, "scale", scale, above=0)
        super().__init__(input_size, hidden_size, bias, **options)

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts the weights."""
        return {"weight_ih": normal(0.001), "weight_hh": self._fill_identity}

    def _fill_identity(self, block: Tensor) -> None:
        torch.nn.init.eye_(block).mul_(self.scale)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        h = torch.relu(xh + hh)
        return h
