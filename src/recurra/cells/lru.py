"""The linear recurrent unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler, normal
from recurra.cells.registry import register


@register("lru")
class LRUCell(Cell):
    """Linear recurrent unit: H complex numbers, each turned and shrunk at every step, and a real readout.

        modulus = exp(-exp(log_decay))
        angle = exp(log_phase)
        a = modulus * cos(angle)
        b = modulus * sin(angle)
        re = a * re - b * im + exp(log_scale) * (W_re x)
        im = b * re + a * im + exp(log_scale) * (W_im x)
        y = V_re re - V_im im + w_xy * x

    The equation of im reads the old re. The output y has the width of x; a non-linearity is for what stands around the
    cell. ``weight_ih`` (2H, I) has the rows re, im, ``weight_hy`` (I, 2H) the columns re, im, ``weight_xy`` is (I,),
    the rest (H,). There are no biases.

    Eigenvalues start evenly over a ring: squared moduli between the squares of two radii, angles up to ``max_phase``.
    ``log_scale`` starts at log sqrt(1 - modulus^2), which gives states the variance of the input's product.

    Read as: the radii named for long memory are as recalled from the source.

    Args:
        input_size: Width of x and of the output.
        hidden_size: Number H of complex units.
        bias: Without effect, as there are no biases.
        min_radius: Least modulus at the start, at least 0 and below 1; 0.9 for long memory.
        max_radius: Largest modulus at the start, above 0, at least ``min_radius`` and at most 1; 0.999 for long memory.
        max_phase: Largest angle at the start, in radians a step, above 0; a fraction of the circle for long inputs.
        options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When an option is outside its range.
    """

    states = ("re", "im")
    gates = ("re", "im")
    state_gates = ()
    recurrent_weights = ()
    biases = ()
    source = "orvieto2023resurrecting"
    has_other_input = True
    returns_output = True

    min_radius: float
    max_radius: float
    max_phase: float
    log_decay: Tensor
    log_phase: Tensor
    log_scale: Tensor
    weight_hy: Tensor
    weight_xy: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        min_radius: float = 0.0,
        max_radius: float = 1.0,
        max_phase: float = 2 * math.pi,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        self.min_radius = check_number(who, "min_radius", min_radius, at_least=0, below=1)
        self.max_radius = check_number(who, "max_radius", max_radius, above=0, at_least=self.min_radius, at_most=1)
        self.max_phase = check_number(who, "max_phase", max_phase, above=0)
        super().__init__(input_size, hidden_size, bias, **options)

    @property
    def output_size(self) -> int:
        """Width of the output, that of x."""
        return self.input_size

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        units = dict.fromkeys(("log_decay", "log_phase", "log_scale"), (self.hidden_size,))
        readout = {"weight_hy": (self.input_size, 2 * self.hidden_size), "weight_xy": (self.input_size,)}
        return super().weight_shapes() | units | readout

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts the two products."""
        return {
            "weight_ih": normal(1 / math.sqrt(2 * self.input_size)),
            "weight_hy": normal(1 / math.sqrt(self.hidden_size)),
        }

    def starts(self) -> Mapping[str, Filler]:
        """Draw eigenvalues evenly from a ring, and scale their inputs so that states have the inputs' variance."""
        decays: list[Tensor] = []

        def fill_decay(block: Tensor) -> None:
            square = _inside(block.uniform_(self.min_radius**2, self.max_radius**2))
            decays.append(block.copy_((-0.5 * square.log()).log()))

        def fill_phase(block: Tensor) -> None:
            block.copy_((self.max_phase * _inside(block.uniform_(0.0, 1.0))).log())

        def fill_scale(block: Tensor) -> None:
            # log sqrt(1 - modulus^2), where expm1 is exact for a modulus near 1
            block.copy_(0.5 * (-torch.expm1(-2 * decays[-1].exp())).log())

        return {"log_decay": fill_decay, "log_phase": fill_phase, "log_scale": fill_scale, "weight_xy": normal(1.0)}

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # x (B, I), re and im (B, H)
        """Return the output (B, I) and the next (re, im), each (B, H)."""
        re, im = state
        x_re, x_im = self.from_input(x)
        modulus, angle, scale = torch.exp(-torch.exp(self.log_decay)), torch.exp(self.log_phase), self.log_scale.exp()
        a = modulus * torch.cos(angle)
        b = modulus * torch.sin(angle)
        re, im = a * re - b * im + scale * x_re, b * re + a * im + scale * x_im
        v_re, v_im = self.weight_hy.chunk(2, 1)
        y = torch.nn.functional.linear(re, v_re) - torch.nn.functional.linear(im, v_im) + self.weight_xy * x
        return y, (re, im)


def _inside(block: Tensor) -> Tensor:
    """Keep what was drawn from [0, 1] off its ends, where a logarithm is not finite."""
    smallest = torch.finfo(block.dtype).eps
    return block.clamp(smallest, 1 - smallest)
