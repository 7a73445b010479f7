"""Cells that people wrote as plain Python: torchrecurrent's, against the package's own layers and against the LSTM."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

import recurra
from recurra import cells
from recurra.errors import EngineFallbackWarning
from recurra.loop import unroll
from support.loops.cells import (
    NEEDS_TORCHRECURRENT,
    CoupledCell,
    has_torchrecurrent,
    torchrecurrent_names,
    torchrecurrent_pair,
    why_not_a_cell,
)
from support.loops.layers import first, sizes
from support.loops.report import Options, Report
from support.loops.work import MOST_DIFFERENCE, SIZES, Size, Training, difference, product_flops
from support.turns import take_turns

AT_LEAST = {SIZES[2]: 4.0, SIZES[3]: 2.0}
"""Times as fast as the package's own layer, in the median of its cells."""
MOST_S = {SIZES[2]: 3.0, SIZES[3]: 4.0}
CHECKED_STEPS = 5
MOST_RELATIVE = 1.2
"""Time a floating-point operation against the LSTM's."""


def unrolled(cell: nn.Module, engine: str) -> Callable[[Tensor], Tensor]:
    """Return a function that runs a cell over a sequence, from its own first state."""
    return lambda x: unroll(cell, x, engine=engine)[0]


def measure_torchrecurrent(report: Report, options: Options) -> None:
    """Every cell of the package against the package's layer of it."""
    if not has_torchrecurrent():
        print(NEEDS_TORCHRECURRENT)
        return
    names = torchrecurrent_names()[:: 6 if options.quick else 1]
    for size in list(AT_LEAST)[: 1 if options.quick else 2]:
        print(f"{size!s:<26} ours ms  package ms  package / ours   first call s")
        # the slow size has few rounds: what is judged is a median over many cells
        rounds = options.rounds if size == SIZES[2] else max(3, options.rounds // 3)
        ratios = [_measure_cell(report, options, name, size, rounds) for name in names]
        found = [ratio for ratio in ratios if ratio is not None]
        report.judge(
            f"package / ours at {size}, median of {len(found)}", statistics.median(found), at_least=AT_LEAST[size]
        )


def _measure_cell(report: Report, options: Options, name: str, size: Size, rounds: int) -> float | None:
    layer, cell = torchrecurrent_pair(name, size.I, size.H)
    reason = why_not_a_cell(cell, size.I)
    if reason:
        report.row(f"{name:<26} takes no (x, state): {reason}", cell=name, size=size, reason=reason)
        return None
    x = torch.randn(size.T, size.B, size.I)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", EngineFallbackWarning)
        ours = Training(unrolled(cell, options.engine), x, layer.parameters())
        theirs = Training(first(layer), x, layer.parameters())
        turns = take_turns({"ours": ours, "theirs": theirs}, rounds, most_s=MOST_S[size])
        gap = _difference_at_first(ours, theirs)
    fallbacks = [str(w.message) for w in caught if issubclass(w.category, EngineFallbackWarning)]
    fallback = fallbacks[0] if fallbacks else ""
    if not gap <= MOST_DIFFERENCE:
        report.problem(f"{name}: results at {size} differ by {gap:.1e} of their largest number")
    ratio = turns.ratio("theirs", "ours")
    mine, other = turns.median_s("ours"), turns.median_s("theirs")
    report.row(
        f"{name:<26} {mine * 1e3:7.2f} {other * 1e3:11.2f} {ratio:15.2f} {turns.first_s['ours'] - mine:14.2f}"
        + (f"   plain loop: {fallback}" if fallback else ""),
        cell=name,
        size=size,
        ours_s=mine,
        theirs_s=other,
        ratio=ratio,
        fallback=fallback,
        first_call_s=turns.first_s["ours"] - mine,
    )
    return ratio


def _difference_at_first(ours: Training, theirs: Training) -> float:
    """Compare a few steps only: with random weights some cells are chaotic, and rounding grows to any size."""
    pair = [Training(work.run, work.x[:CHECKED_STEPS], work.parameters) for work in (ours, theirs)]
    return difference(*pair)


def measure_per_operation(report: Report, options: Options) -> None:
    """Time a floating-point operation of the products, relative to the LSTM layer's."""
    print(f"{'T, B, I, H':<22}  {'cell':<18}  ours ms   GFLOP   GFLOP/s   time an operation / LSTM's")
    found: dict[str, list[float]] = {}
    for size in sizes(options):
        works, flops = _works(size, options)
        turns = take_turns(works, options.rounds, most_s=20.0)
        for name in works:
            relative = turns.ratio(name, "LSTM") * flops["LSTM"] / flops[name]
            seconds = turns.median_s(name)
            report.row(
                f"{size!s:<22}  {name:<18} {seconds * 1e3:8.2f} {flops[name] / 1e9:7.2f} "
                f"{flops[name] / seconds / 1e9:9.1f} {relative:12.2f}",
                size=size,
                cell=name,
                ours_s=seconds,
                flops=flops[name],
                relative=relative,
            )
            found.setdefault(name, []).append(relative)
    for name, relatives in found.items():
        if name != "LSTM":
            report.judge(
                f"{name}, time an operation / LSTM's, median", statistics.median(relatives), at_most=MOST_RELATIVE
            )


def _works(size: Size, options: Options) -> tuple[dict[str, Training], dict[str, int]]:
    """Return what to time, and the operations of each."""
    torch.manual_seed(0)
    x = torch.randn(size.T, size.B, size.I)
    lstm = recurra.LSTM(size.I, size.H, engine=options.engine)
    works = {"LSTM": Training(first(lstm), x, lstm.parameters())}
    flops = {"LSTM": product_flops(cells.LSTMCell(size.I, size.H), size)}
    if has_torchrecurrent():
        for name in ("PeepholeLSTMCell", "MUT1Cell"):
            cell = torchrecurrent_pair(name, size.I, size.H)[1]
            works[name] = Training(unrolled(cell, options.engine), x, cell.parameters())
            flops[name] = product_flops(cell, size)
    else:
        print(NEEDS_TORCHRECURRENT)
    own = CoupledCell(size.I, size.H)
    state = (torch.zeros(size.B, size.H), torch.zeros(size.B, size.H))
    works["a user's cell"] = Training(lambda x: unroll(own, x, state, engine=options.engine)[0], x, own.parameters())
    flops["a user's cell"] = product_flops(own, size, state)
    return works, flops
