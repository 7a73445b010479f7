"""The recurrence that gates through time and through depth."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.bare_input import bare_input, projection_shape
from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("intersection-rnn")
class IntersectionRNNCell(Cell):
    """Intersection recurrence (+RNN): one gate blends the state with its past, another the output with the input.

        yn = relu(W_xyn x + b_xyn + W_hyn h)
        hn = tanh(W_xhn x + b_xhn + W_hhn h)
        gy = sigmoid(W_xgy x + b_xgy + W_hgy h)
        gh = sigmoid(W_xgh x + b_xgh + W_hgh h)
        y = gy * (W_xy x) + (1 - gy) * yn
        h = gh * h + (1 - gh) * hn

    The output is y, the state is h. W_xy x is x itself where ``input_size`` is ``hidden_size``, and there is no
    ``weight_xy``.

    Differs from the source: there 1 is added to both gates' biases in every step, and here it is where they start; and
    in its code (TensorFlow's) an x of another width is projected once, so that the gates and yn and hn see the
    projection. Its start is not recorded here otherwise, so "published" is "orthogonal".
    """

    states = ("h",)
    gates = ("yn", "hn", "gy", "gh")
    candidates = ("hn",)
    source = "collins2017capacity"
    has_other_input = True
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    gate_biases = {"gy": 1.0, "gh": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell
    returns_output = True

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | projection_shape(self, "weight_xy")

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:  # x (B, I), h (B, H)
        """Return the output y and the next h, each (B, H)."""
        xyn, xhn, xgy, xgh = self.from_input(x)
        hyn, hhn, hgy, hgh = self.from_state(h)
        yn = torch.relu(xyn + hyn)
        hn = torch.tanh(xhn + hhn)
        gy = torch.sigmoid(xgy + hgy)
        gh = torch.sigmoid(xgh + hgh)
        y = gy * bare_input(self, x, "weight_xy") + (1 - gy) * yn
        h = gh * h + (1 - gh) * hn
        return y, h
