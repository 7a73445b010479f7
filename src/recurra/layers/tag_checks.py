"""Checks of what taggers are handed: scores of tags, lengths, and tags."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.errors import ArgumentError, ShapeError
from recurra.loop.checks import check_lengths
from recurra.loop.plan import valid_steps


def check_emissions(
    who: str, emissions: Tensor, lengths: Tensor | Sequence[int], num_tags: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the lengths (B,) and where a step is valid (T, B), both on the device of the emissions.

    Raises:
        ShapeError: When the emissions are not (T, B, num_tags) with at least one of each, or the lengths do not fit.
    """
    wanted = "tags" if num_tags is None else f"tags={num_tags}"
    if emissions.dim() != 3 or not emissions.numel() or num_tags not in (None, emissions.shape[-1]):
        raise ShapeError(
            f"{who} expected emissions of shape (time, batch, {wanted}), with at least one of each, "
            f"got {tuple(emissions.shape)}"
        )
    num_steps, batch_size = emissions.shape[:2]
    known = check_lengths(who, lengths, num_steps, batch_size).to(emissions.device)
    return known, valid_steps(known, num_steps)


def tags_to_read(who: str, tags: Tensor, is_valid: Tensor, num_tags: int) -> Tensor:
    """Return the tags with 0 in place of what stands behind the lengths, so that all are indices.

    Raises:
        ShapeError: When they are not integers of the shape of ``is_valid`` (T, B).
        ArgumentError: When one that counts is none of the ``num_tags``.
    """
    if tags.shape != is_valid.shape or tags.is_floating_point() or tags.dtype == torch.bool:
        raise ShapeError(
            f"{who} expected tags to be integers of shape {tuple(is_valid.shape)}, as many as emissions, "
            f"got {tags.dtype} of shape {tuple(tags.shape)}"
        )
    readable = tags.long().masked_fill(~is_valid, 0)
    low, high = (int(limit) for limit in torch.aminmax(readable))
    if low < 0 or high >= num_tags:
        raise ArgumentError(
            f"{who} expected tags from 0 to {num_tags - 1} within the lengths, got {low if low < 0 else high}"
        )
    return readable
