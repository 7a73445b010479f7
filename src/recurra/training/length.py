"""How long a run is, and which of its steps are followed by something."""

from __future__ import annotations

import math

from recurra.training.budget import TimeBudget
from recurra.training.config import TrainingConfig
from recurra.training.run_folder import RunFolder
from recurra.training.state import Progress, is_due


class RunLength:
    """Turns what a configuration says of the length of a run into a step count; a time budget begins to run at once.

    Args:
        config: Steps, passes or seconds; validations and samples, which take time too.
        folder: Where the step count that a time budget became is stored: a resumed run must not measure again.
    """

    def __init__(self, config: TrainingConfig, folder: RunFolder | None) -> None:
        self._config, self._folder = config, folder
        self._budget = TimeBudget(config.budget_s) if config.budget_s is not None else None

    def set_known(self, progress: Progress, num_batches: int) -> None:
        """Set the step count where it is known before training.

        Args:
            progress: What it is set in.
            num_batches: Batches of one pass over the training part.
        """
        stored = self._folder.load_total_steps() if self._folder is not None else None
        if self._config.max_steps is not None:
            progress.total_steps = self._config.max_steps
        elif self._config.num_epochs is not None:
            progress.total_steps = max(math.ceil(self._config.num_epochs * num_batches), 1)
        elif stored is not None:
            progress.total_steps, progress.decided_at = stored

    def observe_step(self, progress: Progress, duration_s: float) -> None:
        """Take in how long a step took, while the step count is open."""
        if self._budget is not None and progress.total_steps is None:
            self._budget.observe_step(duration_s)

    def decide(self, progress: Progress, save_s: float) -> str | None:
        """Set and store the step count once a time budget is measured, and return what a person should know then.

        Args:
            progress: What it is set in.
            save_s: Seconds that saving a checkpoint takes.
        """
        budget, config = self._budget, self._config
        if progress.total_steps is not None or budget is None or not budget.is_measured:
            return None
        side_s = progress.sample_s * max(config.num_samples - 1, 0)
        per_step_s = 0.0
        validation_s = progress.validate_s + save_s
        if config.validate_every is None:
            side_s += validation_s * config.num_validations
        else:
            per_step_s = validation_s / config.validate_every
        progress.total_steps = progress.step + budget.num_steps_left(side_s, per_step_s)
        progress.decided_at = progress.step
        if self._folder is not None:
            self._folder.save_total_steps(progress.total_steps, progress.decided_at)
        if side_s <= budget.budget_s / 2:
            return None
        return (
            f"validations, samples and checkpoints take {side_s:.0f} of the {budget.budget_s:.0f} s; "
            "fewer of them (num_validations, num_samples), a smaller validation part or more time would train more"
        )


def is_row_due(config: TrainingConfig, progress: Progress) -> bool:
    """Say whether a row of training figures follows the step just done."""
    return progress.step % config.log_every == 0 or progress.step == progress.known_total


def is_validation_due(config: TrainingConfig, progress: Progress) -> bool:
    """Say whether a validation follows the step just done."""
    step, total = progress.step, progress.known_total
    if step == total:
        return True
    if config.validate_every is not None:
        return step % config.validate_every == 0
    return total is not None and is_due(step, config.num_validations, total)


def is_sample_due(config: TrainingConfig, progress: Progress) -> bool:
    """Say whether samples follow the step just done; the first of them were drawn before training."""
    num_later = max(config.num_samples - 1, 1) if config.num_samples else 0
    total = progress.known_total
    return total is not None and is_due(progress.step, num_later, total)
