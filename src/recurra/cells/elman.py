"""The plain recurrence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recurra.cells.registry import register
from recurra.cells.torch_cell import TorchCell


@register("elman", "rnn")
class ElmanCell(TorchCell):
    """Plain recurrence, as in torch.nn.RNN.

        h = tanh(W_xh x + b_xh + W_hh h + b_hh)

    Differs from the source: there the units are logistic, and a step back in time is not differentiated.
    """

    states = ("h",)
    gates = ("h",)
    source = "elman1990finding"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        return torch.tanh(xh + hh)


@register("elman-relu")
class ElmanReLUCell(TorchCell):
    """Plain recurrence with rectified units, as in torch.nn.RNN with nonlinearity="relu".

        h = relu(W_xh x + b_xh + W_hh h + b_hh)

    The state has no bound: it grows without limit where the recurrent weights are large.

    Differs from the source: there the units are logistic, and a step back in time is not differentiated.
    """

    states = ("h",)
    gates = ("h",)
    source = "elman1990finding"
    state_range = {"h": (0.0, math.inf)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        return torch.relu(xh + hh)
