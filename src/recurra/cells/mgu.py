"""The minimal gated unit: as it was published, and as one library has it."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.cells.bias import add_bias
from recurra.cells.cell import Cell
from recurra.cells.registry import register


@register("mgu")
class MGUCell(Cell):
    """Minimal gated unit: one gate both resets and blends.

        f = sigmoid(W_xf x + b_xf + W_hf h)
        n = tanh(W_xn x + b_xn + W_hn (f * h))
        h = (1 - f) * h + f * n

    f = 1 forgets h. Since f also stands inside n, a turned sign does not make the other blend of
    ``MGUResetAfterCell``. The source's own start is not recorded here, so "published" is "orthogonal".
    """

    states = ("h",)
    gates = ("f", "n")
    candidates = ("n",)
    source = "zhou2016minimal"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xf, xn = self.from_input(x)
        (hf,) = self.from_state(h, "f")
        f = torch.sigmoid(xf + hf)
        (hn,) = self.from_state(f * h, "n")
        n = torch.tanh(xn + hn)
        h = (1 - f) * h + f * n
        return h


@register("mgu-reset-after")
class MGUResetAfterCell(Cell):
    """Minimal gated unit with the gate after the product, as in Flax.

        f = sigmoid(W_xf x + b_xf + W_hf h)
        n = tanh(W_xn x + b_xn + f * (W_hn h + b_hn))
        h = (1 - f) * n + f * h

    f = 1 keeps h, and its bias starts at 1. ``bias_hn`` is b_hn.

    Differs from the source: there f scales h before the product, and f and 1 - f change places in the blend. Its start
    is not recorded here, so "published" is "orthogonal".
    """

    states = ("h",)
    gates = ("f", "n")
    candidates = ("n",)
    source = "zhou2016minimal"
    state_range = {"h": (-1.0, 1.0)}  # noqa: RUF012 - declared as a ClassVar in Cell
    gate_biases = {"f": 1.0}  # noqa: RUF012 - declared as a ClassVar in Cell

    bias_hn: Tensor | None

    def row_names(self, name: str) -> tuple[str, ...]:
        """Name the row blocks of a parameter; ``bias_hn`` is the gate n's second bias."""
        return ("n",) if name == "bias_hn" else super().row_names(name)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        return super().weight_shapes() | {"bias_hn": (self.hidden_size,)}

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # x (B, I), h (B, H)
        """Return the next h (B, H)."""
        xf, xn = self.from_input(x)
        hf, hn = self.from_state(h)
        f = torch.sigmoid(xf + hf)
        n = torch.tanh(xn + f * add_bias(hn, self.bias_hn))
        h = (1 - f) * n + f * h
        return h
