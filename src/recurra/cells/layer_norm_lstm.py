"""The long short-term memory with layer normalisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.gates import Filler
from recurra.cells.layer_norm import layer_norm
from recurra.cells.registry import register


@register("layer-norm-lstm")
class LayerNormLSTMCell(Cell):
    """Long short-term memory with layer normalisation of both products and of the cell's output.

        xi, xf, xg, xo = norm_ih(W_x x)
        hi, hf, hg, ho = norm_hh(W_h h)
        i = sigmoid(xi + hi + b_i)
        f = sigmoid(xf + hf + b_f)
        g = tanh(xg + hg + b_g)
        o = sigmoid(xo + ho + b_o)
        c = f * c + i * g
        h = o * tanh(norm_c(c))

    norm(v) = gain * (v - mean(v)) / sqrt(var(v) + 1e-5) + shift with the biased variance, the first two over all 4H
    rows together. Gains start at 1, shifts at 0. c is carried as it is, not normalised; the bias, ``bias_gates`` (4H,),
    is added once, after both norms. So a gate has three numbers that are added, two shifts and a bias, of which two are
    redundant; ``bias=False`` leaves the shifts.

    Differs from the source: the rows are in the order i, f, g, o, and the forget gate's bias starts at 1.
    """

    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    biases = ()
    candidates = ("g",)
    source = "ba2016layer"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    gate_biases = {"f": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell

    gain_ih: Tensor
    shift_ih: Tensor
    gain_hh: Tensor
    shift_hh: Tensor
    gain_c: Tensor
    shift_c: Tensor
    bias_gates: Tensor | None

    def row_names(self, name: str) -> tuple[str, ...]:
        """Name the row blocks of a parameter."""
        return self.gates if name == "bias_gates" else super().row_names(name)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        rows, size = (4 * self.hidden_size,), (self.hidden_size,)
        norms = dict.fromkeys(("gain_ih", "shift_ih", "gain_hh", "shift_hh"), rows)
        return super().weight_shapes() | norms | {"gain_c": size, "shift_c": size, "bias_gates": rows}

    def starts(self) -> Mapping[str, Filler]:
        """Start as the plain normalisation."""
        gains = dict.fromkeys(("gain_ih", "gain_hh", "gain_c"), torch.nn.init.ones_)
        return gains | dict.fromkeys(("shift_ih", "shift_hh", "shift_c"), torch.nn.init.zeros_)

    def from_bias(self) -> tuple[Tensor | float, ...]:
        """Return the bias of each gate, (H,), or 0."""
        return (0.0,) * 4 if self.bias_gates is None else self.row_blocks("bias_gates")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = layer_norm(self.from_input(x), self.gain_ih, self.shift_ih)
        hi, hf, hg, ho = layer_norm(self.from_state(h), self.gain_hh, self.shift_hh)
        bi, bf, bg, bo = self.from_bias()
        i = torch.sigmoid(xi + hi + bi)
        f = torch.sigmoid(xf + hf + bf)
        g = torch.tanh(xg + hg + bg)
        o = torch.sigmoid(xo + ho + bo)
        c = f * c + i * g
        (normalized,) = layer_norm((c,), self.gain_c, self.shift_c)
        h = o * torch.tanh(normalized)
        return h, c
