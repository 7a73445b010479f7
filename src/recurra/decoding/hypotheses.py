"""What a beam search found: sequences, and the steps from which they are read backwards."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that was found.

    Attributes:
        tokens: Its ids without the end token.
        log_prob: Logarithm of its probability, the end token's included.
        score: What it was ranked by, see :func:`recurra.decoding.beam_search`.
        is_complete: Whether it ended by itself, and not at the longest length.
        attention: Weights of attention when each id was drawn, the end token's last where it is complete, on the CPU;
            None where there are none, or they were not kept. Shape (length, S).
    """

    tokens: list[int]
    log_prob: float
    score: float
    is_complete: bool
    attention: Tensor | None = None


@dataclass(frozen=True)
class _End:
    """Where a sequence ends: what it is ranked by, and its way back."""

    is_complete: bool
    score: float
    log_prob: float
    length: int
    parent: int


class History:
    """The hypotheses after each step, each with the one that it continues.

    Args:
        batch_size: Rows B.
        keep_weights: Whether to keep the weights of attention.
    """

    def __init__(self, batch_size: int, keep_weights: bool) -> None:
        self._keep_weights = keep_weights
        self._ids: list[list[list[int]]] = []
        self._parents: list[list[list[int]]] = []
        self._weights: list[Tensor | None] = []
        self._places: list[dict[int, int]] = []
        self._ends: list[list[_End]] = [[] for _ in range(batch_size)]

    def add_step(self, active: list[int], ids: Tensor, parents: Tensor, weights: Tensor | None) -> None:
        """Add the hypotheses that go on.

        Args:
            active: Which row each of the B' is.
            ids: Their last ids. Shape (B', K).
            parents: Which hypothesis before this step each continues. Shape (B', K).
            weights: Weights of attention, of the hypotheses before this step. Shape (K', B', S).
        """
        self._places.append({row: place for place, row in enumerate(active)})
        self._ids.append(ids.tolist())
        self._parents.append(parents.tolist())
        self._weights.append(weights.cpu() if weights is not None and self._keep_weights else None)

    def add_ends(
        self, rows: list[int], parents: Tensor, log_probs: Tensor, scores: Tensor, *, is_complete: bool
    ) -> None:
        """Add sequences that end with the step added last, (N,) each.

        Args:
            rows: Their rows.
            parents: Which hypothesis each was: before that step if it is complete, else after it.
            log_probs: Their probabilities.
            scores: Their scores.
            is_complete: Whether that step draws the end token.
        """
        found = zip(rows, parents.tolist(), log_probs.tolist(), scores.tolist(), strict=True)
        for row, parent, log_prob, score in found:
            self._ends[row].append(_End(is_complete, score, log_prob, len(self._ids), parent))

    def best(self, num_best: int) -> list[list[Hypothesis]]:
        """Return the best hypotheses of each row, complete ones first and then by their scores."""
        found = []
        for row, ends in enumerate(self._ends):
            ranked = sorted(ends, key=lambda end: (end.is_complete, end.score), reverse=True)
            found.append([self._read(row, end) for end in ranked[:num_best]])
        return found

    def _read(self, row: int, end: _End) -> Hypothesis:
        """Follow a sequence back to its beginning."""
        tokens, weights, beam = [], [], end.parent
        steps = range(end.length)
        if end.is_complete:
            steps = steps[:-1]
            weights.append(self._weights_of(row, end.length - 1, beam))
        for step in reversed(steps):
            place = self._places[step][row]
            tokens.append(self._ids[step][place][beam])
            beam = self._parents[step][place][beam]
            weights.append(self._weights_of(row, step, beam))
        rows = [weight for weight in reversed(weights) if weight is not None]
        attention = torch.stack(rows) if rows else None
        return Hypothesis(tokens[::-1], end.log_prob, end.score, end.is_complete, attention)

    def _weights_of(self, row: int, step: int, beam: int) -> Tensor | None:
        weights = self._weights[step]
        return None if weights is None else weights[beam, self._places[step][row]]
