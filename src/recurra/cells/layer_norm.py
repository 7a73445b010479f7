"""Layer normalisation over several gates at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

EPSILON = 1e-5
"""Added to a variance; rows of equal numbers stay finite."""


def layer_norm(parts: Sequence[Tensor], gain: Tensor, shift: Tensor) -> tuple[Tensor, ...]:
    """Normalise parts that lie side by side as one row: (row - mean) / sqrt(variance + 1e-5) * gain + shift.

    Args:
        parts: Tensors (B, width each); the variance is the biased one, over all of them.
        gain: Of the width of all parts together, (width,).
        shift: Likewise.

    Returns:
        The parts, normalised.
    """
    row = torch.cat(tuple(parts), -1)
    normalized = torch.nn.functional.layer_norm(row, row.shape[-1:], gain, shift, EPSILON)
    pieces: tuple[Tensor, ...] = normalized.split([part.shape[-1] for part in parts], -1)
    return pieces
