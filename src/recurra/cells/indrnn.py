"""Independently recurrent cells: each unit sees, of the state, itself alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number, check_size
from recurra.cells.gates import Filler, uniform
from recurra.cells.registry import register


@register("indrnn")
class IndRNNCell(Cell):
    """Independently recurrent network with rectified units.

        h = relu(W_xh x + b_xh + u * h)

    ``weight_hh`` is the vector u (H,). It starts from U(0, 1) in every initialisation, and the source keeps it within
    bounds after every update: Recurra's training loop does so where ``num_steps`` is given, a loop of one's own calls
    :meth:`after_update` or :meth:`clamp_weights`. Units mix only between layers, so the source stacks two or
    more.

    The source also normalises between layers, which is no part of the cell; how the other weights start there is not
    recorded here.

    Args:
        input_size: Width of x.
        hidden_size: Width of h.
        bias: Whether there are biases.
        num_steps: Length of the sequences, for the bound that :meth:`after_update` keeps; ``None`` is no bound.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``num_steps`` is not an integer of at least one.
    """

    states = ("h",)
    gates = ("h",)
    recurrent_weights = ()
    source = "li2018independently"
    state_range = {"h": (0.0, math.inf)}  # noqa: RUF012 - declared as a ClassVar in Cell

    num_steps: int | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, num_steps: int | None = None, **options: Any
    ) -> None:
        self.num_steps = None if num_steps is None else check_size(type(self).__name__, "num_steps", num_steps)
        super().__init__(input_size, hidden_size, bias, **options)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name; ``weight_hh`` is a vector."""
        return super().weight_shapes() | {"weight_hh": (self.hidden_size,)}

    def starts(self) -> Mapping[str, Filler]:
        """Start units with all memories between none and endless."""
        return {"weight_hh": uniform(0.0, 1.0)}

    def from_state(self, h: Tensor, *gates: str) -> tuple[Tensor, ...]:
        """Return u * h, in a tuple of one (B, H) tensor."""
        assert not gates, f"{type(self).__name__} has one product, got {gates}"
        return (self.weight_hh * h,)

    def after_update(self) -> None:
        """Keep the recurrent weights within 2 ** (1 / num_steps), if that option was given."""
        if self.num_steps is not None:
            self.clamp_weights(self.num_steps)

    def clamp_weights(self, num_steps: int, magnitude: float = 2.0) -> None:
        """Bring every recurrent weight in place to at most ``magnitude ** (1 / num_steps)`` in absolute value.

        Within this bound, what a unit keeps over ``num_steps`` steps grows at most by the factor ``magnitude``; the
        source does so after every update.

        Args:
            num_steps: Length of the sequences, in steps.
            magnitude: The factor, above 0; the source uses 2 or more.

        Raises:
            ArgumentError: When ``num_steps`` is not an integer of at least one or ``magnitude`` not above 0.
        """
        who = f"{type(self).__name__}.clamp_weights"
        bound = check_number(who, "magnitude", magnitude, above=0) ** (1 / check_size(who, "num_steps", num_steps))
        with torch.no_grad():
            clamped = self.weight_hh.clamp(-bound, bound)
            if parametrize.is_parametrized(self, "weight_hh"):
                self.weight_hh = clamped
            else:
                self.weight_hh.copy_(clamped)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        h = torch.relu(xh + hh)
        return h


@register("indrnn-tanh")
class IndRNNTanhCell(IndRNNCell):
    """Independently recurrent network with tanh units.

        h = tanh(W_xh x + b_xh + u * h)

    ``weight_hh`` is the vector u (H,), and starts from U(-0.5, 0.5) in every initialisation.

    Differs from the source: there the units are rectified; this form, and its start, are those of later libraries.
    """

    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def starts(self) -> Mapping[str, Filler]:
        """Start units with short memories, of both signs."""
        return {"weight_hh": uniform(-0.5, 0.5)}

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        (xh,) = self.from_input(x)
        (hh,) = self.from_state(h)
        h = torch.tanh(xh + hh)
        return h
