"""Every registered cell: native against the plain loop, and against torchrecurrent's layer of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from recurra.cells import cell_names, find_cell
from recurra.cells.causal_window import causal_window
from recurra.loop import unroll
from support.loops.ceiling import ceiling_gflops
from support.loops.cells import NEEDS_TORCHRECURRENT, has_torchrecurrent, torchrecurrent_pair
from support.loops.layers import first
from support.loops.report import Options, Report
from support.loops.work import MOST_DIFFERENCE, SIZES, Training, difference, product_flops
from support.turns import Turns, take_turns

SIZE = SIZES[2]
MOST_S = 6.0
"""Longest time for one cell."""
CHECKED_STEPS = 5
LEAST_AGAINST_EAGER = 3.0
"""Unless the products alone, at the ceiling, take more than a third of the plain loop's time."""
MOST_RELATIVE = 1.2
NEAR_LSTM = ("peephole-lstm", "mut1")
"""Cells that are to need little more time a floating-point operation than the LSTM."""
TORCHRECURRENT = {
    "antisymmetric": "AntisymmetricRNN",
    "cornn": "coRNN",
    "fastgrnn": "FastGRNN",
    "fastrnn": "FastRNN",
    "gated-antisymmetric": "GatedAntisymmetricRNN",
    "indrnn": "IndRNN",
    "intersection-rnn": "IntersectionRNN",
    "lem": "LEM",
    "mgu": "MGU",
    "minimal-rnn": "MinimalRNN",
    "multiplicative-lstm": "MultiplicativeLSTM",
    "mut1": "MUT1",
    "mut2": "MUT2",
    "mut3": "MUT3",
    "nas": "NAS",
    "peephole-lstm": "PeepholeLSTM",
    "scrn": "SCRN",
    "ugrnn": "UGRNN",
}
"""Our name and torchrecurrent's layer."""

Run = Callable[[Tensor], Tensor]


def runs(name: str, cell: nn.Module) -> dict[str, Callable[[str], Run]]:
    """Return the ways to run a cell by name, each given an engine; a QRNN may be given its window."""
    ways = {name: lambda engine: lambda x: unroll(cell, x, engine=engine)[0]}
    if name.startswith("qrnn"):
        ways[f"{name}, window"] = lambda engine: lambda x: unroll(cell, causal_window(x, 2), engine=engine)[0]
    return ways


def measure_cells(report: Report, options: Options, names: Sequence[str]) -> None:
    """Time every cell."""
    if not has_torchrecurrent():
        print(NEEDS_TORCHRECURRENT)
    ceiling = ceiling_gflops()
    print(f"(T, B, I, H) = {SIZE}; ceiling {ceiling:.0f} GFLOP/s")
    print(
        f"{'cell':<28} {'ms':>7} {'eager ms':>9} {'eager / ours':>13} {'torchrecurrent / ours':>22} "
        f"{'of ceiling':>11} {'eager / ceiling':>16} {'time an operation / LSTM':>25}"
    )
    lstm = _build_lstm()
    found: dict[str, dict[str, float]] = {}
    for name in names or cell_names():
        torch.manual_seed(0)
        cell = find_cell(name)(SIZE.I, SIZE.H)
        for label, way in runs(name, cell).items():
            found[label] = _measure(report, options, label, name, way, cell, ceiling, lstm)
    _judge(report, found)


def _build_lstm() -> tuple[Training, int]:
    """Return the LSTM that every cell is timed in turns with, and its operations."""
    cell = find_cell("lstm")(SIZE.I, SIZE.H)
    x = torch.randn(SIZE.T, SIZE.B, SIZE.I)
    return Training(runs("lstm", cell)["lstm"]("native"), x, cell.parameters()), product_flops(cell, SIZE)


def _measure(
    report: Report,
    options: Options,
    label: str,
    name: str,
    way: Callable[[str], Run],
    cell: nn.Module,
    ceiling: float,
    lstm: tuple[Training, int],
) -> dict[str, float]:
    x = torch.randn(SIZE.T, SIZE.B, SIZE.I)
    works = {engine: Training(way(engine), x, cell.parameters()) for engine in ("native", "eager")}
    if name in TORCHRECURRENT and has_torchrecurrent():
        layer, _ = torchrecurrent_pair(f"{TORCHRECURRENT[name]}Cell", SIZE.I, SIZE.H)
        works["torchrecurrent"] = Training(first(layer), x, layer.parameters())
    turns = take_turns(works | {"lstm": lstm[0]}, options.rounds, most_s=MOST_S)
    # a few steps only: with random weights some cells are chaotic, and rounding grows to any size
    pair = [Training(way(engine), x[:CHECKED_STEPS], cell.parameters()) for engine in ("native", "eager")]
    gap = difference(*pair)
    if not gap <= MOST_DIFFERENCE:
        report.problem(f"{label}: results differ by {gap:.1e} of their largest number")
    flops = product_flops(cell, SIZE)
    figures = _figures(turns, flops, ceiling, lstm[1])
    other = f"{figures['torchrecurrent']:22.2f}" if "torchrecurrent" in figures else f"{'':22}"
    report.row(
        f"{label:<28} {figures['ms']:7.2f} {figures['eager_ms']:9.2f} {figures['eager']:13.2f} {other} "
        f"{figures['of_ceiling']:11.2f} {figures['most']:16.2f} {figures['relative']:25.2f}",
        cell=label,
        flops=flops,
        **figures,
    )
    return figures


def _figures(turns: Turns, flops: int, ceiling: float, lstm_flops: int) -> dict[str, float]:
    seconds = turns.median_s("native")
    found = {
        "ms": seconds * 1e3,
        "eager_ms": turns.median_s("eager") * 1e3,
        "eager": turns.ratio("eager", "native"),
        "of_ceiling": flops / seconds / 1e9 / ceiling,
        "most": turns.median_s("eager") / (flops / ceiling / 1e9),
        "relative": turns.ratio("native", "lstm") * lstm_flops / flops,
        "compile_s": turns.first_s["native"] - seconds,
    }
    if "torchrecurrent" in turns.times:
        found["torchrecurrent"] = turns.ratio("torchrecurrent", "native")
    return found


def _judge(report: Report, found: dict[str, dict[str, float]]) -> None:
    for name in NEAR_LSTM:
        if name in found:
            report.judge(f"{name}, time an operation / LSTM's", found[name]["relative"], at_most=MOST_RELATIVE)
    able = [name for name in found if found[name]["most"] > LEAST_AGAINST_EAGER] or list(found)
    slowest = min(able, key=lambda name: found[name]["eager"])
    report.judge(
        f"eager / ours, least of {len(able)} whose products allow it ({slowest})",
        found[slowest]["eager"],
        at_least=LEAST_AGAINST_EAGER,
    )
    print(f"eager / ours, median of {len(found)}: {statistics.median(f['eager'] for f in found.values()):.2f}")
    ratios = [f["torchrecurrent"] for f in found.values() if "torchrecurrent" in f]
    if ratios:
        report.judge(f"torchrecurrent / ours, median of {len(ratios)}", statistics.median(ratios), at_least=4.0)
