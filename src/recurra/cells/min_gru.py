"""Cells whose gates do not see the state."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("mingru")
class MinGRUCell(Cell):
    """Gated recurrent unit cut down until nothing but h itself is carried.

        z = sigmoid(W_xz x + b_xz)
        n = W_xn x + b_xn
        h = (1 - z) * h + z * n

    There are no recurrent weights, so all but the last equation is done for all steps at once. h is a weighted mean of
    its start and the candidates, and has no other bound.

    Read as: the source's plain form; the one in the logarithm's domain keeps n positive. The source's own start is not
    recorded here, so "published" is "orthogonal".
    """

    states = ("h",)
    gates = ("z", "n")
    state_gates = ()
    recurrent_weights = ()
    candidates = ("n",)
    source = "feng2024rnns"

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xz, xn = self.from_input(x)
        z = torch.sigmoid(xz)
        n = xn
        h = (1 - z) * h + z * n
        return h


@register("minlstm")
class MinLSTMCell(Cell):
    """Long short-term memory cut down until nothing but h itself is carried.

        f = logsigmoid(W_xf x + b_xf)
        i = logsigmoid(W_xi x + b_xi)
        n = W_xn x + b_xn
        kept = sigmoid(f - i)
        h = kept * h + (1 - kept) * n

    There are no recurrent weights, so all but the last equation is done for all steps at once. h is a weighted mean of
    its start and the candidates, and has no other bound. f and i are logarithms: of two gates F and I, kept is
    F / (F + I), and a quotient of numbers that are both 0 in floating point does not arise.

    Read as: the source's plain form; the one in the logarithm's domain keeps n positive. The source's own start is not
    recorded here, so "published" is "orthogonal".
    """

    states = ("h",)
    gates = ("f", "i", "n")
    state_gates = ()
    recurrent_weights = ()
    candidates = ("n",)
    source = "feng2024rnns"

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xf, xi, xn = self.from_input(x)
        f = logsigmoid(xf)
        i = logsigmoid(xi)
        n = xn
        kept = torch.sigmoid(f - i)
        h = kept * h + (1 - kept) * n
        return h
