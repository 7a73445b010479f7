"""The recurrence with an update gate."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("ugrnn")
class UGRNNCell(Cell):
    """Update-gate recurrence: one gate blends the old state with a plain recurrence's new one.

        g = sigmoid(W_xg x + b_xg + W_hg h)
        n = tanh(W_xn x + b_xn + W_hn h)
        h = g * h + (1 - g) * n

    Differs from the source: there 1 is added to g's bias in every step; here it is where that bias starts.
    The source's start is not recorded here otherwise, so "published" is "orthogonal".
    """

    states = ("h",)
    gates = ("g", "n")
    candidates = ("n",)
    source = "collins2017capacity"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    gate_biases = {"g": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xg, xn = self.from_input(x)
        hg, hn = self.from_state(h)
        g = torch.sigmoid(xg + hg)
        n = torch.tanh(xn + hn)
        h = g * h + (1 - g) * n
        return h
