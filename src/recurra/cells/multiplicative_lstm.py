"""The long short-term memory whose recurrent matrix depends on the input."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.bias import add_bias
from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("multiplicative-lstm", "mlstm")
class MultiplicativeLSTMCell(Cell):
    """Long short-term memory that reads its output through a product with the input.

        m = (W_xm x) * (W_hm h)
        i = sigmoid(W_xi x + W_mi m + b_i)
        f = sigmoid(W_xf x + W_mf m + b_f)
        g = tanh(W_xg x + W_mg m + b_g)
        o = sigmoid(W_xo x + W_mo m + b_o)
        c = f * c + i * g
        h = o * tanh(c)

    ``weight_hm`` (H, H) acts on h, and ``weight_hh`` (4H, H), the blocks of i, f, g and o, on m, which has no bias.

    Read as: the form of the authors' later code and of their best results. For that of the first results see
    OutputInsideMultiplicativeLSTMCell. Of the source's start only the forget bias is recorded here, so "published" is
    "orthogonal".
    """

    states = ("h", "c")
    gates = ("m", "i", "f", "g", "o")
    state_gates = ("i", "f", "g", "o")
    biases = ("bias_hh",)
    candidates = ("g",)
    recurrent_weights = ("weight_hh", "weight_hm")
    state_products = ("from_output",)
    source = "krause2016multiplicative"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    gate_biases = {"f": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell

    weight_hm: Tensor

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_hm": (self.hidden_size, self.hidden_size)}

    def from_output(self, h: Tensor) -> Tensor:
        """Return W_hm h (B, H)."""
        return torch.nn.functional.linear(h, self.weight_hm)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xm, xi, xf, xg, xo = self.from_input(x)
        m = xm * self.from_output(h)
        mi, mf, mg, mo = self.from_state(m)
        i = torch.sigmoid(xi + mi)
        f = torch.sigmoid(xf + mf)
        g = torch.tanh(xg + mg)
        o = torch.sigmoid(xo + mo)
        c = f * c + i * g
        h = o * torch.tanh(c)
        return h, c


@register("multiplicative-lstm-inside")
class OutputInsideMultiplicativeLSTMCell(MultiplicativeLSTMCell):
    """Multiplicative long short-term memory with a linear candidate and the output gate inside the last tanh.

        m = (W_xm x) * (W_hm h)
        i = sigmoid(W_xi x + W_mi m + b_i)
        f = sigmoid(W_xf x + W_mf m + b_f)
        g = W_xg x + W_mg m + b_g
        o = sigmoid(W_xo x + W_mo m + b_o)
        c = f * c + i * g
        h = tanh(c * o + b_h)

    ``bias_h`` (H,) is that of the output. All starts as in :class:`MultiplicativeLSTMCell`.

    Read as: the form of the authors' first code.
    Differs from the source: that code has biases in i, f, o and the output, and none in the candidate.
    """

    bias_h: Tensor | None

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"bias_h": (self.hidden_size,)}

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xm, xi, xf, xg, xo = self.from_input(x)
        m = xm * self.from_output(h)
        mi, mf, mg, mo = self.from_state(m)
        i = torch.sigmoid(xi + mi)
        f = torch.sigmoid(xf + mf)
        g = xg + mg
        o = torch.sigmoid(xo + mo)
        c = f * c + i * g
        h = torch.tanh(add_bias(c * o, self.bias_h))
        return h, c
