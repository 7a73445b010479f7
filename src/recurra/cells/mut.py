"""The three cells that a search by mutation found."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.bare_input import bare_input, projection_shape
from recurra.cells.bias import add_bias
from recurra.cells.jozefowicz_cell import JozefowiczCell
from recurra.cells.registry import register


class MUTCell(JozefowiczCell):
    """What the three have in common: their state is a mean of its past and the candidate."""

    states = ("h",)
    gates = ("z", "r", "n")
    candidates = ("n",)
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell


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

    has_other_input = True
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

    has_other_input = True
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
