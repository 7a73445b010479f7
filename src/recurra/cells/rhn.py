"""The recurrent highway network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_size
from recurra.cells.gates import Filler, uniform
from recurra.cells.registry import register


@register("rhn")
class RHNCell(Cell):
    """Recurrent highway network with coupled gates: several highway levels in one step.

    At each level, where x enters the first only:

        n = tanh(W_xn x + W_hn h + b_hn)
        t = sigmoid(W_xt x + W_ht h + b_ht)
        h = n * t + h * (1 - t)

    ``weight_hh`` and ``bias_hh`` hold the rows n1, t1, n2, t2, ..., two blocks a level. The gates' biases start at -2,
    so that most of h passes at first; ``gate_biases={"t1": -4.0, ...}`` is the source's start for long memories.

    Published initialisation: weights U(-0.04, 0.04).

    Args:
        input_size: Width of x.
        hidden_size: Width of h.
        bias: Whether there are biases.
        depth: Levels of a step.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``depth`` is not an integer of at least one.
    """

    states = ("h",)
    gates = ("n", "t")
    biases = ("bias_hh",)
    candidates = ("n",)
    source = "zilly2017recurrent"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    depth: int

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, depth: int = 3, **options: Any) -> None:
        self.depth = check_size(type(self).__name__, "depth", depth)
        self.gate_biases = {gate: -2.0 for _, gate in self._levels()}  # type: ignore[misc]  # as many as levels
        super().__init__(input_size, hidden_size, bias, **options)

    def _levels(self) -> list[tuple[str, str]]:
        return [(f"n{level}", f"t{level}") for level in range(1, self.depth + 1)]

    def row_names(self, name: str) -> tuple[str, ...]:
        """Name the row blocks of a parameter: those of the state's product are two a level."""
        if name in ("weight_hh", "bias_hh"):
            return tuple(gate for level in self._levels() for gate in level)
        return super().row_names(name)

    def published(self) -> Mapping[str, Filler]:
        """Draw small weights."""
        return {"weight_ih": uniform(-0.04, 0.04), "weight_hh": uniform(-0.04, 0.04)}

    def levels(self, x: Tensor) -> Iterator[tuple[tuple[Tensor | float, ...], tuple[str, str]]]:
        """Yield the input's parts and the names of the gates in ``weight_hh``, level by level."""
        first, *others = self._levels()
        yield self.from_input(x), first
        for gates in others:
            yield (0.0, 0.0), gates

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        for (xn, xt), gates in self.levels(x):
            hn, ht = self.from_state(h, *gates)
            n = torch.tanh(xn + hn)
            t = torch.sigmoid(xt + ht)
            h = n * t + h * (1 - t)
        return h
