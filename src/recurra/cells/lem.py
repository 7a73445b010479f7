"""The long expressive memory."""

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


@register("lem")
class LEMCell(Cell):
    """Long expressive memory: two states on time scales of their own, each with a learned step.

        d1 = time_step * sigmoid(W_x1 x + b_1 + W_y1 y)
        d2 = time_step * sigmoid(W_x2 x + b_2 + W_y2 y)
        zn = tanh(W_xz x + b_z + W_yz y)
        z = (1 - d1) * z + d1 * zn
        yn = tanh(W_xy x + b_y + W_zy z)
        y = (1 - d2) * y + d2 * yn

    yn reads the new z, and y moves by d2. Rows of ``weight_ih`` are d1, d2, zn, yn, those of ``weight_hh``, which acts
    on y, d1, d2, zn; ``weight_zy`` (H, H) acts on the new z. The source tunes the step (sequential MNIST 0.21, permuted
    MNIST 0.31, adding 0.0242).

    Differs from the source: its code has the rows of d1 and d2 the other way round, and two biases for each sum.

    Args:
        input_size: Width of x.
        hidden_size: Width of y and z.
        bias: Whether there are biases.
        time_step: Longest step, above 0 and at most 1; the source's dt.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``time_step`` is outside its range.
    """

    states = ("y", "z")
    gates = ("d1", "d2")
    input_gates = ("d1", "d2", "zn", "yn")
    state_gates = ("d1", "d2", "zn")
    candidates = ("zn", "yn")
    recurrent_weights = ("weight_hh", "weight_zy")
    source = "rusch2022long"
    state_range = {"y": (-1.0, 1.0), "z": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    time_step: float
    weight_zy: Tensor

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, time_step: float = 1.0, **options: Any
    ) -> None:
        self.time_step = check_number(type(self).__name__, "time_step", time_step, above=0, at_most=1)
        super().__init__(input_size, hidden_size, bias, **options)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_zy": (self.hidden_size, self.hidden_size)}

    def published(self) -> Mapping[str, Filler]:
        """Say how the released code starts all it has."""
        bound = 1 / math.sqrt(self.hidden_size)
        return dict.fromkeys(self.weight_shapes(), uniform(-bound, bound))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), y and z (B, H)
        """Return the next (y, z), each (B, H)."""
        y, z = state
        x1, x2, xz, xy = self.from_input(x)
        y1, y2, yz = self.from_state(y)
        d1 = self.time_step * torch.sigmoid(x1 + y1)
        d2 = self.time_step * torch.sigmoid(x2 + y2)
        zn = torch.tanh(xz + yz)
        z = (1 - d1) * z + d1 * zn
        yn = torch.tanh(xy + torch.nn.functional.linear(z, self.weight_zy))
        y = (1 - d2) * y + d2 * yn
        return y, z
