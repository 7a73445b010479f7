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
    memory could neither turn negative nor pass its gradient on.
    """

    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    candidates = ("g",)
    source = "gers2000recurrent"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    weight_ch: Tensor

    def row_names(self, name: str) -> tuple[str, ...]:
        """Name the row blocks of a parameter."""
        return ("i", "f", "o") if name == "weight_ch" else super().row_names(name)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_ch": (self._rows("weight_ch"), self.hidden_size)}

    def from_old_memory(self, c: Tensor) -> tuple[Tensor, ...]:
        """Return W_ci c and W_cf c, each (B, H)."""
        weight = self.weight_ch[: 2 * self.hidden_size]
        products: tuple[Tensor, ...] = torch.nn.functional.linear(c, weight).split(self.hidden_size, -1)
        return products

    def from_new_memory(self, c: Tensor) -> Tensor:
        """Return W_co c (B, H)."""
        return torch.nn.functional.linear(c, self.weight_ch[2 * self.hidden_size :])

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        ci, cf = self.from_old_memory(c)
        i = torch.sigmoid(xi + hi + ci)
        f = torch.sigmoid(xf + hf + cf)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        o = torch.sigmoid(xo + ho + self.from_new_memory(c))
        h = o * torch.tanh(c)
        return h, c
