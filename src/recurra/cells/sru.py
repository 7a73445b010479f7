"""The simple recurrent unit, in its two versions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.bare_input import bare_input, projection_shape
from recurra.cells.bias import add_bias
from recurra.cells.cell import Cell
from recurra.cells.checks import check_flag, check_number
from recurra.cells.gates import Filler, constant, uniform
from recurra.cells.registry import register
from recurra.errors import ArgumentError, ChoiceError


def identity(c: Tensor) -> Tensor:
    """Return c."""
    return c


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"identity": identity, "tanh": torch.tanh}


class SimpleRecurrentCell(Cell):
    """What both versions share: gates that read the input, their two biases, and the highway past the cell."""

    states = ("c",)
    gates = ("n", "f", "r")
    state_gates = ()
    recurrent_weights = ()
    biases = ()
    candidates = ("n",)
    source = "lei2018simple"
    has_other_input = True
    returns_output = True

    highway_bias: float
    weight_xh: Tensor
    bias_f: Tensor | None
    bias_r: Tensor | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, highway_bias: float = 0.0, **options: Any
    ) -> None:
        who = type(self).__name__
        self.highway_bias = check_number(who, "highway_bias", highway_bias)
        if bias is False and highway_bias:
            raise ArgumentError(f"{who} expected highway_bias to be 0 where bias is False, got {highway_bias!r}")
        super().__init__(input_size, hidden_size, bias, **options)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name; ``weight_xh`` is there only if x and h differ in width."""
        biases = {"bias_f": (self.hidden_size,), "bias_r": (self.hidden_size,)}
        return super().weight_shapes() | biases | projection_shape(self, "weight_xh")

    def published(self) -> Mapping[str, Filler]:
        """Draw the weights so that they keep the variance of x."""
        bound = math.sqrt(3 / self.input_size)
        return {"weight_ih": uniform(-bound, bound), "weight_xh": uniform(-bound, bound)}

    def starts(self) -> Mapping[str, Filler]:
        """Start the bias of r at ``highway_bias``."""
        return {"bias_r": constant(self.highway_bias)}

    def from_input(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return W_x x, with a bias for the two gates: one (B, H) tensor each."""
        xn, xf, xr = super().from_input(x)
        return xn, add_bias(xf, self.bias_f), add_bias(xr, self.bias_r)


@register("sru")
class SRUCell(SimpleRecurrentCell):
    """Simple recurrent unit: gates that see their own unit's memory only, and a highway past it.

        n = W_xn x
        f = sigmoid(W_xf x + b_f + v_f * c)
        r = sigmoid(W_xr x + b_r + v_r * c)
        c = f * c + (1 - f) * n
        h = r * phi(c) + (1 - r) * alpha * x'

    h is the output and c the state; both gates see the old c. x' is x if the two have one width, else its product with
    ``weight_xh``. ``weight_ch`` holds v_f and v_r, (2H,). alpha = sqrt(1 + 2 exp(b)), where b is the start of
    b_r (``highway_bias``, or r's of ``gate_biases``), keeps the variance of x in h where the gates start.

    Differs from the source: its code leaves alpha out of the step where x is projected, and starts the projection's
    weights larger by alpha instead: the same at the start.

    Args:
        input_size: Width of x.
        hidden_size: Width of h and c.
        bias: Whether the gates have biases.
        rescale: Whether x' is scaled by alpha; alpha is 1 otherwise.
        highway_bias: Where the bias of r starts, in every initialisation; below 0, more of x passes at first.
        activation: phi: "identity" or "tanh".
        options: As in :class:`recurra.cells.Cell`. The published initialisation is
            U(-sqrt(3/I), sqrt(3/I)) for n and x', that times sqrt(1/2) for the gates, and
            U(-sqrt(3/2), sqrt(3/2)) for v, which starts so in every initialisation.

    Raises:
        ArgumentError: When ``rescale`` is no bool, or ``highway_bias`` no number, or not 0 where there are no biases.
        ChoiceError: When ``activation`` is unknown.
    """

    peepholes = ("f", "r")

    rescale: bool
    activation: str
    weight_ch: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        rescale: bool = True,
        highway_bias: float = 0.0,
        activation: str = "identity",
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.rescale = check_flag(who, "rescale", rescale)
        if activation not in ACTIVATIONS:
            raise ChoiceError(f"activation of {who}", activation, tuple(ACTIVATIONS))
        self.activation = activation
        super().__init__(input_size, hidden_size, bias, highway_bias=highway_bias, **options)
        start = self.started_biases.get("r", self.highway_bias)
        self.alpha = math.sqrt(1 + 2 * math.exp(start)) if rescale else 1.0
        self.phi = ACTIVATIONS[activation]

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name."""
        return super().weight_shapes() | {"weight_ch": (2 * self.hidden_size,)}

    def published(self) -> Mapping[str, Filler]:
        """Draw the weights so that they keep the variance of x, and those of a gate with half of it."""
        bound = math.sqrt(1.5 / self.input_size)
        gate = uniform(-bound, bound)
        return {**super().published(), "weight_ih.f": gate, "weight_ih.r": gate}

    def starts(self) -> Mapping[str, Filler]:
        """Start v with variance 1/2."""
        return {**super().starts(), "weight_ch": uniform(-math.sqrt(1.5), math.sqrt(1.5))}

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:  # x (B, I), c (B, H)
        """Return h and the next c, both (B, H)."""
        xn, xf, xr = self.from_input(x)
        vf, vr = self.row_blocks("weight_ch")
        n = xn
        f = torch.sigmoid(xf + vf * c)
        r = torch.sigmoid(xr + vr * c)
        c = f * c + (1 - f) * n
        h = r * self.phi(c) + (1 - r) * self.alpha * bare_input(self, x, "weight_xh")
        return h, c


@register("sru-v1")
class SRUV1Cell(SimpleRecurrentCell):
    """Simple recurrent unit of the first version: gates that see the input only.

        n = W_xn x
        f = sigmoid(W_xf x + b_f)
        r = sigmoid(W_xr x + b_r)
        c = f * c + (1 - f) * n
        h = r * tanh(c) + (1 - r) * x'

    h is the output and c the state. x' is x if the two have one width, else its product with ``weight_xh``.

    Differs from the source: this is the first preprint of 2017, which the published paper replaced; it is
    :class:`SRUCell` with v = 0, activation "tanh" and no rescaling.

    Args:
        input_size: Width of x.
        hidden_size: Width of h and c.
        bias: Whether the gates have biases.
        highway_bias: Where the bias of r starts, in every initialisation.
        options: As in :class:`recurra.cells.Cell`. The published initialisation is U(-sqrt(3/I), sqrt(3/I)).

    Raises:
        ArgumentError: When ``highway_bias`` is no number, or not 0 where there are no biases.
    """

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:  # x (B, I), c (B, H)
        """Return h and the next c, both (B, H)."""
        xn, xf, xr = self.from_input(x)
        n = xn
        f = torch.sigmoid(xf)
        r = torch.sigmoid(xr)
        c = f * c + (1 - f) * n
        h = r * torch.tanh(c) + (1 - r) * bare_input(self, x, "weight_xh")
        return h, c
