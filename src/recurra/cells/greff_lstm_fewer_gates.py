"""Variants of the peephole long short-term memory that lack a gate, or couple two."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.greff_lstm import GreffCell
from recurra.cells.registry import register


@register("lstm-nig")
class NoInputGateLSTMCell(GreffCell):
    """Peephole long short-term memory without its input gate (NIG): i is 1.

        f = sigmoid(W_xf x + b_f + W_hf h + p_f * c)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + g
        o = sigmoid(W_xo x + b_o + W_ho h + p_o * c)
        h = o * tanh(c)

    Every candidate is written as it is; only the forget gate keeps the memory small. All starts as in
    :class:`PeepholeLSTMCell`.
    """

    gates = ("f", "g", "o")
    peepholes = ("f", "o")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xf, xg, xo = self.from_input(x)
        hf, hg, ho = self.from_state(h)
        pf, po = self.row_blocks("weight_ch")
        f = torch.sigmoid(xf + hf + pf * c)
        g = torch.tanh(xg + hg)
        c = f * c + g
        o = torch.sigmoid(xo + ho + po * c)
        h = o * torch.tanh(c)
        return h, c


@register("lstm-nfg")
class NoForgetGateLSTMCell(GreffCell):
    """Peephole long short-term memory without its forget gate (NFG): f is 1, and nothing is forgotten.

        i = sigmoid(W_xi x + b_i + W_hi h + p_i * c)
        g = tanh(W_xg x + b_g + W_hg h)
        c = c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + p_o * c)
        h = o * tanh(c)

    Of the variants it is one of the two that harm. All starts as in :class:`PeepholeLSTMCell`.
    """

    gates = ("i", "g", "o")
    peepholes = ("i", "o")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xg, xo = self.from_input(x)
        hi, hg, ho = self.from_state(h)
        pi, po = self.row_blocks("weight_ch")
        i = torch.sigmoid(xi + hi + pi * c)
        g = torch.tanh(xg + hg)
        c = c + i * g
        o = torch.sigmoid(xo + ho + po * c)
        h = o * torch.tanh(c)
        return h, c


@register("lstm-nog")
class NoOutputGateLSTMCell(GreffCell):
    """Peephole long short-term memory without its output gate (NOG): o is 1.

        i = sigmoid(W_xi x + b_i + W_hi h + p_i * c)
        f = sigmoid(W_xf x + b_f + W_hf h + p_f * c)
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        h = tanh(c)

    The output always shows the whole memory. All starts as in :class:`PeepholeLSTMCell`.
    """

    gates = ("i", "f", "g")
    peepholes = ("i", "f")

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg = self.from_input(x)
        hi, hf, hg = self.from_state(h)
        pi, pf = self.row_blocks("weight_ch")
        i = torch.sigmoid(xi + hi + pi * c)
        f = torch.sigmoid(xf + hf + pf * c)
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        h = torch.tanh(c)
        return h, c


@register("lstm-cifg")
class CoupledGatesLSTMCell(GreffCell):
    """Peephole long short-term memory that forgets as much as it takes in (CIFG): one gate for both.

        i = sigmoid(W_xi x + b_i + W_hi h + p_i * c)
        f = 1 - i
        g = tanh(W_xg x + b_g + W_hg h)
        c = f * c + i * g
        o = sigmoid(W_xo x + b_o + W_ho h + p_o * c)
        h = o * tanh(c)

    It shares the coupling with the gated recurrent unit and is none: it keeps c and the output gate, and has no reset
    gate. All starts as in :class:`PeepholeLSTMCell`.
    """

    gates = ("i", "g", "o")
    peepholes = ("i", "o")
    state_range = {"h": (-1.0, 1.0), "c": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xg, xo = self.from_input(x)
        hi, hg, ho = self.from_state(h)
        pi, po = self.row_blocks("weight_ch")
        i = torch.sigmoid(xi + hi + pi * c)
        f = 1 - i
        g = torch.tanh(xg + hg)
        c = f * c + i * g
        o = torch.sigmoid(xo + ho + po * c)
        h = o * torch.tanh(c)
        return h, c
