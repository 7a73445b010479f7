"""The weights of one cell, gate by gate: what every format is read into and written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class CellWeights:
    """The weights of one cell, G gates in the order of :attr:`Kind.gates`.

    A kind whose two biases only ever act as their sum may have ``bias_ih`` alone, which is that sum.
    """

    weight_ih: Array
    """Weights of the input (G, H, I)."""
    weight_hh: Array
    """Weights of the state (G, H, H)."""
    bias_ih: Array | None = None
    """Bias beside the input's product (G, H); ``None`` is a cell without biases."""
    bias_hh: Array | None = None
    """Bias beside the state's product (G, H); ``None`` is none, or zero."""

    @property
    def input_size(self) -> int:
        """Width of the input."""
        return int(self.weight_ih.shape[2])

    @property
    def hidden_size(self) -> int:
        """Width of the state."""
        return int(self.weight_ih.shape[1])

    @property
    def has_bias(self) -> bool:
        """Whether there are biases."""
        return self.bias_ih is not None

    def two_biases(self) -> tuple[Array, Array]:
        """Return the bias of the input's and of the state's product (G, H); zeros stand for what there is not."""
        zeros = np.zeros_like(self.weight_ih[..., 0])
        return (
            zeros if self.bias_ih is None else self.bias_ih,
            zeros if self.bias_hh is None else self.bias_hh,
        )

    def summed_bias(self) -> Array:
        """Return the sum of both biases (G, H), rounded once; zeros if there is none."""
        bias_ih, bias_hh = self.two_biases()
        return bias_ih if self.bias_hh is None else np.asarray(bias_ih + bias_hh)

    def arrays(self) -> list[Array]:
        """Return all arrays there are."""
        found = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return [array for array in found if array is not None]


Layers: TypeAlias = Sequence[Sequence[CellWeights]]
"""Weights by layer, and in it by direction: forward, then backward."""


def part_rows(stacked: Array, order: Sequence[str], gates: Sequence[str]) -> Array:
    """Return row blocks (G*H, ...) that lie in one order of gates as (G, H, ...) in another, copied."""
    blocks = stacked.reshape(len(gates), -1, *stacked.shape[1:])  # (G, H, ...)
    return blocks[[order.index(gate) for gate in gates]]


def stack_rows(blocks: Array, order: Sequence[str], gates: Sequence[str]) -> Array:
    """Return blocks (G, H, ...) as row blocks (G*H, ...) in another order of gates, copied."""
    return blocks[[gates.index(gate) for gate in order]].reshape(-1, *blocks.shape[2:])  # (G*H, ...)
