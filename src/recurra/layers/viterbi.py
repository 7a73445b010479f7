"""The best sequence of tags, given scores of tags and of transitions between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.errors import ArgumentError, ShapeError
from recurra.layers.tag_checks import check_emissions
from recurra.layers.tag_constraints import TagConstraints

IGNORED = -100
"""What stands behind the lengths, as torch's losses leave it out."""


@torch.no_grad()
def viterbi(
    emissions: Tensor,
    lengths: Tensor | Sequence[int],
    *,
    transitions: Tensor | None = None,
    start: Tensor | None = None,
    end: Tensor | None = None,
    constraints: TagConstraints | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the tags of the highest score, and the score, for each row of a batch.

        score = start[y_1] + sum_t emissions_t[y_t] + sum_t transitions[y_{t-1}, y_t] + end[y_n]

    Args:
        emissions: Score of each tag at each step. Shape (T, B, K). What stands behind the lengths is not read.
        lengths: Valid steps of each row (B,), 0 allowed.
        transitions: Score of a tag (column) after another (row). Shape (K, K); None is zero for all, and so below.
        start: Score of a tag at the first step. Shape (K,).
        end: Score of a tag at the last step. Shape (K,).
        constraints: Which tags may stand where; None allows all.

    Returns:
        The tags (T, B), int64, -100 behind the lengths; and the scores (B,), zero for an empty row. Of tags with equal
        scores, any may come.

    Raises:
        ShapeError: When an argument is of another shape.
        ArgumentError: When no sequence of a row's length has a score above minus infinity.

    Source: Viterbi 1967, doi 10.1109/TIT.1967.1054010; Rabiner 1989, section III.B, doi 10.1109/5.18626.
    """
    known, is_valid = check_emissions("viterbi", emissions, lengths)
    num_tags = emissions.shape[-1]
    square, line = (num_tags, num_tags), (num_tags,)
    moves = _joined(emissions, "transitions", transitions, constraints, square)
    first = _joined(emissions, "start", start, constraints, line)
    last = _joined(emissions, "end", end, constraints, line)
    into = moves.t().contiguous()  # of each tag (row) those before it lie side by side, as they are searched
    best = _best_scores(emissions.to(moves.dtype), into, first)
    ends = (known - 1).clamp_min(0)
    score, tag = (torch.stack(best)[ends, torch.arange(len(known), device=known.device)] + last).max(1)  # (B,)
    score = score.masked_fill(known == 0, 0)
    _check_possible(score, known)
    return _trace_back(best, into, tag, ends).masked_fill_(~is_valid, IGNORED), score


def _joined(
    emissions: Tensor, name: str, scores: Tensor | None, constraints: TagConstraints | None, shape: tuple[int, ...]
) -> Tensor:
    """Return the scores with minus infinity where the constraints forbid, in at least float32."""
    mask: Tensor | None = None if constraints is None else getattr(constraints, name)
    for what, given in ((name, scores), (f"constraints.{name}", mask)):
        if given is not None and given.shape != shape:
            raise ShapeError(f"viterbi expected {what} of shape {shape}, got {tuple(given.shape)}")
    dtype = torch.promote_types(emissions.dtype, torch.float32)
    joined = torch.zeros(shape, dtype=dtype, device=emissions.device) if scores is None else scores.to(dtype)
    return joined if mask is None else joined.masked_fill(~mask.to(emissions.device), -math.inf)


def _best_scores(emissions: Tensor, into: Tensor, start: Tensor) -> list[Tensor]:
    """Return, for each step, the best score of all ways to each tag, (B, K)."""
    first, *later = emissions.unbind()
    best = [start + first]
    for scores in later:
        best.append((best[-1].unsqueeze(1) + into).amax(2).add_(scores))
    return best


def _trace_back(best: list[Tensor], into: Tensor, tag: Tensor, ends: Tensor) -> Tensor:
    """Return the tags (T, B) that lead to ``tag`` (B,) at the step ``ends`` (B,); behind that any.

    Where a tag came from is looked for here, on the one way that is wanted: all the scores' places, kept on the way
    there, take several times as long.
    """
    path = [tag]
    for step in range(len(best) - 2, -1, -1):
        before = (best[step] + into[path[-1]]).argmax(1)
        path.append(torch.where(ends > step, before, tag))
    return torch.stack(path[::-1])


def _check_possible(score: Tensor, lengths: Tensor) -> None:
    impossible = (score == -math.inf).nonzero()
    if len(impossible):
        row = int(impossible[0])
        raise ArgumentError(
            f"viterbi expected scores and constraints that leave some tags possible for each row, "
            f"got none for the {int(lengths[row])} steps of row {row}"
        )
