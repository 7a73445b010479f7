"""The structurally constrained recurrent network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number, check_size
from recurra.cells.registry import register


@register("scrn")
class SCRNCell(Cell):
    """Structurally constrained recurrent network: a plain recurrence beside slow units that average the input.

        n = W_xs x
        s = (1 - retain) * n + retain * s
        h = sigmoid(W_sh s + W_xh x + W_hh h)

    The output is [h, s], of width ``hidden_size + context_size``. There are no biases. The source's own start is not
    recorded here, so "published" is "orthogonal".

    Read as: the new s feeds h, as the paper and the comment in the authors' code say; the code itself feeds the
    previous one.

    Args:
        input_size: Width of x.
        hidden_size: Width of h, the fast units.
        bias: Without effect, as there are no biases.
        retain: Share of s that stays in a step, from 0 to 1 (excluded); one number for all units.
        context_size: Width of s, the slow units; ``None`` is half of ``hidden_size``.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``retain`` is out of its range, or ``context_size`` is not an integer of at least one.
    """

    states = ("h", "s")
    gates = ("h",)
    biases = ()
    candidates = ("n",)
    source = "mikolov2015learning"
    has_other_input = True
    state_range = {"h": (0.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    returns_output = True

    retain: float
    context_size: int
    weight_xs: Tensor
    weight_sh: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        retain: float = 0.95,
        context_size: int | None = None,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.retain = check_number(who, "retain", retain, at_least=0, below=1)
        half = max(1, check_size(who, "hidden_size", hidden_size) // 2)
        self.context_size = check_size(who, "context_size", half if context_size is None else context_size)
        super().__init__(input_size, hidden_size, bias, **options)

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of h and s."""
        return (self.hidden_size, self.context_size)

    @property
    def output_size(self) -> int:
        """Width of [h, s]."""
        return self.hidden_size + self.context_size

    def gate_size(self, gate: str) -> int:
        """Return the rows of a gate's block: the hidden size, and the context's for n."""
        return self.context_size if gate == "n" else super().gate_size(gate)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name."""
        return super().weight_shapes() | {
            "weight_xs": (self.context_size, self.input_size),
            "weight_sh": (self.hidden_size, self.context_size),
        }

    def output_from(self, h: Tensor, s: Tensor) -> Tensor:
        """Return the output [h, s], (B, H + Q)."""
        return torch.cat((h, s), -1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # x (B, I)
        """Return [h, s] (B, H + Q) and the next (h, s), of shapes (B, H) and (B, Q)."""
        h, s = state
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        n = torch.nn.functional.linear(x, self.weight_xs)
        s = (1 - self.retain) * n + self.retain * s
        h = torch.sigmoid(torch.nn.functional.linear(s, self.weight_sh) + xh + hh)
        return self.output_from(h, s), (h, s)
