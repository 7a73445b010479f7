"""The recurrence through the output."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number, check_size
from recurra.cells.registry import register


@register("jordan")
class JordanCell(Cell):
    """Jordan network: what comes back is the output, kept in a decaying context, and not the hidden layer.

        s = retain * s + y
        h = tanh(W_xh x + b_h + W_sh s)
        y = sigmoid(W_hy h + b_y)

    y and s have width M, the output's; h has width H and is gone after the step. ``weight_hh`` (H, M) acts on s, and
    ``weight_hy`` is (M, H). The output is fed back after its sigmoid, gradients pass through it, and s takes in the
    output of the step before. To put the true output in its place (teacher forcing), write it into the state y.

    Read as: the context decays as recalled from the source; no other implementation was found to compare with.
    Differs from the source: there the hidden units are logistic, and the input is a plan that stays the same. How its
    weights start is not recorded here, so "published" is "orthogonal".

    Args:
        input_size: Width of x.
        hidden_size: Width H of h.
        bias: Whether there are biases.
        output_size: Width M of y; ``None`` is ``hidden_size``.
        retain: Part of the context that is kept, in [0, 1); with 0 the context is the last output.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``output_size`` is no integer of at least 1, or ``retain`` not in [0, 1).
    """

    states = ("y", "s")
    gates = ("h",)
    source = "jordan1986attractor"
    state_range = {"y": (0.0, 1.0), "s": (0.0, math.inf)}  # noqa: RUF012 - declared as a ClassVar in Cell

    weight_hy: Tensor
    bias_y: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        output_size: int | None = None,
        retain: float = 0.0,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        check_size(who, "hidden_size", hidden_size)
        # the name output_size is a property of every cell
        self.num_outputs = check_size(who, "output_size", hidden_size if output_size is None else output_size)
        self.retain = check_number(who, "retain", retain, at_least=0, below=1)
        super().__init__(input_size, hidden_size, bias, **options)

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of y and s."""
        return (self.num_outputs, self.num_outputs)

    def gate_size(self, gate: str) -> int:
        """Return the rows of a gate's block: the hidden size, and the output's for y."""
        return self.num_outputs if gate == "y" else super().gate_size(gate)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        own = {"weight_hy": (self.num_outputs, self.hidden_size), "bias_y": (self.num_outputs,)}
        return super().weight_shapes() | own

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), y and s (B, M)
        """Return the next (y, s), each (B, M)."""
        y, s = state
        s = self.retain * s + y
        (xh,) = self.from_input(x)
        (sh,) = self.from_state(s)
        h = torch.tanh(xh + sh)
        y = torch.sigmoid(torch.nn.functional.linear(h, self.weight_hy, self.bias_y))
        return y, s

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not at their defaults."""
        shown = super().extra_repr()
        return shown if self.num_outputs == self.hidden_size else f"{shown}, output_size={self.num_outputs}"
