"""When training has gone wrong, and what to try."""

from __future__ import annotations

import math

from recurra.errors import TrainingDivergedError
from recurra.training.config import TrainingConfig

_FACTOR = 2.0
_LEAST_RISE = 3.0


def has_exploded(loss: float, first_loss: float) -> bool:
    """Say whether a loss lies above the first one by twice its size, and by at least three nats."""
    return loss > first_loss + max(_FACTOR * abs(first_loss), _LEAST_RISE)


def is_sound(loss: float, grad_norm: float, first_loss: float) -> bool:
    """Say whether the figures of a step are finite and the loss has not exploded: its gradient may be used."""
    return math.isfinite(loss) and math.isfinite(grad_norm) and not has_exploded(loss, first_loss)


def diverged(what: str, config: TrainingConfig, kept: str | None) -> TrainingDivergedError:
    """Return the error that says what happened and what to try against it.

    Args:
        what: The figures.
        config: What was tried.
        kept: Name of the last checkpoint, if there is one.
    """
    tries = [f"a lower lr (now {config.lr:g}, try {config.lr / 4:g})", "more warmup_steps"]
    if config.max_grad_norm is None or config.max_grad_norm > 1:
        tries.append("max_grad_norm = 1")
    hint = f"try {', or '.join(tries)}" + (f"; the last good checkpoint is {kept}" if kept else "")
    return TrainingDivergedError(what, hint=hint)
