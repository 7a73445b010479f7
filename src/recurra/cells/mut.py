"""The three cells that a search by mutation found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.bare_input import bare_input, projection_shape
from recurra.cells.bias import add_bias
from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler, uniform
from recurra.cells.registry import register


class MUTCell(Cell):
    """What the three have in common: their initialisation, from U(-scale / sqrt(H), scale / sqrt(H)) throughout."""

    states = ("h",)
    gates = ("z", "r", "n")
    candidates = ("n",)
    source = "jozefowicz2015empirical"

    scale: float

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, scale: float = 1.0, **options: Any
    ) -> None:
        self.scale = check_number(type(self).__name__, "scale", scale, above=0.0)
        super().__init__(input_size, hidden_size, bias, **options)

    def published(self) -> Mapping[str, Filler]:
        """Draw every parameter from the same range, as the source does."""
        bound = self.scale / math.sqrt(self.hidden_size)
        return dict.fromkeys(self.weight_shapes(), uniform(-bound, bound))


@register("mut1")
class MUT1Cell(MUTCell):
    """First of three cells found by mutation: the update gate does not see h, the candidate sees x itself.

        z = sigmoid(W_xz x + b_xz)
        r = sigmoid(W_xr x + b_xr + W_hr h)
        n = tanh(W_hn (r * h) + tanh(W_xn x) + b_n)
        h = n * z + (1 - z) * h

    W_xn x is x itself where ``input_size`` is ``hidden_size``, and there is no ``weight_xn``.

    Differs from the source: there both sizes are always equal, as x is an embedding.

    Args:
        input_size: Width of x.
        hidden_size: Width H of h.
        bias: Whether there are biases.
        scale: Bound of the initial weights and biases under "published", in 1 / sqrt(hidden_size); the source tries
            0.3, 0.7, 1, 1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is not above 0.
    """

    input_gates = ("z", "r")
    state_gates = ("r", "n")

    bias_n: Tensor | None

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"bias_n": (self.hidden_size,)} | projection_shape(self, "weight_xn")

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xz, xr = self.from_input(x)
        xn = bare_input(self, x, "weight_xn")
        (hr,) = self.from_state(h, "r")
        z = torch.sigmoid(xz)
        r = torch.sigmoid(xr + hr)
        (hn,) = self.from_state(r * h, "n")
        n = torch.tanh(hn + add_bias(torch.tanh(xn), self.bias_n))
        h = n * z + (1 - z) * h
        return h


@register("mut2")
class MUT2Cell(MUTCell):
    """Second of three cells found by mutation: the reset gate sees x itself.

        z = sigmoid(W_xz x + b_xz + W_hz h)
        r = sigmoid(W_xr x + W_hr h + b_r)
        n = tanh(W_hn (r * h) + W_xn x + b_xn)
        h = n * z + (1 - z) * h

    W_xr x is x itself where ``input_size`` is ``hidden_size``, and there is no ``weight_xr``.

    Differs from the source: there both sizes are always equal, as x is an embedding.

    Args:
        input_size: Width of x.
        hidden_size: Width H of h.
        bias: Whether there are biases.
        scale: Bound of the initial weights and biases under "published", in 1 / sqrt(hidden_size); the source tries
            0.3, 0.7, 1, 1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is not above 0.
    """

    input_gates = ("z", "n")

    bias_r: Tensor | None

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"bias_r": (self.hidden_size,)} | projection_shape(self, "weight_xr")

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xz, xn = self.from_input(x)
        xr = bare_input(self, x, "weight_xr")
        hz, hr = self.from_state(h, "z", "r")
        z = torch.sigmoid(xz + hz)
        r = torch.sigmoid(add_bias(xr, self.bias_r) + hr)
        (hn,) = self.from_state(r * h, "n")
        n = torch.tanh(hn + xn)
        h = n * z + (1 - z) * h
        return h


@register("mut3")
class MUT3Cell(MUTCell):
    """Third of three cells found by mutation: the update gate sees tanh(h).

        z = sigmoid(W_xz x + b_xz + W_hz tanh(h))
        r = sigmoid(W_xr x + b_xr + W_hr h)
        n = tanh(W_hn (r * h) + W_xn x + b_xn)
        h = n * z + (1 - z) * h

    Args:
        input_size: Width of x.
        hidden_size: Width H of h.
        bias: Whether there are biases.
        scale: Bound of the initial weights and biases under "published", in 1 / sqrt(hidden_size); the source tries
            0.3, 0.7, 1, 1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is not above 0.
    """

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xz, xr, xn = self.from_input(x)
        (hz,) = self.from_state(torch.tanh(h), "z")
        (hr,) = self.from_state(h, "r")
        z = torch.sigmoid(xz + hz)
        r = torch.sigmoid(xr + hr)
        (hn,) = self.from_state(r * h, "n")
        n = torch.tanh(hn + xn)
        h = n * z + (1 - z) * h
        return h
