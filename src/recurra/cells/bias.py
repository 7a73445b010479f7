"""A bias that stands apart from the product with a stacked weight."""

from __future__ import annotations

from torch import Tensor


def add_bias(value: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``value`` (B, H) plus ``bias`` (H,), or as it is where the cell has no biases."""
    return value if bias is None else value + bias
