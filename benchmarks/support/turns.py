"""Functions timed in turns, so that a machine whose speed drifts slows all of them."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

BLOCK_S = 0.02
"""A turn lasts about so long at least: short calls are repeated in it."""
LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Turns:
    """Seconds a call of each function, one figure a round.

    Attributes:
        times: By the function's name; the figures at one place are of the same round.
        first_s: The very first call of each, which may compile.
    """

    times: dict[str, list[float]]
    first_s: dict[str, float]

    def median_s(self, name: str) -> float:
        """Return the median over the rounds."""
        return statistics.median(self.times[name])

    def ratio(self, theirs: str, ours: str) -> float:
        """Return how many times as long ``theirs`` takes as ``ours``: the median of the rounds' own ratios."""
        pairs = zip(self.times[theirs], self.times[ours], strict=True)
        return statistics.median(a / b for a, b in pairs)


def take_turns(
    functions: Mapping[str, Callable[[], object]], rounds: int, *, block_s: float = BLOCK_S, most_s: float = math.inf
) -> Turns:
    """Time functions, each once a round, every round beginning with another one.

    Args:
        functions: What to time, by name.
        rounds: Rounds to run.
        block_s: Least length of a turn.
        most_s: Begin no further round after this time, but for the first three.
    """
    first_s = {name: _time(function, 1) for name, function in functions.items()}
    calls = {}
    for name, function in functions.items():
        took = min(_time(function, 1) for _ in range(2))
        calls[name] = max(1, math.ceil(block_s / took))
    times: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    began = time.perf_counter()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            if number >= LEAST_ROUNDS and time.perf_counter() - began > most_s:
                break
            start = number % len(names)
            for name in (*names[start:], *names[:start]):
                times[name].append(_time(functions[name], calls[name]))
    finally:
        gc.enable()
    return Turns(times, first_s)


def _time(function: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - began) / calls
