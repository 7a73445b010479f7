"""Where a run stands, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class RowSums:
    """Sums over the steps since the last row of figures."""

    loss: float = 0.0
    num_targets: int = 0
    grad_norm: float = 0.0
    num_steps: int = 0
    seconds: float = 0.0


@dataclass
class Progress:
    """Where a run stands: all plain numbers, stored in each checkpoint."""

    step: int = 0
    total_steps: int | None = None
    decided_at: int = 0
    cursor: dict[str, int] | None = None
    first_loss: float | None = None
    validation: dict[str, float] | None = None
    validation_step: int = -1
    best_value: float | None = None
    best_step: int = -1
    best_loss: float | None = None
    num_stale: int = 0
    num_decays: int = 0
    num_targets: int = 0
    training_s: float = 0.0
    validate_s: float = 0.0
    sample_s: float = 0.0
    row: RowSums = field(default_factory=RowSums)

    @property
    def known_total(self) -> int | None:
        """Total number of steps as far as it was known at this step: a time budget is measured first.

        A resumed run that knows it from the start must still do the first steps as they were done.
        """
        return self.total_steps if self.step >= self.decided_at else None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Progress:
        """Return what ``dataclasses.asdict`` took apart."""
        return cls(**{**values, "row": RowSums(**values["row"])})


def is_due(step: int, num_moments: int, total_steps: int) -> bool:
    """Say whether a step is one of so many evenly spaced moments, the last of which is the last step."""
    return step * num_moments // total_steps != (step - 1) * num_moments // total_steps
