"""The clockwork recurrent network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_size
from recurra.cells.gates import Filler, normal
from recurra.cells.registry import register
from recurra.errors import ArgumentError


@register("clockwork")
class ClockworkCell(Cell):
    """Clockwork network: blocks of units that are updated at periods of their own, and feed only faster ones.

        fires = t mod period == 0
        n = tanh(W_xh x + b_xh + W_hh h)
        h = where(fires, n, h)
        t = (t + 1) mod cycle

    The units are split into one block a period, as evenly as possible with the larger blocks first; t is the number of
    the step, (B, 1), and starts at 0, where every block fires. ``cycle`` is the least common multiple of the periods.

    W_hh is block-triangular: a block sees itself and the slower ones. ``weight_hh_1`` to ``weight_hh_g`` hold the rows
    of each block without the zeros, fastest block first: (its units, units of its own and all longer periods).

    Read as: the published start of the weights, N(0, 0.1), names the standard deviation.

    Half-precision numbers count exactly to 256 (bfloat16) or 2048 (float16) only, which bounds ``cycle`` there.

    Args:
        input_size: Width of x.
        hidden_size: Width of h, at least the number of periods.
        bias: Whether there are biases.
        periods: Steps from one update of a block to the next, rising.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``periods`` are not rising integers of at least one, or more than ``hidden_size``.
    """

    states = ("h", "t")
    gates = ("h",)
    state_gates = ()
    candidates = ("n",)
    memories = ("h",)
    recurrent_weights: ClassVar[tuple[str, ...]] = ()
    source = "koutnik2014clockwork"
    state_range = {"h": (-1.0, 1.0), "t": (0.0, math.inf)}  # noqa: RUF012 - declared as a ClassVar in Cell

    periods: tuple[int, ...]
    unit_periods: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        periods: Sequence[int] = (1, 2, 4, 8),
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.periods = _check_periods(who, periods)
        if check_size(who, "hidden_size", hidden_size) < len(self.periods):
            raise ArgumentError(
                f"{who} expected hidden_size to be at least the number of periods, {len(self.periods)}, "
                f"got {hidden_size}"
            )
        share, rest = divmod(hidden_size, len(self.periods))
        self.block_sizes = tuple(share + (block < rest) for block in range(len(self.periods)))
        self.cycle = math.lcm(*self.periods)
        names = tuple(f"weight_hh_{block + 1}" for block in range(len(self.periods)))
        self.recurrent_weights = names  # type: ignore[misc]  # as many as periods
        super().__init__(input_size, hidden_size, bias, **options)
        each = [float(p) for p, size in zip(self.periods, self.block_sizes, strict=True) for _ in range(size)]
        self.register_buffer("unit_periods", self.weight_ih.new_tensor(each), persistent=False)

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of h and t."""
        return (self.hidden_size, 1)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name: one recurrent weight a block."""
        shapes = super().weight_shapes()
        for block, (name, size) in enumerate(zip(self.recurrent_weights, self.block_sizes, strict=True)):
            shapes[name] = (size, sum(self.block_sizes[block:]))
        return shapes

    def published(self) -> Mapping[str, Filler]:
        """Draw small weights."""
        return {name: normal(0.1) for name in self.weight_shapes() if name.startswith("weight")}

    def from_state(self, h: Tensor, *gates: str) -> tuple[Tensor, ...]:
        """Return W_hh h, in a tuple of one (B, H) tensor."""
        assert not gates, f"the blocks of {type(self).__name__} have no gates, got {gates}"
        rows = []
        for block, name in enumerate(self.recurrent_weights):
            weight: Tensor = getattr(self, name)
            rows.append(torch.nn.functional.pad(weight, (sum(self.block_sizes[:block]), 0)))
        return (torch.nn.functional.linear(h, torch.cat(rows)),)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h (B, H), t (B, 1)
        """Return the next (h, t), of shapes (B, H) and (B, 1)."""
        h, t = state
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        fires = torch.remainder(t, self.unit_periods) == 0
        n = torch.tanh(xh + hh)
        h = torch.where(fires, n, h)
        t = torch.remainder(t + 1, self.cycle)
        return h, t


def _check_periods(who: str, periods: Sequence[int]) -> tuple[int, ...]:
    are_integers = isinstance(periods, tuple | list) and all(type(period) is int for period in periods)
    if not are_integers or not periods or any(b <= a for a, b in zip((0, *periods), periods, strict=False)):
        raise ArgumentError(f"{who} expected periods to be rising integers of at least 1, got {periods!r}")
    return tuple(periods)
