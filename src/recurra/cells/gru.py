"""The gated recurrent unit."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.registry import register
from recurra.cells.torch_cell import TorchCell


@register("gru")
class GRUCell(TorchCell):
    """Gated recurrent unit with the reset gate after the product, as in torch.nn.GRU.

        r = sigmoid(W_xr x + b_xr + W_hr h + b_hr)
        z = sigmoid(W_xz x + b_xz + W_hz h + b_hz)
        n = tanh(W_xn x + b_xn + r * (W_hn h + b_hn))
        h = (1 - z) * n + z * h

    Differs from the source: there the reset gate scales h before the product, and nothing has a bias.
    """

    states = ("h",)
    gates = ("r", "z", "n")
    candidates = ("n",)
    source = "cho2014learning"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xr, xz, xn = self.from_input(x)
        hr, hz, hn = self.from_state(h)
        r = torch.sigmoid(xr + hr)
        z = torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (1 - z) * n + z * h
