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


def check_step(step: int, loss: float, grad_norm: float, first_loss: float, config: TrainingConfig, kept: str) -> None:
    """Check the figures of a step before its gradient is used.

    Args:
        step: Number of the step.
        loss: Its loss.
        grad_norm: Its gradient norm, before clipping.
        first_loss: Loss of the first step of the run.
        config: What was tried.
        kept: Name of the last checkpoint, empty when there is none.

    Raises:
        TrainingDivergedError: When a figure is not finite or the loss has exploded.
    """
    if math.isfinite(loss) and math.isfinite(grad_norm) and not has_exploded(loss, first_loss):
        return
    what = f"the loss of step {step} is {loss:.4g}, its gradient norm {grad_norm:.4g}"
    raise diverged(f"{what}; the first loss was {first_loss:.4g}", config, kept)


def diverged(what: str, config: TrainingConfig, kept: str) -> TrainingDivergedError:
    """Return the error, with what to try against it."""
    tries = [f"a lower lr (now {config.lr:g}, try {config.lr / 4:g})", "more warmup_steps"]
    if config.max_grad_norm is None or config.max_grad_norm > 1:
        tries.append("max_grad_norm = 1")
    hint = f"try {', or '.join(tries)}" + (f"; the last good checkpoint is {kept}" if kept else "")
    return TrainingDivergedError(what, hint=hint)
