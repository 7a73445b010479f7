"""The long short-term memory."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.registry import register
from recurra.cells.torch_cell import TorchCell


@register("lstm")
class LSTMCell(TorchCell):
    """Long short-term memory with a forget gate and no peepholes, as in torch.nn.LSTM.

        i = sigmoid(W_xi x + b_xi + W_hi h + b_hi)
        f = sigmoid(W_xf x + b_xf + W_hf h + b_hf)
        g = tanh(W_xg x + b_xg + W_hg h + b_hg)
        o = sigmoid(W_xo x + b_xo + W_ho h + b_ho)
        c = f * c + i * g
        h = o * tanh(c)

    ``gate_biases={"f": 1.0}`` is the forget bias option: memory lasts longer at first. The bias of f then starts at 1
    in every initialisation, in one of its two vectors; the initialisations but "torch" start it there anyway.

    Differs from the source: there the candidate lies in (-2, 2) and both squashing functions are shifted logistics.
    The cell without its forget gate is Hochreiter and Schmidhuber's (``hochreiter1997long``).
    """

    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    candidates = ("g",)
    source = "gers2000learning"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    gate_biases = {"f": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        o = torch.sigmoid(xo + ho)
        c = f * c + i * g
        h = o * torch.tanh(c)
        return h, c
