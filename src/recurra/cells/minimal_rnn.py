"""The recurrence whose input is mapped to the state's space first."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("minimal-rnn")
class MinimalRNNCell(Cell):
    """Minimal recurrence: x is mapped to z, and one gate blends the state with z.

        z = tanh(W_xz x + b_xz)
        u = sigmoid(W_hu h + b_hu + W_zu z)
        h = u * h + (1 - u) * z

    The gate sees the z of its own step. u near 1 carries far: ``gate_biases={"u": 3.0}``.
    Orthogonal weights, the start here, are what a later analysis of the cell advises.
    """

    states = ("h",)
    gates = ("z", "u")
    input_gates = ("z",)
    state_gates = ("u",)
    biases = ("bias_ih", "bias_hh")
    candidates = ("z",)
    source = "chen2017minimalrnn"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    weight_zu: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_zu": (self.hidden_size, self.hidden_size)}

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xz,) = self.from_input(x)
        (hu,) = self.from_state(h)
        z = torch.tanh(xz)
        u = torch.sigmoid(hu + linear(z, self.weight_zu))
        h = u * h + (1 - u) * z
        return h
