"""FastRNN and FastGRNN: a plain recurrence with two learned numbers, and its gated form with shared weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.cells.bias import add_bias
from recurra.cells.cell import Cell
from recurra.cells.gates import Filler, constant, normal
from recurra.cells.registry import register


@register("fastrnn")
class FastRNNCell(Cell):
    """Plain recurrence with a weighted residual connection.

        n = tanh(W_xn x + b_xn + W_hn h)
        h = sigmoid(alpha) * n + sigmoid(beta) * h

    ``alpha`` and ``beta`` are one number each, and start at -3 and 3 in every initialisation: little is written at
    first, and most is kept.

    Published initialisation, as in the authors' code: weights N(0, 0.1^2), bias 1.
    """

    states = ("h",)
    gates = ("n",)
    candidates = ("n",)
    source = "kusupati2018fastgrnn"

    alpha: Tensor
    beta: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name."""
        return super().weight_shapes() | {"alpha": (1,), "beta": (1,)}

    def published(self) -> Mapping[str, Filler]:
        """Draw small weights."""
        return {"weight_ih": normal(0.1), "weight_hh": normal(0.1), "bias_ih": constant(1.0)}

    def starts(self) -> Mapping[str, Filler]:
        """Start so that most of h is kept."""
        return {"alpha": constant(-3.0), "beta": constant(3.0)}

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xn,) = self.from_input(x)
        (hn,) = self.from_state(h)
        n = torch.tanh(xn + hn)
        h = torch.sigmoid(self.alpha) * n + torch.sigmoid(self.beta) * h
        return h


@register("fastgrnn")
class FastGRNNCell(Cell):
    """Gated recurrence whose gate and candidate share their weights.

        a = W_xa x + W_ha h
        z = sigmoid(a + b_z)
        n = tanh(a + b_n)
        h = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * n + z * h

    ``zeta`` and ``nu`` are one number each, and start at 1 and -4 in every initialisation.

    Published initialisation, as in the authors' code: weights N(0, 0.1^2), both biases 1.

    Differs from the source: the weights are not of low rank, sparse or quantised.
    """

    states = ("h",)
    gates = ("z", "n")
    input_gates = ("a",)
    state_gates = ("a",)
    biases = ()
    candidates = ("n",)
    source = "kusupati2018fastgrnn"

    bias_z: Tensor | None
    bias_n: Tensor | None
    zeta: Tensor
    nu: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name."""
        width = (self.hidden_size,)
        return super().weight_shapes() | {"bias_z": width, "bias_n": width, "zeta": (1,), "nu": (1,)}

    def published(self) -> Mapping[str, Filler]:
        """Draw small weights."""
        one, small = constant(1.0), normal(0.1)
        return {"weight_ih": small, "weight_hh": small, "bias_z": one, "bias_n": one}

    def starts(self) -> Mapping[str, Filler]:
        """Start so that h is close to a mean of n and h."""
        return {"zeta": constant(1.0), "nu": constant(-4.0)}

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xa,) = self.from_input(x)
        (ha,) = self.from_state(h)
        a = xa + ha
        z = torch.sigmoid(add_bias(a, self.bias_z))
        n = torch.tanh(add_bias(a, self.bias_n))
        h = (torch.sigmoid(self.zeta) * (1 - z) + torch.sigmoid(self.nu)) * n + z * h
        return h
