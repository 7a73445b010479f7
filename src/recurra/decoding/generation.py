"""Autoregressive generation with any step function: draw an id, feed it back, draw the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor

from recurra.decoding.sampling import SamplingPolicy
from recurra.errors import ArgumentError, ShapeError

State = TypeVar("State")


class Generation(Iterator[tuple[Tensor, Tensor]], Generic[State]):
    """A generation under way, as ``generate_ids`` starts it: iterate over it to draw.

    Each item is a pair: the drawn ids, shape ``(B,)``, int64, and their log-probabilities under the policy, shape
    ``(B,)``, float64. Before an item is handed out its ids have gone through the step function, so that ``logits``
    and ``state`` always stand after everything drawn so far, also when the caller leaves the iteration early. When the
    step function raises, both stay as they were.

    Attributes:
        logits: What the next ids are drawn from, shape ``(B, V)``.
        state: The step function's state after all ids drawn so far.
        num_drawn: How many items were handed out.
    """

    def __init__(
        self,
        step: Callable[[Tensor, State], tuple[Tensor, State]],
        logits: Tensor,
        state: State,
        policy: SamplingPolicy,
        *,
        num_steps: int | None,
        generator: torch.Generator,
    ) -> None:
        self.logits = logits
        self.state = state
        self.num_drawn = 0
        self._step = step
        self._policy = policy
        self._num_steps = num_steps
        self._generator = generator

    def __next__(self) -> tuple[Tensor, Tensor]:
        if self._num_steps is not None and self.num_drawn >= self._num_steps:
            raise StopIteration
        # without this the graphs of all steps would hang together through the state, and memory would grow
        with torch.no_grad():
            ids, log_probs = self._policy.draw_scored(self.logits, self._generator)
            logits, state = self._step(ids, self.state)
        if logits.shape != self.logits.shape:
            raise ShapeError(
                f"generate_ids expected step to return logits of shape {tuple(self.logits.shape)}, "
                f"got {tuple(logits.shape)}"
            )
        self.logits, self.state = logits, state
        self.num_drawn += 1
        return ids, log_probs


def generate_ids(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    logits: Tensor,
    state: State,
    policy: SamplingPolicy,
    *,
    num_steps: int | None,
    generator: torch.Generator,
) -> Generation[State]:
    """Start to draw ids, each from logits that know all ids before it, and return the iterator that does it.

    Nothing is drawn before the first item is asked for. The global random state is neither read nor changed, and no
    gradients are recorded.

    Args:
        step: Takes the ids drawn last, shape ``(B,)``, and a state; returns logits for the next ids, shape
            ``(B, V)``, and the state after them. It must not change the state it is given.
        logits: What the first ids are drawn from, shape ``(B, V)``.
        state: The state that belongs to ``logits``; handed to ``step`` as it is.
        policy: How ids are drawn.
        num_steps: How many ids to draw for each row, in steps; ``None`` means without end.
        generator: Source of randomness.

    Returns:
        An iterator over ``(ids, log_probs)``, both of shape ``(B,)``, which also holds ``logits`` and ``state``.

    Raises:
        ShapeError: When ``logits`` has not two axes, or later, when ``step`` returns logits of another shape.
        ArgumentError: When ``num_steps`` is negative or the policy does not fit ``V``.

    Example:
        >>> def step(ids, total):  # prefers the id that follows
        ...     return torch.eye(3)[(ids + 1) % 3], total + ids
        >>> generation = generate_ids(
        ...     step, torch.eye(3)[:1], torch.zeros(1, dtype=torch.int64), SamplingPolicy(temperature=0),
        ...     num_steps=5, generator=torch.Generator(),
        ... )
        >>> [ids.item() for ids, _ in generation]
        [0, 1, 2, 0, 1]
        >>> generation.state
        tensor([4])
    """
    if num_steps is not None and (isinstance(num_steps, bool) or not isinstance(num_steps, int) or num_steps < 0):
        raise ArgumentError(
            f"generate_ids expected num_steps to be an integer that is at least 0, or None, got {num_steps!r}"
        )
    if logits.dim() != 2:
        raise ShapeError(f"generate_ids expected logits of shape (batch, vocab_size), got {tuple(logits.shape)}")
    policy.check_vocab_size(logits.size(1))
    return Generation(step, logits, state, policy, num_steps=num_steps, generator=generator)
