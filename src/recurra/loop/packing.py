"""The order in which a packed batch holds its steps: step by step, longest row first."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.loop.plan import valid_steps


def packed_batch_sizes(lengths: Tensor) -> Tensor:
    """Return how many rows have each step, (max length,), from lengths (B,) on the CPU."""
    return valid_steps(lengths, int(lengths.max())).sum(1)


def packed_index(batch_sizes: Tensor, rows: Tensor, batch_size: int, reverse_lengths: Tensor | None = None) -> Tensor:
    """Return where each packed step stands in a padded batch (T, B, ·) flattened to (T*B, ·).

    Args:
        batch_sizes: Rows of each step, (T,), on the CPU.
        rows: The rows of the padded batch, longest first.
        batch_size: B.
        reverse_lengths: Length of each row in ``rows``; if given, each row is read from its last valid step back.
    """
    steps = torch.repeat_interleave(batch_sizes)  # t for each packed step
    starts = batch_sizes.cumsum(0) - batch_sizes
    place = torch.arange(len(steps)) - starts[steps]  # row among the sorted, for each packed step
    if reverse_lengths is not None:
        steps = reverse_lengths[place] - 1 - steps
    return steps * batch_size + rows[place]
