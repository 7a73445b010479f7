"""The gated recurrent unit with layer normalisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.gates import Filler
from recurra.cells.layer_norm import layer_norm
from recurra.cells.registry import register


@register("layer-norm-gru")
class LayerNormGRUCell(Cell):
    """Gated recurrent unit with layer normalisation of all products, and the reset gate after the product.

        xr, xz = norm_ih(W_xr x, W_xz x)
        hr, hz = norm_hh(W_hr h, W_hz h)
        r = sigmoid(xr + hr)
        z = sigmoid(xz + hz)
        n = tanh(norm_xn(W_xn x) + r * norm_hn(W_hn h))
        h = (1 - z) * h + z * n

    norm(v) = gain * (v - mean(v)) / sqrt(var(v) + 1e-5) + shift with the biased variance, the first two over the 2H
    rows of both gates. Gains start at 1, shifts at 0; the shifts stand for biases: ``bias=False`` changes nothing.

    Read as: z writes, as in the paper; the authors' code has z and 1 - z the other way round, as torch.nn.GRU does.
    """

    states = ("h",)
    gates = ("r", "z", "n")
    biases = ()
    candidates = ("n",)
    source = "ba2016layer"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    gain_ih: Tensor
    shift_ih: Tensor
    gain_hh: Tensor
    shift_hh: Tensor
    gain_xn: Tensor
    shift_xn: Tensor
    gain_hn: Tensor
    shift_hn: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        of_gates = dict.fromkeys(("gain_ih", "shift_ih", "gain_hh", "shift_hh"), (2 * self.hidden_size,))
        of_content = dict.fromkeys(("gain_xn", "shift_xn", "gain_hn", "shift_hn"), (self.hidden_size,))
        return super().weight_shapes() | of_gates | of_content

    def starts(self) -> Mapping[str, Filler]:
        """Start as the plain normalisation."""
        gains = dict.fromkeys(("gain_ih", "gain_hh", "gain_xn", "gain_hn"), torch.nn.init.ones_)
        return gains | dict.fromkeys(("shift_ih", "shift_hh", "shift_xn", "shift_hn"), torch.nn.init.zeros_)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xr, xz, xn = self.from_input(x)
        hr, hz, hn = self.from_state(h)
        xr, xz = layer_norm((xr, xz), self.gain_ih, self.shift_ih)
        hr, hz = layer_norm((hr, hz), self.gain_hh, self.shift_hh)
        (xn,) = layer_norm((xn,), self.gain_xn, self.shift_xn)
        (hn,) = layer_norm((hn,), self.gain_hn, self.shift_hn)
        r = torch.sigmoid(xr + hr)
        z = torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (1 - z) * h + z * n
