"""Penalties on what recurrent layers give out, beside the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def activation_penalty(output: Tensor, dropped: Tensor, lengths: Any, *, activation: float, temporal: float) -> Tensor:
    """Return the activation and the temporal activation regularisation of a batch.

        activation * mean(dropped_t^2) + temporal * mean((output_t - output_{t-1})^2)

    Means are over the valid steps and all components; where there is no pair of steps, the second is zero.

    Args:
        output: Output of the last layer. Shape (T, B, H).
        dropped: The same after dropout.
        lengths: Valid steps of each row (B,), or None when all are.
        activation: Weight of the first term.
        temporal: Weight of the second term.

    Source: Merity, Keskar and Socher 2018, Regularizing and optimizing LSTM language models, section 4.6,
    arXiv 1708.02182.
    """
    is_valid = None
    if lengths is not None:
        steps = torch.arange(output.shape[0], device=output.device).unsqueeze(1)  # (T, 1)
        is_valid = steps < torch.as_tensor(lengths, device=output.device)  # (T, B)
    penalty = output.new_zeros(())
    if activation:
        penalty = penalty + activation * _mean_square(dropped, is_valid)
    if temporal:
        # a valid step follows a valid one
        penalty = penalty + temporal * _mean_square(
            output[1:] - output[:-1], None if is_valid is None else is_valid[1:]
        )
    return penalty


def _mean_square(values: Tensor, is_valid: Tensor | None) -> Tensor:
    if is_valid is None:
        return values.square().sum() / max(values.numel(), 1)
    total = (values.square() * is_valid.unsqueeze(-1)).sum()
    return total / (is_valid.sum() * values.shape[-1]).clamp_min(1)
