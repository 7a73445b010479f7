"""The scores of additive attention, whose hyperbolic tangents of all pairs are most of its work.

The exponential of a sum is a product, so that none has to be computed for a pair:

    tanh(q + k) = 1 - 2 r        r = 1 / (1 + exp(2 q) exp(2 k))

What is left for a pair is a product, a sum and a reciprocal, in memory that is used again from step to step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.loop.memory import pool
from recurra.loop.obstacles import is_transformed, is_wrapped

_LARGEST = 40.0
"""Beyond it the exponentials leave what float32 can hold."""


def additive_scores(query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
    """Return v^T tanh(q_t + k_s) for all pairs of a query and a key of a row.

    Args:
        query: q. Shape (T, B, A).
        keys: k. Shape (S, B, A).
        direction: v. Shape (A,).

    Returns:
        Shape (B, T, S).
    """
    if not _is_own((query, keys, direction)):
        return _plain(query, keys, direction)
    scores: Tensor = _AdditiveScores.apply(query, keys, direction)
    return scores


def _is_own(tensors: tuple[Tensor, ...]) -> bool:
    """Whether the tensors are plain memory of moderate numbers; torch's own operations take all else."""
    dtype = tensors[0].dtype
    return (
        dtype in (torch.float32, torch.float64)
        and all(tensor.device.type == "cpu" and tensor.dtype == dtype for tensor in tensors)
        and not any(map(is_wrapped, tensors))
        and not torch._C._len_torch_dispatch_stack()
        and not torch.compiler.is_compiling()
        and not is_transformed()
        and all(map(_is_moderate, tensors[:2]))
    )


def _is_moderate(tensor: Tensor) -> bool:
    if not tensor.numel():
        return False
    low, high = torch.aminmax(tensor.detach())
    return float(low) > -_LARGEST and float(high) < _LARGEST


def _plain(query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
    sums = query.transpose(0, 1).unsqueeze(2) + keys.transpose(0, 1).unsqueeze(1)  # (B, T, S, A)
    return torch.tanh(sums) @ direction


class _AdditiveScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
        (num_queries, batch_size, width), num_keys = query.shape, len(keys)
        shape = (batch_size, num_queries, num_keys, width)
        queries, others = ((tensor * 2).exp_().transpose(0, 1) for tensor in (query, keys))
        ratios = pool.take(batch_size * num_queries * num_keys * width, query.dtype).view(shape)  # r
        torch.addcmul(query.new_ones(()), queries.unsqueeze(2), others.unsqueeze(1), out=ratios).reciprocal_()
        ctx.save_for_backward(query, keys, direction, ratios)
        scores = torch.mv(ratios.view(-1, width), direction).view(shape[:3])
        return scores.mul_(-2).add_(direction.sum())

    @staticmethod
    def backward(ctx: Any, d_scores: Tensor) -> tuple[Tensor | None, ...]:
        query, keys, direction, ratios = ctx.saved_tensors
        if torch.is_grad_enabled() or is_transformed() or is_wrapped(d_scores):
            return _plain_gradients((query, keys, direction), d_scores, ctx.needs_input_grad)
        d_scores = d_scores.contiguous()
        batch_size, num_queries, num_keys, width = ratios.shape
        rows = ratios.view(batch_size * num_queries, num_keys, width)
        d_direction = torch.mv(ratios.view(-1, width).t(), d_scores.view(-1)).mul_(-2).add_(d_scores.sum())
        # the derivative of tanh is 4 (r - r r); the factors 4 and v are the same in all sums over pairs
        slopes = pool.take(ratios.numel(), ratios.dtype).view(rows.shape)
        torch.addcmul(rows, rows, rows, value=-1, out=slopes)
        d_query = torch.bmm(d_scores.view(-1, 1, num_keys), slopes).view(batch_size, num_queries, width)
        slopes = slopes.view(ratios.shape).mul_(d_scores.unsqueeze(-1))
        factors = direction * 4
        return d_query.mul_(factors).transpose(0, 1), slopes.sum(1).mul_(factors).transpose(0, 1), d_direction


def _plain_gradients(
    inputs: tuple[Tensor, Tensor, Tensor], d_scores: Tensor, wanted: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Compute the scores again by torch's operations and let autograd differentiate them: for second derivatives."""
    is_second = torch.is_grad_enabled()
    with torch.enable_grad():
        scores = _plain(*inputs)
        sources = [tensor for tensor, want in zip(inputs, wanted, strict=True) if want]
        found = iter(torch.autograd.grad(scores, sources, d_scores, create_graph=is_second))
    return tuple(next(found) if want else None for want in wanted)
