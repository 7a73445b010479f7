"""The scalar cell of the extended long short-term memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from recurra.cells.cell import Cell
from recurra.cells.checks import check_size
from recurra.cells.gates import Block, Filler
from recurra.cells.registry import register
from recurra.errors import ArgumentError

_LARGEST_EXPONENT = 11.0
"""Its exp is finite in every floating-point type."""


@register("slstm")
class SLSTMCell(Cell):
    """Long short-term memory with an exponential input gate, a normaliser n and a stabiliser m: xLSTM's scalar cell.

        i = W_xi x + b_xi + W_hi h
        f = logsigmoid(W_xf x + b_xf + W_hf h)
        z = tanh(W_xz x + b_xz + W_hz h)
        o = sigmoid(W_xo x + b_xo + W_ho h)
        carried = f + m
        m = where(n == 0, i, maximum(carried, i))
        kept = exp(carried - m)
        written = exp(i - m)
        c = kept * c + written * z
        n = kept * n + written
        h = o * c / n

    i and f are logarithms of gates. h is the same with any m, 0 too; with this one, no exponential overflows.
    ``weight_hh`` is (4 * hidden_size, hidden_size / num_heads): the rows of a gate are those of one head after the
    other, and each head's act on that head's part of h only.

    Read as: the step at which n is 0, the first, has m = i, unit by unit; the released code asks whether all n are 0.
    Differs from the source: there ``carried - m`` is not bounded, and a first i far below 0 gives inf * 0. Here it is
    at most 11, which changes nothing where c is 0 with n. The forget gate is a logistic one, as in the released code,
    of the two that the source allows; the convolution before i and f and the norm of h belong to the block around.

    "published" starts ``weight_hh`` at 0 and f's biases at 5 - 12 u^0.3, u rising from 0 to 1 over a head's units. Read
    as: 0.3 is the exponent of a stack's first block; the released code adds to it up to 1.3 with the block's place.

    Args:
        input_size: Width of x.
        hidden_size: Width H of the states.
        bias: Whether there are biases.
        num_heads: Number of heads, a divisor of ``hidden_size``.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``num_heads`` is no count, or does not divide ``hidden_size``.
    """

    states = ("h", "c", "n", "m")
    gates = ("i", "f", "z", "o")
    candidates = ("z",)
    memories = ("h",)
    state_range = {"h": (-1.0, 1.0), "n": (0.0, math.inf)}  # noqa: RUF012 - declared as a ClassVar in Cell
    source = "beck2024xlstm"

    num_heads: int

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, num_heads: int = 1, **options: Any
    ) -> None:
        who = type(self).__name__
        check_size(who, "hidden_size", hidden_size)
        self.num_heads = check_size(who, "num_heads", num_heads)
        if hidden_size % num_heads:
            raise ArgumentError(f"{who} expected num_heads to divide hidden_size={hidden_size}, got {num_heads}")
        super().__init__(input_size, hidden_size, bias, **options)

    @property
    def head_size(self) -> int:
        """Units of one head."""
        return self.hidden_size // self.num_heads

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        shapes = super().weight_shapes()
        return shapes | {"weight_hh": (*shapes["weight_hh"][:1], self.head_size)}

    def _blocks(self, name: str, shape: tuple[int, ...]) -> list[Block]:
        blocks = super()._blocks(name, shape)
        if name != "weight_hh":
            return blocks
        return [Block(block.gate, self.head_size) for block in blocks for _ in range(self.num_heads)]

    def published(self) -> Mapping[str, Filler]:
        """Say how the released code starts the recurrent weights and the forget gate's biases."""
        return {"weight_hh": torch.nn.init.zeros_, "bias_ih.f": self._fill_forget_biases}

    def _fill_forget_biases(self, bias: Tensor) -> None:
        u = torch.arange(self.head_size, dtype=bias.dtype, device=bias.device) / max(self.head_size - 1, 1)
        bias.copy_((5.0 - 12.0 * u**0.3).repeat(self.num_heads))

    def from_state(self, h: Tensor, *gates: str) -> tuple[Tensor, ...]:
        """Return W_h h, one (B, H) tensor a gate, where W_h is block-diagonal.

        Args:
            h: The state, (B, H).
            gates: Some gates that follow each other in ``weight_hh``; none stands for all.
        """
        if self.num_heads == 1:
            # the blocks of one head are those of a plain cell, and nothing needs to be moved
            return super().from_state(h, *gates)
        names = gates or self.gates
        first = self.gates.index(names[0])
        assert self.gates[first : first + len(names)] == names, f"{names} do not follow each other in {self.gates}"
        batch_size, size = h.shape[0], self.head_size
        stack = self.weight_hh.reshape(len(self.gates), self.num_heads, size, size)[first : first + len(names)]
        columns = stack.permute(1, 3, 0, 2).reshape(self.num_heads, size, len(names) * size)
        heads = h.reshape(batch_size, self.num_heads, size).transpose(0, 1)
        products = torch.bmm(heads, columns).reshape(self.num_heads, batch_size, len(names), size)
        joined = products.permute(2, 1, 0, 3).reshape(len(names), batch_size, self.hidden_size)
        return joined.unbind(0)

    def forward(  # x (B, I), each state (B, H)
        self, x: Tensor, state: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the next (h, c, n, m), each (B, H)."""
        h, c, n, m = state
        xi, xf, xz, xo = self.from_input(x)
        hi, hf, hz, ho = self.from_state(h)
        i = xi + hi
        f = logsigmoid(xf + hf)
        z = torch.tanh(xz + hz)
        o = torch.sigmoid(xo + ho)
        carried = f + m
        m = torch.where(n == 0, i, torch.maximum(carried, i))
        kept = torch.exp(torch.clamp(carried - m, max=_LARGEST_EXPONENT))
        written = torch.exp(i - m)
        c = kept * c + written * z
        n = kept * n + written
        h = o * c / n
        return h, c, n, m
