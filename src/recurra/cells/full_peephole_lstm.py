"""The long short-term memory whose gates read the whole memory."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("full-peephole-lstm")
class FullPeepholeLSTMCell(Cell):
    """Long short-term memory whose gates see the memory through full matrices.

        i = sigmoid(W_xi x + b_i + W_hi h + W_ci c)
        f = sigmoid(W_xf x + b_f + W_hf h + W_cf c)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + W_co c)
        h = o * tanh(c)

    i and f read the old c, o the new one. ``weight_ch`` (3H, H) holds the row blocks of i, f and o.

    Differs from the source: there a unit's gates peek at that unit's memory only (see PeepholeLSTMCell). The form with
    full matrices is that of a lecture, which prints a sigmoid around the new c too; that is an error, since such a
    memory could neither turn negative nor pass its gradient on. The lecture gives no start, so "published" is
    "orthogonal", without a forget bias.
    """

    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    candidates = ("g",)
    recurrent_weights = ("weight_hh", "weight_ch")
    peepholes = ("i", "f", "o")
    source = "gers2000recurrent"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    weight_ch: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_ch": (self._rows("weight_ch"), self.hidden_size)}

    def from_memory(self, c: Tensor, *gates: str) -> tuple[Tensor, ...]:
        """Return W_c c, one (B, H) tensor for each of some gates that follow each other in ``weight_ch``."""
        return self._product(c, "weight_ch", gates)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        ci, cf = self.from_memory(c, "i", "f")
        i = torch.sigmoid(xi + hi + ci)
        f = torch.sigmoid(xf + hf + cf)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        (co,) = self.from_memory(c, "o")
        o = torch.sigmoid(xo + ho + co)
        h = o * torch.tanh(c)
        return h, c
