"""The logarithm of the sum over all sequences of tags: what normalises a linear-chain conditional random field."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recurra.loop.plan import valid_steps


def log_partition(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return log of the sum over all tags y_1 ... y_n of exp(score), for each row; zero for an empty one.

        score = start[y_1] + sum_t emissions_t[y_t] + sum_t transitions[y_{t-1}, y_t] + end[y_n]

    The sum goes over time with a vector of K numbers a row. Those are kept as probabilities, scaled at every step,
    so that a step is one product of matrices, and its gradient one more (Rabiner 1989, section V.A). That is exact
    while the scores of one step lie so near to each other that none vanishes beside another in the type; where they
    do not, all is done with logarithms instead, which takes several times as long.

    Args:
        emissions: Score of each tag at each step. Shape (T, B, K), float32 or float64. What stands behind the lengths
            is not read.
        lengths: Valid steps of each row. Shape (B,), int64, on the same device.
        transitions: Score of a tag (column) after another (row). Shape (K, K).
        start: Score of a tag at the first step. Shape (K,).
        end: Score of a tag at the last step. Shape (K,).

    Returns:
        Shape (B,). It can be differentiated once by all scores.

    Source: Lafferty, McCallum and Pereira 2001, Conditional random fields; Rabiner 1989, A tutorial on hidden Markov
    models, doi 10.1109/5.18626.
    """
    emissions = emissions.masked_fill(~valid_steps(lengths, len(emissions)).unsqueeze(2), 0)
    arguments = (emissions, transitions, start, end)
    # reduced precision, where a caller asked for it, is not for sums over a whole sequence
    with torch.autocast(emissions.device.type, enabled=False):
        if _can_scale(*arguments):
            result: Tensor = _ScaledSum.apply(*arguments, lengths)
        else:
            result = _logarithmic_sum(*arguments, lengths)
    return result.masked_fill(lengths == 0, 0)


@torch.no_grad()
def _can_scale(emissions: Tensor, *others: Tensor) -> bool:
    """Say whether no score of a step vanishes beside another: False too where one is not finite."""
    low, high = torch.aminmax(emissions, dim=-1)
    between = torch.stack([scores.max() - scores.min() for scores in others]).max()
    # a scaled probability is at least exp(-spread), and its partner of the way back at most exp(spread)
    return bool((high - low).max() + between < -math.log(torch.finfo(emissions.dtype).tiny) - 8)


def _logarithmic_sum(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    first, *later = emissions.unbind()
    sums = [start + first]  # (B, K) each
    for scores in later:
        sums.append(torch.logsumexp(sums[-1].unsqueeze(2) + transitions, 1) + scores)
    rows = torch.arange(len(lengths), device=lengths.device)
    return torch.logsumexp(torch.stack(sums)[(lengths - 1).clamp_min(0), rows] + end, 1)


def _scaled(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp(scores) with the largest as one, and the logarithm of what it is."""
    highest = scores.max()
    return (scores - highest).exp_(), highest


class _ScaledSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        highest = emissions.amax(-1, keepdim=True)  # (T, B, 1)
        weights = (emissions - highest).exp_()  # (T, B, K)
        matrix, log_matrix = _scaled(transitions)
        first, log_first = _scaled(start)
        tail, log_tail = _scaled(end)
        probs, scales = torch.empty_like(weights), torch.empty_like(highest)
        before = None
        for weight, prob, scale in zip(weights.unbind(), probs.unbind(), scales.unbind(), strict=True):
            if before is None:
                torch.mul(weight, first, out=prob)
            else:
                torch.mm(before, matrix, out=prob)
                prob.mul_(weight)
            torch.amax(prob, -1, keepdim=True, out=scale)
            before = prob.div_(scale)
        last, rows = (lengths - 1).clamp_min(0), torch.arange(len(lengths), device=lengths.device)
        total = probs[last, rows].mv(tail)  # (B,)
        ctx.save_for_backward(weights, matrix, tail, probs, scales, total, lengths)
        logs = (scales.log() + highest).squeeze(2).cumsum(0)[last, rows]
        return total.log() + logs + log_first + log_tail + last * log_matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_sum: Tensor) -> tuple[Tensor | None, ...]:
        weights, matrix, tail, probs, scales, total, lengths = ctx.saved_tensors
        last, rows = (lengths - 1).clamp_min(0), torch.arange(len(lengths), device=lengths.device)
        d_total = d_sum / total  # (B,), zero for an empty row
        # what follows each step, scaled so that its product with the probabilities there is the gradient
        following = torch.zeros_like(probs)
        following[last, rows] = torch.outer(d_total, tail)
        passed = weights / scales
        with torch.autocast(probs.device.type, enabled=False):
            pairs = list(zip(passed.unbind(), following.unbind(), strict=True))
            for (factor, later), (_, earlier) in zip(pairs[:0:-1], pairs[-2::-1], strict=True):
                earlier.addmm_(factor.mul_(later), matrix.t())
            d_transitions = matrix * probs[:-1].flatten(0, 1).t().mm(passed[1:].flatten(0, 1))
            d_end = tail * d_total.matmul(probs[last, rows])
        d_emissions = following.mul_(probs)
        return d_emissions, d_transitions, d_emissions[0].sum(0), d_end, None
