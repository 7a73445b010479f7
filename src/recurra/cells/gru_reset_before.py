"""The gated recurrent unit as it was published."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("gru-reset-before")
class GRUResetBeforeCell(Cell):
    """Gated recurrent unit with the reset gate before the product.

        r = sigmoid(W_xr x + b_xr + W_hr h)
        z = sigmoid(W_xz x + b_xz + W_hz h)
        n = tanh(W_xn x + b_xn + W_hn (r * h))
        h = (1 - z) * n + z * h

    It equals ``GRUCell`` only where W_hn is diagonal. Others write z for 1 - z, which is the same cell with the sign of
    z's weights and bias turned; here z = 1 keeps h, so ``gate_biases={"z": 1.0}`` starts as one that remembers.

    Differs from the source: there nothing has a bias. The source's own start is not recorded here, so
    "published" is "orthogonal".
    """

    states = ("h",)
    gates = ("r", "z", "n")
    candidates = ("n",)
    source = "cho2014learning"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xr, xz, xn = self.from_input(x)
        hr, hz = self.from_state(h, "r", "z")
        r = torch.sigmoid(xr + hr)
        z = torch.sigmoid(xz + hz)
        (hn,) = self.from_state(r * h, "n")
        n = torch.tanh(xn + hn)
        h = (1 - z) * n + z * h
        return h
