"""The cell that a search over trees of operations found."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("nas")
class NASCell(Cell):
    """Cell found by neural architecture search: a tree over eight pairs of an input's and a state's product.

        g1 = sigmoid(W_x1 x + W_h1 h + b_h1)
        g2 = relu(W_x2 x + W_h2 h + b_h2)
        g3 = sigmoid(W_x3 x + W_h3 h + b_h3)
        g4 = relu(W_x4 x * (W_h4 h + b_h4))
        g5 = tanh(W_x5 x + W_h5 h + b_h5)
        g6 = sigmoid(W_x6 x + W_h6 h + b_h6)
        g7 = tanh(W_x7 x + W_h7 h + b_h7)
        g8 = sigmoid(W_x8 x + W_h8 h + b_h8)
        written = tanh(g1 * g2)
        c = tanh(written + c) * tanh(g3 + g4)
        h = tanh(c * tanh(tanh(g5 * g6) + sigmoid(g7 + g8)))

    The fourth pair is a product, the others are sums; a bias there scales the input's part.

    Read as: the tree of TensorFlow's cell; the source shows it as a drawing, and its activations are as recalled.
    The source's own start is not recorded here, so "published" is "orthogonal".
    """

    states = ("h", "c")
    gates = ("g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8")
    biases = ("bias_hh",)
    candidates = ("written",)
    source = "zoph2017neural"
    state_range = {"h": (-1.0, 1.0), "c": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        x1, x2, x3, x4, x5, x6, x7, x8 = self.from_input(x)
        h1, h2, h3, h4, h5, h6, h7, h8 = self.from_state(h)
        g1 = torch.sigmoid(x1 + h1)
        g2 = torch.relu(x2 + h2)
        g3 = torch.sigmoid(x3 + h3)
        g4 = torch.relu(x4 * h4)
        g5 = torch.tanh(x5 + h5)
        g6 = torch.sigmoid(x6 + h6)
        g7 = torch.tanh(x7 + h7)
        g8 = torch.sigmoid(x8 + h8)
        written = torch.tanh(g1 * g2)
        c = torch.tanh(written + c) * torch.tanh(g3 + g4)
        h = torch.tanh(c * torch.tanh(torch.tanh(g5 * g6) + torch.sigmoid(g7 + g8)))
        return h, c
