"""What the cells with a rhythmic time gate share: the time of a step, and the gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler, constant
from recurra.errors import ArgumentError

PERIOD_RANGE = (1.0, math.exp(3.0))
OPEN_RATIO = 0.05
_SMALLEST = 1e-6
"""What the size of a period and of an open ratio does not go below, since both are divisors."""


class TimeGatedCell(Cell):
    """A cell whose units are open for a part of a period each, and else keep their state.

    Its last state is psi (B, H), which part of its period each unit has passed since time 0. It stays between 0 and 1
    however long a stream is, where a count of steps would lose its digits. Parameters ``period``, ``shift`` and
    ``open_ratio`` are (H,); the sizes of the first and last count, so that no step of an optimiser makes them negative.
    """

    inputs = ("x", "time")
    memories = ("h", "c")

    period: Tensor
    shift: Tensor
    open_ratio: Tensor
    period_range: tuple[float, float]
    started_ratio: float

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        period_range: tuple[float, float] = PERIOD_RANGE,
        open_ratio: float = OPEN_RATIO,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.period_range = _check_range(who, period_range)
        # the parameter has the option's name
        self.started_ratio = check_number(who, "open_ratio", open_ratio, above=0, at_most=1)
        super().__init__(input_size, hidden_size, bias, **options)

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Widths of x and of its time."""
        return (self.input_size, 1)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | dict.fromkeys(("period", "shift", "open_ratio"), (self.hidden_size,))

    def starts(self) -> Mapping[str, Filler]:
        """Draw periods log-uniformly, and shifts within their period."""
        shortest, longest = map(math.log, self.period_range)
        periods: list[Tensor] = []

        def fill_period(block: Tensor) -> None:
            periods.append(block.uniform_(shortest, longest).exp_())

        def fill_shift(block: Tensor) -> None:
            block.uniform_(0.0, 1.0).mul_(periods[-1])

        return {"period": fill_period, "shift": fill_shift, "open_ratio": constant(self.started_ratio)}

    def positive_period(self) -> Tensor:
        """Return the period of each unit (H,), in steps or in the unit of the times that are given."""
        return self.period.abs().clamp_min(_SMALLEST)

    def positive_ratio(self) -> Tensor:
        """Return the part of its period for which each unit is open (H,); from 1 on it never closes."""
        return self.open_ratio.abs().clamp_min(_SMALLEST)

    def rhythm(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return period, shift and open ratio of each unit (H,), as a step takes them."""
        return self.positive_period(), self.shift, self.positive_ratio()

    def at_time(self, x: Tensor | tuple[Tensor, Tensor], psi: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input (B, I) of a step and psi (B, H) at its time: the time given with x, or else the carried."""
        if not isinstance(x, tuple):
            return x, psi
        x, time = x
        period = self.positive_period()
        # this remainder is exact; that of time / period would lose the digits that the quotient has no room for
        return x, (torch.remainder(time, period) / period).to(x.dtype)

    def time_gate(self, phi: Tensor) -> Tensor:
        """Return how far each unit is open, (B, H): up to 1 at half its open ratio, and down again."""
        ratio = self.positive_ratio()
        rising = 2 * phi / ratio
        closed = self.closed_slope() * phi
        # at half the ratio exactly, the falling branch gives 1
        return torch.where(phi < ratio / 2, rising, torch.where(phi < ratio, 2 - rising, closed))

    def closed_slope(self) -> float:
        """Return how fast a closed gate rises with the phase."""
        return 0.0

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not at their defaults."""
        ratio = "" if self.started_ratio == OPEN_RATIO else f", open_ratio={self.started_ratio!r}"
        return super().extra_repr() + ratio


def _check_range(who: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ArgumentError(f"{who} expected period_range to be two numbers, shortest and longest, got {value!r}")
    shortest = check_number(who, "period_range[0]", value[0], above=0)
    return shortest, check_number(who, "period_range[1]", value[1], at_least=shortest)
