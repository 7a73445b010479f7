"""The coupled oscillatory recurrence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler, uniform
from recurra.cells.registry import register


@register("cornn")
class CoRNNCell(Cell):
    """Coupled oscillators with damping, driven by the input: one step of position h and velocity z.

        n = tanh(W_xn x + b_n + W_hn h + W_zn z)
        z = z + time_step * (n - stiffness * h - damping * z)
        h = h + time_step * z

    h moves with the new z. ``weight_hh`` (H, H) acts on h and ``weight_zh`` (H, H) on z. The defaults are the source's
    for sequential MNIST; other tasks have others (permuted MNIST 0.076, 0.4, 8.0; adding 0.06, 66, 15).

    Read as: damping acts on the old z, as in the released code; the paper also allows the new one. That code has one
    linear map of x, z and h together, so its width I + 2H sets where all of it starts.

    Args:
        input_size: Width of x.
        hidden_size: Width of h and z.
        bias: Whether there are biases.
        time_step: Length of a step, above 0.
        stiffness: Pull back to 0, at least 0; the source's gamma.
        damping: Loss of velocity, at least 0; the source's epsilon.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When an option is outside its range.
    """

    states = ("h", "z")
    gates = ("n",)
    candidates = ("n",)
    recurrent_weights = ("weight_hh", "weight_zh")
    source = "rusch2021coupled"

    time_step: float
    stiffness: float
    damping: float
    weight_zh: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        time_step: float = 0.042,
        stiffness: float = 2.7,
        damping: float = 4.7,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.time_step = check_number(who, "time_step", time_step, above=0)
        self.stiffness = check_number(who, "stiffness", stiffness, at_least=0)
        self.damping = check_number(who, "damping", damping, at_least=0)
        super().__init__(input_size, hidden_size, bias, **options)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_zh": (self.hidden_size, self.hidden_size)}

    def published(self) -> Mapping[str, Filler]:
        """Say how the released code starts its one linear map."""
        bound = 1 / math.sqrt(self.input_size + 2 * self.hidden_size)
        return dict.fromkeys(("weight_ih", "weight_hh", "weight_zh", "bias_ih"), uniform(-bound, bound))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h and z (B, H)
        """Return the next (h, z), each (B, H)."""
        h, z = state
        (xn,) = self.from_input(x)
        (hn,) = self.from_state(h)
        zn = torch.nn.functional.linear(z, self.weight_zh)
        n = torch.tanh(xn + hn + zn)
        z = z + self.time_step * (n - self.stiffness * h - self.damping * z)
        h = h + self.time_step * z
        return h, z
