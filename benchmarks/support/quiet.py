"""Was the machine left alone while something was measured?"""

from __future__ import annotations

import os
import time
from pathlib import Path

MOST_SHARE = 0.05
"""Share of the machine's time taken by others from which figures are not to be trusted."""
LEAST_S = 0.5
"""Shorter times than this say nothing, as the system counts in hundredths of a second."""
_STAT = Path("/proc/stat")


class Quietness:
    """What other processes, and other guests of the same host, took of this machine since this object was made."""

    def __init__(self) -> None:
        self.began, self.busy, self.own = time.perf_counter(), _busy_s(), _own_s()

    def share(self) -> float | None:
        """Return the share of all cores' time that others took; ``None`` where it is not known."""
        busy = _busy_s()
        if busy is None or self.busy is None or time.perf_counter() - self.began < LEAST_S:
            return None
        others = (busy - self.busy) - (_own_s() - self.own)
        # below zero by rounding only
        return max(0.0, others / ((time.perf_counter() - self.began) * (os.cpu_count() or 1)))

    def line(self) -> str:
        """Return the share and the load in words."""
        load = f"load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "load unknown"
        share = self.share()
        if share is None:
            return f"{load}; what others took of the machine is not known"
        word = "quiet" if share <= MOST_SHARE else "NOT quiet, measure again"
        return f"{load}, others took {share:.1%} of the machine: {word}"


def _busy_s() -> float | None:
    """Return the seconds that all cores have worked for any process, or were kept from us by the host."""
    if not _STAT.exists():
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, _STAT.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    return sum(os.times()[:4])
