"""The long short-term memory with a projected output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.cells.checks import check_size
from recurra.cells.registry import register
from recurra.cells.torch_cell import TorchCell
from recurra.errors import ArgumentError, ShapeError


@register("projected-lstm")
class ProjectedLSTMCell(TorchCell):
    """Long short-term memory whose output is a projection, as in torch.nn.LSTM with ``proj_size``.

        i = sigmoid(W_xi x + b_xi + W_hi h + b_hi)
        f = sigmoid(W_xf x + b_xf + W_hf h + b_hf)
        g = tanh(W_xg x + b_xg + W_hg h + b_hg)
        o = sigmoid(W_xo x + b_xo + W_ho h + b_ho)
        c = f * c + i * g
        h = W_hr (o * tanh(c))

    h has width ``proj_size``, c and the gates have width ``hidden_size``; ``weight_hr`` is (proj_size, hidden_size).

    Differs from the source: no peepholes, and no second projection that feeds the output only.

    Args:
        input_size: Width of x.
        hidden_size: Width of c, at least 2.
        bias: Whether there are biases.
        proj_size: Width of h, less than ``hidden_size``; ``None`` is half of it.
        init: As in :class:`recurra.cells.Cell`; ``weight_hr`` is one block, and counts as an input block.
        device: Device of the parameters.
        dtype: Type of the parameters.

    Raises:
        ArgumentError: When ``hidden_size`` is less than 2, or ``proj_size`` not in 1 to ``hidden_size - 1``.
    """

    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    candidates = ("g",)
    source = "sak2014long"
    gate_biases = {"f": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell

    proj_size: int
    weight_hr: Tensor

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, proj_size: int | None = None, **options: Any
    ) -> None:
        who = type(self).__name__
        check_size(who, "hidden_size", hidden_size, at_least=2)
        self.proj_size = check_size(who, "proj_size", hidden_size // 2 if proj_size is None else proj_size)
        if self.proj_size >= hidden_size:
            raise ArgumentError(
                f"{who} expected proj_size to be less than hidden_size={hidden_size}, got {self.proj_size}"
            )
        super().__init__(input_size, hidden_size, bias, **options)

    @classmethod
    def _sizes_of(cls, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        if "weight_hr" not in tensors:
            raise ShapeError(f"{cls.__name__} expected a tensor for weight_hr, got none")
        return super()._sizes_of(tensors) | {"proj_size": tensors["weight_hr"].shape[0]}

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of h and c."""
        return (self.proj_size, self.hidden_size)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"weight_hr": (self.proj_size, self.hidden_size)}

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # x (B, I), h (B, P), c (B, H)
        """Return the next (h, c), of shapes (B, P) and (B, H)."""
        h, c = state
        xi, xf, xg, xo = self.from_input(x)
        hi, hf, hg, ho = self.from_state(h)
        i = torch.sigmoid(xi + hi)
        f = torch.sigmoid(xf + hf)
        g = torch.tanh(xg + hg)
        o = torch.sigmoid(xo + ho)
        c = f * c + i * g
        h = torch.nn.functional.linear(o * torch.tanh(c), self.weight_hr)
        return h, c
