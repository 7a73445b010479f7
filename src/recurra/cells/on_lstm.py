"""The long short-term memory with ordered neurons."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_size
from recurra.cells.registry import register
from recurra.errors import ArgumentError


@register("on-lstm")
class ONLSTMCell(Cell):
    """Ordered-neurons long short-term memory: two master gates forget from one end of c and write from the other.

        i = sigmoid(W_xi x + b_xi + W_hi h)
        f = sigmoid(W_xf x + b_xf + W_hf h)
        g = tanh(W_xg x + b_xg + W_hg h)
        o = sigmoid(W_xo x + b_xo + W_ho h)
        mi = repeat(1 - cumsum(softmax(W_xmi x + b_xmi + W_hmi h)))
        mf = repeat(cumsum(softmax(W_xmf x + b_xmf + W_hmf h)))
        overlap = mf * mi
        kept = f * overlap + (mf - overlap)
        written = i * overlap + (mi - overlap)
        c = kept * c + written * g
        h = o * tanh(c)

    The master gates have one number for each chunk of ``chunk_size`` neighbouring units, ``hidden_size / chunk_size``
    in all; ``repeat`` gives it to every unit of the chunk. mf rises from near 0 to 1 along the units, mi falls to 0.

    Differs from the source: one bias a gate, where the released code has two. The source's own start is not recorded
    here, so "published" is "orthogonal".

    Args:
        input_size: Width of x.
        hidden_size: Width H of h and c.
        bias: Whether there are biases.
        chunk_size: Units that share a number of each master gate, a divisor of ``hidden_size``; 10 in the source.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``chunk_size`` is no size, or does not divide ``hidden_size``.
    """

    states = ("h", "c")
    gates = ("i", "f", "g", "o", "mi", "mf")
    candidates = ("g",)
    source = "shen2019ordered"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    chunk_size: int

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, chunk_size: int = 1, **options: Any
    ) -> None:
        who = type(self).__name__
        check_size(who, "hidden_size", hidden_size)
        self.chunk_size = check_size(who, "chunk_size", chunk_size)
        if hidden_size % chunk_size:
            raise ArgumentError(f"{who} expected chunk_size to divide hidden_size={hidden_size}, got {chunk_size}")
        super().__init__(input_size, hidden_size, bias, **options)

    def gate_size(self, gate: str) -> int:
        """Return the rows of a gate's block: one a chunk for the master gates, else one a unit."""
        return self.hidden_size // self.chunk_size if gate in ("mi", "mf") else self.hidden_size

    def repeat(self, master: Tensor) -> Tensor:
        """Give each unit its chunk's number: (B, H / chunk_size) to (B, H)."""
        chunks = master.unsqueeze(-1).expand(-1, -1, self.chunk_size)
        return chunks.reshape(master.shape[0], self.hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and c (B, H)
        """Return the next (h, c), each (B, H)."""
        h, c = state
        xi, xf, xg, xo, xmi, xmf = self.from_input(x)
        hi, hf, hg, ho, hmi, hmf = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        o = torch.sigmoid(xo + ho)
        mi = self.repeat(1 - torch.cumsum(torch.softmax(xmi + hmi, -1), -1))
        mf = self.repeat(torch.cumsum(torch.softmax(xmf + hmf, -1), -1))
        overlap = mf * mi
        kept = f * overlap + (mf - overlap)
        written = i * overlap + (mi - overlap)
        c = kept * c + written * g
        h = o * torch.tanh(c)
        return h, c
