"""The plain recurrence with layer normalisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.gates import Filler
from recurra.cells.layer_norm import layer_norm
from recurra.cells.registry import register


@register("layer-norm-rnn")
class LayerNormRNNCell(Cell):
    """Plain recurrence with one layer normalisation of the sum, before the tanh.

        h = tanh(norm(W_xh x + W_hh h))

    norm(v) = gain * (v - mean(v)) / sqrt(var(v) + 1e-5) + shift, with the biased variance over the H units;
    ``gain`` and ``shift`` are (H,) and start at 1 and 0. The shift stands for the bias: ``bias=False`` changes nothing.
    """

    states = ("h",)
    gates = ("h",)
    biases = ()
    source = "ba2016layer"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    gain: Tensor
    shift: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"gain": (self.hidden_size,), "shift": (self.hidden_size,)}

    def starts(self) -> Mapping[str, Filler]:
        """Start as the plain normalisation."""
        return {"gain": torch.nn.init.ones_, "shift": torch.nn.init.zeros_}

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        (normalized,) = layer_norm((xh + hh,), self.gain, self.shift)
        return torch.tanh(normalized)
