"""Steps of a differential equation whose recurrent matrix is antisymmetric, so that it neither grows nor decays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler, normal
from recurra.cells.registry import register


@register("antisymmetric")
class AntisymmetricCell(Cell):
    """Euler step of an equation whose recurrent matrix is antisymmetric but for a damping.

        n = tanh(W_xn x + b_n + (W_h - W_h^T - damping I) h)
        h = h + step_size * n

    The damping counters the growth that Euler steps add to a rotation. Of W_h, ``weight_hh`` (H, H), only the
    H(H-1)/2 differences act.

    Read as: W_h starts from N(0, 1/H). Step size and damping are about 0.01, as recalled from the paper, which tunes
    both.

    Args:
        input_size: Width of x.
        hidden_size: Width of h.
        bias: Whether there are biases.
        step_size: Length of a step, above 0.
        damping: What is taken off the diagonal, at least 0.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When an option is outside its range.
    """

    states = ("h",)
    gates: ClassVar[tuple[str, ...]] = ("n",)
    candidates = ("n",)
    source = "chang2019antisymmetric"

    step_size: float
    damping: float

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        step_size: float = 0.01,
        damping: float = 0.01,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.step_size = check_number(who, "step_size", step_size, above=0)
        self.damping = check_number(who, "damping", damping, at_least=0)
        super().__init__(input_size, hidden_size, bias, **options)

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts the recurrent matrix."""
        return {"weight_hh": normal(1 / math.sqrt(self.hidden_size))}

    def from_state(self, h: Tensor, *gates: str) -> tuple[Tensor, ...]:
        """Return (W_h - W_h^T - damping I) h, one (B, H) tensor for all gates."""
        assert not gates, f"the gates of {type(self).__name__} share one product, got {gates}"
        return (torch.nn.functional.linear(h, self.weight_hh - self.weight_hh.T) - self.damping * h,)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xn,) = self.from_input(x)
        (a,) = self.from_state(h)
        n = torch.tanh(xn + a)
        return h + self.step_size * n


@register("gated-antisymmetric")
class GatedAntisymmetricCell(AntisymmetricCell):
    """Antisymmetric recurrence with a gate on the step; gate and content share the recurrent matrix.

        a = (W_h - W_h^T - damping I) h
        n = tanh(W_xn x + b_n + a)
        z = sigmoid(W_xz x + b_z + a)
        h = h + step_size * z * n

    Start, options and what is raised are those of :class:`AntisymmetricCell`.
    """

    gates = ("n", "z")
    state_gates = ("a",)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xn, xz = self.from_input(x)
        (a,) = self.from_state(h)
        n = torch.tanh(xn + a)
        z = torch.sigmoid(xz + a)
        return h + self.step_size * z * n
