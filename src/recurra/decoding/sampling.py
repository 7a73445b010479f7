"""From logits to a drawn id: temperature, top-k, top-p, banned ids."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.errors import ArgumentError, ShapeError


@dataclass(frozen=True)
class SamplingPolicy:
    """How an id is drawn from logits.

    The filters work in this order: banned ids go, the rest is divided by the temperature, the ``top_k`` largest stay,
    and of these the smallest set whose probability reaches ``top_p``. Where logits are equal, the lower id counts as
    the larger. Whatever stays is normalised again, in float64 also for float32 logits.

    Raises:
        ArgumentError: When values lie outside their ranges; the message names every one that does.

    Example:
        >>> policy = SamplingPolicy(temperature=0.5, top_k=2)
        >>> policy.log_probs(torch.tensor([[0.0, 1.0, 2.0]])).exp()
        tensor([[0.0000, 0.1192, 0.8808]], dtype=torch.float64)
    """

    temperature: float = 1.0
    """Divides the logits; below 1 likely ids become likelier; 0 always takes the likeliest (greedy)."""

    top_k: int | None = None
    """How many ids may be drawn, the likeliest ones; at least 1; ``None`` means all."""

    top_p: float | None = None
    """Probability, in (0, 1], which the ids that may be drawn must reach together; ``None`` means all."""

    banned: tuple[int, ...] = ()
    """Ids that are never drawn, such as the one of the unknown symbol."""

    def __post_init__(self) -> None:
        faults = [*self._number_faults(), *self._banned_faults()]
        if faults:
            raise ArgumentError(f"SamplingPolicy expected {'; '.join(faults)}")

    def _number_faults(self) -> list[str]:
        faults = []
        if not (_is_number(self.temperature) and 0 <= self.temperature <= sys.float_info.max):
            faults.append(f"temperature to be a finite number that is at least 0, got {self.temperature!r}")
        if self.top_k is not None and not (_is_integer(self.top_k) and self.top_k >= 1):
            faults.append(f"top_k to be an integer that is at least 1, or None, got {self.top_k!r}")
        if self.top_p is not None and not (_is_number(self.top_p) and 0 < self.top_p <= 1):
            faults.append(f"top_p to be a number in (0, 1], or None, got {self.top_p!r}")
        return faults

    def _banned_faults(self) -> list[str]:
        if isinstance(self.banned, tuple) and all(_is_integer(i) and i >= 0 for i in self.banned):
            return []
        return [f"banned to be a tuple of integers that are at least 0, got {self.banned!r}"]

    def check_vocab_size(self, vocab_size: int) -> None:
        """Raise unless the policy can draw from ``vocab_size`` ids.

        Raises:
            ArgumentError: When ``top_k`` is larger, a banned id is not below ``vocab_size``, or every id is banned.
        """
        faults = []
        if self.top_k is not None and self.top_k > vocab_size:
            faults.append(f"top_k to be at most vocab_size={vocab_size}, got {self.top_k}")
        outside = [i for i in self.banned if i >= vocab_size]
        if outside:
            faults.append(f"banned ids to be below vocab_size={vocab_size}, got {outside[0]}")
        elif len(set(self.banned)) >= vocab_size:
            faults.append(f"banned to leave at least one of vocab_size={vocab_size} ids, got all of them")
        if faults:
            raise ArgumentError(f"SamplingPolicy expected {'; '.join(faults)}")

    def log_probs(self, logits: Tensor) -> Tensor:
        """Return the log-probabilities under this policy.

        Args:
            logits: Scores before softmax, shape ``(B, V)``, any floating type; minus infinity means impossible.

        Returns:
            Natural logarithms of the probabilities, shape ``(B, V)``, float64; minus infinity for what is never
            drawn. A greedy policy gives probability 1 to one id of each row.

        Raises:
            ShapeError: When ``logits`` is not a floating tensor with two axes.
            ArgumentError: When a row holds NaN or plus infinity or no finite value that is not banned, or when the
                policy does not fit ``V``.
        """
        if logits.dim() != 2 or not logits.is_floating_point():
            raise ShapeError(
                "SamplingPolicy expected logits of shape (batch, vocab_size) and a floating type, "
                f"got {tuple(logits.shape)} and {logits.dtype}"
            )
        self.check_vocab_size(logits.size(1))
        scores = self._without_banned(logits.double())  # (B, V)
        if self.temperature == 0:
            best = scores.argmax(dim=-1, keepdim=True)  # the lowest id of equal ones
            return torch.full_like(scores, -math.inf).scatter_(-1, best, 0.0)
        # the largest becomes 0 before the division, which can therefore not overflow to plus infinity
        scaled = (scores - scores.amax(dim=-1, keepdim=True)) / self.temperature
        if self.top_k is not None or self.top_p is not None:
            # the order is that of the scores themselves: scaling can make different ones equal
            order = scores.argsort(dim=-1, descending=True, stable=True)
            scaled = self._filter(scaled, order)
        return torch.log_softmax(scaled, dim=-1)

    def draw(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one id for each row.

        Args:
            logits: Scores before softmax, shape ``(B, V)``.
            generator: Source of randomness; each call takes one number a row from it, a greedy one takes none. A
                generator of the CPU serves logits on any device.

        Returns:
            Ids, shape ``(B,)``, int64, on the device of ``logits``.

        Raises:
            ShapeError, ArgumentError: As ``log_probs``.
        """
        return self.draw_scored(logits, generator)[0]

    def draw_scored(self, logits: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw one id for each row, as ``draw``, and return the ids and their log-probabilities under this policy.

        Returns:
            Ids, shape ``(B,)``, int64, and natural logarithms of their probabilities, shape ``(B,)``, float64.
        """
        log_probs = self.log_probs(logits)
        is_greedy = self.temperature == 0
        ids = log_probs.argmax(dim=-1) if is_greedy else _draw_by_inversion(log_probs, generator)
        return ids, log_probs.gather(-1, ids.unsqueeze(-1)).squeeze(-1)

    def _without_banned(self, scores: Tensor) -> Tensor:
        """Return the scores with minus infinity at banned ids; raise where nothing can be drawn from them."""
        _check_rows(scores.amax(dim=-1))
        if self.banned:
            banned = torch.tensor(self.banned, device=scores.device)
            scores = scores.index_fill(-1, banned, -math.inf)
        empty = (scores.amax(dim=-1) == -math.inf).nonzero()
        if len(empty):
            raise ArgumentError(
                f"SamplingPolicy expected logits with a finite value at an id that is not banned, "
                f"got none in row {empty[0].item()}"
            )
        return scores

    def _filter(self, scaled: Tensor, order: Tensor) -> Tensor:
        """Return the scaled scores with minus infinity outside of top-k and top-p; ``order`` sorts them downwards."""
        ranked = scaled.gather(-1, order)  # (B, V), largest first
        if self.top_k is not None:
            ranked[:, self.top_k :] = -math.inf
        if self.top_p is not None and self.top_p < 1:
            reached = ranked.softmax(dim=-1).cumsum(dim=-1)
            # an id goes when those before it reach top_p already; the first has none before it
            ranked[:, 1:].masked_fill_(reached[:, :-1] >= self.top_p, -math.inf)
        return torch.empty_like(ranked).scatter_(-1, order, ranked)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_rows(largest: Tensor) -> None:
    """Raise when a row's largest score is NaN or plus infinity; NaN wins every maximum, so this sees all of a row."""
    broken = (largest.isnan() | (largest == math.inf)).nonzero()
    if len(broken):
        row = int(broken[0])
        raise ArgumentError(
            f"SamplingPolicy expected logits without NaN and plus infinity, got {largest[row].item()} in row {row}",
            hint="the model that made these logits has diverged; take an earlier checkpoint, or train with a lower lr",
        )


def _draw_by_inversion(log_probs: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one id a row: the first whose cumulated probability exceeds a uniform number.

    One number a row, and the sums on the generator's device: what a row draws depends on its own probabilities and
    its place only, and a CPU generator gives the same draws whatever device the model is on.
    """
    reached = log_probs.to(generator.device).exp().cumsum(dim=-1)  # (B, V)
    uniform = torch.rand(len(reached), 1, generator=generator, dtype=torch.float64, device=generator.device)
    # uniform < 1, so the product stays below the last sum and an id of positive probability is always found
    ids = torch.searchsorted(reached, uniform * reached[:, -1:], right=True)
    return ids.squeeze(-1).to(log_probs.device)
