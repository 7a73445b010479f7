"""Beam search with any step function: the likeliest sequences that a bounded search finds, for many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.decoding.hypotheses import History, Hypothesis
from recurra.errors import ArgumentError, ShapeError

Step = Callable[[Tensor, Any], tuple[Tensor, Any, Tensor | None]]
Select = Callable[[Any, Tensor, Tensor | None], Any]


@torch.no_grad()
def beam_search(
    step: Step,
    state: Any,
    select: Select,
    *,
    batch_size: int,
    num_beams: int,
    max_length: int | Tensor,
    bos_id: int,
    eos_id: int,
    length_penalty: float = 0.0,
    num_best: int = 1,
    banned: Sequence[int] = (),
    keep_weights: bool = False,
    device: torch.device | str | None = None,
) -> list[list[Hypothesis]]:
    """Return the best sequences found for each row, best first; those that did not end come last.

        score = log_prob / ((5 + length) / 6) ** length_penalty        length counts the end token

    At each step the ``num_beams`` likeliest continuations of a row's hypotheses count. Those of them that end are put
    aside, and the likeliest ``num_beams`` that do not end go on. A row is finished once as many have ended, once none
    that goes on can still come among the ``num_best``, or at ``max_length``; then it takes no more time. With one beam
    the likeliest id is taken at every step; with as many beams as there are sequences, the search is exact.

    Args:
        step: Takes the ids read last (N,) and a state; returns logits of the next ids (N, V), the state after them, and
            attention weights (N, S) or None. N is K * B' for the B' rows that are not finished, with K hypotheses each,
            and ``k * B' + b`` is hypothesis k of row b. K is 1 in the first call, and later at most ``num_beams``.
        state: The state before the first id, of one hypothesis a row.
        select: Takes a state, the places (K * B',) that new hypotheses continue, in the order above, and the places
            (B',) of the rows that stay, None for all; returns their state.
        batch_size: Rows B; the results are in their order.
        num_beams: Hypotheses a row; 1 is greedy search.
        max_length: Most ids drawn, the end included: one number, or one a row (B,), at least 1.
        bos_id: The id that is read first.
        eos_id: The id that ends a sequence.
        length_penalty: Exponent of at least 0; 0 ranks by probability, 1 nearly by the mean over the ids.
        num_best: Sequences returned a row, at most ``num_beams``; fewer come where there are no more.
        banned: Ids that are never drawn; the probabilities of the others stay as they are.
        keep_weights: Whether hypotheses come with the weights of attention.
        device: Where ``step`` and ``select`` have their tensors; None is the CPU.

    Raises:
        ArgumentError: When a number is outside its range, or a logit is not a number.
        ShapeError: When ``max_length`` is not one a row, or ``step`` returns logits of another number of rows.

    Example:
        >>> def step(ids, state):  # 0 is followed by 1 or 2, these by the end, 3
        ...     table = torch.tensor([[0, 0.6, 0.4, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]])
        ...     return table[ids].log(), state, None
        >>> [found] = beam_search(
        ...     step, None, lambda state, rows, sentences: None, batch_size=1, num_beams=2, max_length=3, bos_id=0,
        ...     eos_id=3, num_best=2,
        ... )
        >>> [(hypothesis.tokens, round(hypothesis.log_prob, 2)) for hypothesis in found]
        [([1], -0.51), ([2], -0.92)]

    Source: Wu et al. 2016, arXiv 1609.08144, equation 14, for the score, without its coverage penalty.
    """
    _check_numbers(num_beams, num_best, length_penalty, eos_id, banned)
    limits = _check_limits(max_length, batch_size).to(device or "cpu")
    if not batch_size:
        return []
    search = _Search(limits, num_beams, num_best, length_penalty, eos_id, History(batch_size, keep_weights))
    ids = limits.new_full((batch_size,), bos_id)
    while True:
        logits, state, weights = step(ids, state)
        if logits.dim() != 2 or len(logits) != len(ids):
            raise ShapeError(
                f"beam_search expected step to return logits of shape ({len(ids)}, vocab_size), "
                f"got {tuple(logits.shape)}"
            )
        ids, rows, stays = search.advance(logits, banned, weights)
        if not len(ids):
            return search.history.best(num_best)
        state = select(state, rows, stays)


class _Search:
    """The hypotheses of the rows that are not finished: K of each of B' rows."""

    def __init__(
        self, limits: Tensor, num_beams: int, num_best: int, length_penalty: float, eos_id: int, history: History
    ) -> None:
        self.num_beams, self.length_penalty, self.eos_id, self.history = num_beams, length_penalty, eos_id, history
        self.length = 0
        self.active = list(range(len(limits)))
        self.limits = limits  # (B',)
        self.log_probs = torch.zeros(len(limits), 1, dtype=torch.float64, device=limits.device)  # (B', K)
        self.num_ended = torch.zeros_like(limits)  # (B',)
        self.best_ended = self.log_probs.new_full((len(limits), num_best), -torch.inf)  # (B', num_best), falling

    def advance(
        self, logits: Tensor, banned: Sequence[int], weights: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Take the logits after the ids given last.

        Returns:
            The next ids (N',), the hypotheses that they continue (N',), and the rows that stay, None for all.
        """
        self.length += 1
        batch_size = len(self.active)
        log_probs, ids, parents = self._continuations(logits, banned)  # (B', C) each, falling
        is_end = ids == self.eos_id
        going_on, order = log_probs.masked_fill(is_end, -torch.inf).topk(min(self.num_beams, ids.shape[1]))  # (B', K)
        next_ids, next_parents = ids.gather(1, order), parents.gather(1, order)
        if weights is not None:
            weights = weights.view(-1, batch_size, weights.shape[-1])
        self.history.add_step(self.active, next_ids, next_parents, weights)
        is_end[:, self.num_beams :] = False
        self._put_aside(is_end & log_probs.isfinite(), parents, log_probs)
        is_finished = self._settle(going_on)
        rows = next_parents * batch_size + torch.arange(batch_size, device=ids.device).unsqueeze(1)  # (B', K)
        stays = None
        if is_finished.any():
            stays = (~is_finished).nonzero().squeeze(1)
            going_on, next_ids, rows = going_on[stays], next_ids[stays], rows[stays]
            self._keep(stays)
        self.log_probs = going_on
        return next_ids.t().reshape(-1), rows.t().reshape(-1), stays

    def _continuations(self, logits: Tensor, banned: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the likeliest continuations of each row: log-probabilities, last ids and parents, (B', C) each.

        They are enough for ``num_beams`` that do not end, as each hypothesis ends in one way only.
        """
        batch_size, num_parents = self.log_probs.shape
        per_parent = min(logits.shape[1], self.num_beams + 1 + len(banned))
        each, ids = logits.log_softmax(-1).topk(per_parent)  # (K * B', c)
        for banned_id in banned:
            each = each.masked_fill(ids == banned_id, -torch.inf)
        each, ids = (
            tensor.view(num_parents, batch_size, per_parent).transpose(0, 1).reshape(batch_size, -1)
            for tensor in (each.double(), ids)
        )  # (B', K * c)
        sums = self.log_probs.repeat_interleave(per_parent, 1) + each
        log_probs, order = sums.topk(min(2 * self.num_beams, sums.shape[1]))
        if log_probs[:, 0].isnan().any():
            raise ArgumentError(f"beam_search expected logits to be numbers, got nan at step {self.length}")
        return log_probs, ids.gather(1, order), order // per_parent

    def _put_aside(self, has_ended: Tensor, parents: Tensor, log_probs: Tensor) -> None:
        """Record the continuations (B', C) that have ended."""
        scores = log_probs / length_divisor(self.length, self.length_penalty)
        places, columns = has_ended.nonzero(as_tuple=True)
        if not len(places):
            return
        rows = [self.active[place] for place in places.tolist()]
        found = (parents[places, columns], log_probs[places, columns], scores[places, columns])
        self.history.add_ends(rows, *found, is_complete=True)
        self.num_ended = self.num_ended + has_ended.sum(1)
        pooled = torch.cat([self.best_ended, scores.masked_fill(~has_ended, -torch.inf)], 1)
        self.best_ended = pooled.topk(self.best_ended.shape[1])[0]

    def _settle(self, going_on: Tensor) -> Tensor:
        """Return which rows are finished (B',); record the hypotheses of those that must stop and lack better ones."""
        # a hypothesis becomes no likelier, so that this is the most that the best one can still reach
        bounds = going_on[:, 0] / length_divisor(self.limits, self.length_penalty)
        worst = self.best_ended[:, -1]
        is_at_limit = self.limits <= self.length
        is_cut = (is_at_limit & ~worst.isfinite()).unsqueeze(1) & going_on.isfinite()  # (B', K)
        places, columns = is_cut.nonzero(as_tuple=True)
        if len(places):
            rows = [self.active[place] for place in places.tolist()]
            log_probs = going_on[places, columns]
            scores = log_probs / length_divisor(self.length, self.length_penalty)
            self.history.add_ends(rows, columns, log_probs, scores, is_complete=False)
        is_finished: Tensor = is_at_limit | (bounds <= worst) | (self.num_ended >= self.num_beams)
        return is_finished

    def _keep(self, stays: Tensor) -> None:
        """Go on with some rows, given by their places (B'',)."""
        self.active = [self.active[place] for place in stays.tolist()]
        self.limits, self.num_ended, self.best_ended = (
            tensor[stays] for tensor in (self.limits, self.num_ended, self.best_ended)
        )


def length_divisor(length: int | Tensor, length_penalty: float) -> Any:
    """Return by what the log-probability of a sequence of some length is divided."""
    return ((5 + length) / 6) ** length_penalty


def _check_numbers(num_beams: int, num_best: int, length_penalty: float, eos_id: int, banned: Sequence[int]) -> None:
    for name, value, most in (("num_beams", num_beams, None), ("num_best", num_best, num_beams)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
            wanted = "at least 1" if most is None else f"in 1 to num_beams={most}"
            raise ArgumentError(f"beam_search expected {name} to be an integer {wanted}, got {value!r}")
    if not 0 <= length_penalty < float("inf"):
        raise ArgumentError(f"beam_search expected length_penalty to be a number of at least 0, got {length_penalty!r}")
    if eos_id in banned:
        raise ArgumentError(f"beam_search expected banned ids without eos_id={eos_id}, got {tuple(banned)}")


def _check_limits(max_length: int | Tensor, batch_size: int) -> Tensor:
    """Return the longest length of each row (B,), int64."""
    limits = torch.as_tensor(max_length)
    if limits.dim() == 0:
        limits = limits.expand(batch_size)
    if limits.shape != (batch_size,) or limits.is_floating_point():
        raise ShapeError(
            f"beam_search expected max_length to be an integer, or one for each of {batch_size} rows, "
            f"got {tuple(limits.shape)} of {limits.dtype}"
        )
    if batch_size and int(limits.min()) < 1:
        raise ArgumentError(f"beam_search expected max_length to be at least 1, got {int(limits.min())}")
    return limits.long()
