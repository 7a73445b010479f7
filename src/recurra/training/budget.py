"""From a time budget to a step count."""

from __future__ import annotations

import math
import time

_WARM_UP_STEPS = 3  # the first steps allocate memory and choose kernels
_LEAST_STEPS = 10
_LEAST_SHARE = 0.03  # of the budget is spent measuring, at most two seconds
_LEAST_S = 2.0


class TimeBudget:
    """Measures the first steps and decides how many fit into the budget.

    Args:
        budget_s: Seconds for the whole run, what has passed since this object was made included.
    """

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        self._began = time.perf_counter()
        self._durations: list[float] = []

    def observe_step(self, duration_s: float) -> None:
        """Take in how long one optimiser step took."""
        self._durations.append(duration_s)

    @property
    def is_measured(self) -> bool:
        """True when enough steps were seen to decide, or the budget is all but used up."""
        measured_s = sum(self._durations)
        enough_s = min(_LEAST_S, self.budget_s * _LEAST_SHARE)
        enough = len(self._durations) >= _LEAST_STEPS and measured_s >= enough_s
        return enough or time.perf_counter() - self._began >= self.budget_s / 2

    def num_steps_left(self, side_work_s: float, side_work_per_step_s: float = 0.0) -> int:
        """Return how many more steps fit.

        Args:
            side_work_s: Seconds that validations and samples yet to come will take.
            side_work_per_step_s: The same for work whose amount grows with the number of steps.
        """
        steady = self._durations[_WARM_UP_STEPS:] or self._durations
        per_step_s = sum(steady) / len(steady) + side_work_per_step_s
        left_s = self.budget_s - (time.perf_counter() - self._began) - side_work_s
        return max(math.floor(left_s / per_step_s), 0)
