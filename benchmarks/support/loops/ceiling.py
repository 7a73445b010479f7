"""The most that a product reaches on this machine: what any recurrent layer is bounded by."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from support.loops.report import Options, Report

ORDER = 2048
REPEATS = 5


def products() -> dict[str, Callable[[], object]]:
    """Return ways to multiply two large matrices: torch's plain one, and oneDNN's with packed weights where it is."""
    left, right = torch.randn(ORDER, ORDER), torch.randn(ORDER, ORDER)
    found: dict[str, Callable[[], object]] = {"torch.mm": lambda: torch.mm(left, right)}
    mkldnn = torch.ops.mkldnn
    # the operation is there only where torch was built with oneDNN
    if hasattr(mkldnn, "_reorder_linear_weight"):
        packed = mkldnn._reorder_linear_weight(right, ORDER)
        found["oneDNN, packed"] = lambda: mkldnn._linear_pointwise(left, packed, None, "none", [], "")
    return found


def rates() -> dict[str, float]:
    """Return the best GFLOP/s of each way; interleaved, so that all have the same luck."""
    ways = products()
    best = dict.fromkeys(ways, float("inf"))
    with torch.no_grad():
        for _ in range(REPEATS):
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                best[name] = min(best[name], time.perf_counter() - began)
    return {name: 2 * ORDER**3 / seconds / 1e9 for name, seconds in best.items()}


def ceiling_gflops() -> float:
    """Return the best of all ways, measured now."""
    return max(rates().values())


def measure_ceiling(report: Report, options: Options) -> None:
    """Print every way's rate."""
    for name, rate in rates().items():
        report.row(f"{name:<16} {ORDER} x {ORDER} x {ORDER}: {rate:6.1f} GFLOP/s", way=name, gflops=rate)
