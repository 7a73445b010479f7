"""Metrics that are functions of the mean loss."""

from __future__ import annotations

import math

from recurra.training.protocol import StepResult


class LossMetric:
    """A function of the mean loss per target; itself the mean loss in nats.

    Subclasses override ``of``.
    """

    higher_is_better = False

    def __init__(self) -> None:
        self.total = 0.0
        self.num_targets = 0

    def update(self, result: StepResult) -> None:
        """Take in one batch, weighted by its number of targets."""
        if result.num_targets:  # the mean over no targets is NaN
            self.total += float(result.loss) * result.num_targets
            self.num_targets += result.num_targets

    def compute(self) -> float:
        """Return the value over all targets taken in; NaN when there were none."""
        return self.of(self.total / self.num_targets) if self.num_targets else math.nan

    @staticmethod
    def of(mean_loss: float) -> float:
        """Return the metric for a mean loss in nats."""
        return mean_loss


class Perplexity(LossMetric):
    """Exponential of the mean loss: the number of equally likely choices it corresponds to."""

    @staticmethod
    def of(mean_loss: float) -> float:
        """Return exp(nats), infinite where that overflows."""
        return math.exp(mean_loss) if mean_loss < 700 else math.inf


def improves(new: float, old: float | None, higher_is_better: bool) -> bool:
    """Say whether a value of a metric is better than the one before; NaN never is."""
    if math.isnan(new):
        return False
    if old is None:
        return True
    return new > old if higher_is_better else new < old
