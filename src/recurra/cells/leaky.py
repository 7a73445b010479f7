"""Leaky integrators: plain recurrences whose units keep a part of what they held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler
from recurra.cells.registry import register


@register("leaky")
class LeakyCell(Cell):
    """Leaky integrators that keep a fixed part of their state at every step.

        n = tanh(W_xn x + b_n + W_hn h)
        h = retain * h + (1 - retain) * n

    ``retain`` is what is kept, which sources also write as 1 - a with the leak a; the time constant is
    1 / (1 - retain) steps. With 0 the cell is the plain recurrence.

    Differs from the source: there a step in continuous time is discretised, and the weights are not trained.

    Args:
        input_size: Width of x.
        hidden_size: Width of h.
        bias: Whether there is a bias.
        retain: Part of the state that is kept, in [0, 1).
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``retain`` is not in [0, 1).
    """

    states = ("h",)
    gates = ("n",)
    candidates = ("n",)
    source = "jaeger2007optimization"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, retain: float = 0.9, **options: Any
    ) -> None:
        self.retain = check_number(type(self).__name__, "retain", retain, at_least=0, below=1)
        super().__init__(input_size, hidden_size, bias, **options)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xn,) = self.from_input(x)
        (hn,) = self.from_state(h)
        n = torch.tanh(xn + hn)
        h = self.retain * h + (1 - self.retain) * n
        return h


@register("leaky-learned")
class LearnedLeakyCell(Cell):
    """Leaky integrators that learn, unit by unit, which part of their state they keep.

        retain = sigmoid(w_retain)
        n = tanh(W_xn x + b_n + W_hn h)
        h = retain * h + (1 - retain) * n

    ``weight_retain`` (H,) starts such that the time constants 1 / (1 - retain) are log-uniform between 2 and
    ``horizon`` steps.

    Differs from the source: there the part is one number for all units, a step in continuous time is discretised, and
    the recurrent weights are not trained.

    Args:
        input_size: Width of x.
        hidden_size: Width of h.
        bias: Whether there is a bias.
        horizon: Longest time constant at the start, in steps, above 2.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``horizon`` is no number above 2.
    """

    states = ("h",)
    gates = ("n",)
    candidates = ("n",)
    source = "jaeger2007optimization"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    weight_retain: Tensor

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, horizon: float = 100.0, **options: Any
    ) -> None:
        self.horizon = check_number(type(self).__name__, "horizon", horizon, above=2)
        super().__init__(input_size, hidden_size, bias, **options)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_retain": (self.hidden_size,)}

    def starts(self) -> Mapping[str, Filler]:
        """Say how ``weight_retain`` starts."""
        return {"weight_retain": self._fill_retain}

    def _fill_retain(self, block: Tensor) -> None:
        time_constants = torch.nn.init.uniform_(block, math.log(2), math.log(self.horizon)).exp()
        # the sigmoid of log(T - 1) is 1 - 1 / T
        block.copy_((time_constants - 1).log())

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xn,) = self.from_input(x)
        (hn,) = self.from_state(h)
        retain = torch.sigmoid(self.weight_retain)
        n = torch.tanh(xn + hn)
        h = retain * h + (1 - retain) * n
        return h
