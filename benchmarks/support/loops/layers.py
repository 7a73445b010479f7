"""Recurra's layers against torch.nn's: training, inference, two layers in both directions, one step at a time."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import recurra
from recurra import cells
from recurra.loop import unroll
from support.loops.ceiling import ceiling_gflops
from support.loops.report import Options, Report
from support.loops.work import MOST_DIFFERENCE, SIZES, Inference, Size, Training, difference, product_flops
from support.turns import Turns, take_turns

MOST_S = 20.0
"""Longest time for one size."""


@dataclass(frozen=True)
class Kind:
    """A layer of ours, torch's of the same name, and what is to be reached."""

    ours: type[nn.Module]
    theirs: type[nn.Module]
    cell: type[cells.Cell]
    at_least: float
    never_below: float | None = None


KINDS = {
    "lstm": Kind(recurra.LSTM, nn.LSTM, cells.LSTMCell, 1.3, 1.0),
    "gru": Kind(recurra.GRU, nn.GRU, cells.GRUCell, 2.5),
    "elman": Kind(recurra.RNN, nn.RNN, cells.ElmanCell, 1.5),
}


def sizes(options: Options) -> tuple[Size, ...]:
    """Return the sizes to measure."""
    return SIZES[:3] if options.quick else SIZES


def build_pair(kind: Kind, size: Size, options: Options, **arguments: Any) -> tuple[nn.Module, nn.Module]:
    """Return our layer and torch's with the same weights."""
    torch.manual_seed(0)
    theirs = kind.theirs(size.I, size.H, **arguments)
    ours = kind.ours(size.I, size.H, engine=options.engine, **arguments)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def compare(report: Report, size: Size, ours: Training | Inference, theirs: Training | Inference, rounds: int) -> Turns:
    """Time two pieces of the same work in turns, once their results were compared."""
    gap = difference(ours, theirs)
    if not gap <= MOST_DIFFERENCE:
        report.problem(f"results at {size} differ by {gap:.1e} of their largest number")
    return take_turns({"ours": ours, "theirs": theirs}, rounds, most_s=MOST_S)


def first(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a function that runs a layer and gives its output only."""
    return lambda x: module(x)[0]


def measure_training(name: str) -> Callable[[Report, Options], None]:
    """Return the section that trains one kind of layer at all sizes."""

    def section(report: Report, options: Options) -> None:
        kind = KINDS[name]
        ceiling = ceiling_gflops()
        print(f"ceiling: {ceiling:.0f} GFLOP/s, the best large product of this run")
        print(f"{'T, B, I, H':<22}  ours ms  GFLOP/s    of ceiling   torch ms  GFLOP/s    of ceiling   torch / ours")
        ratios = []
        for size in sizes(options):
            ours, theirs = build_pair(kind, size, options)
            x = torch.randn(size.T, size.B, size.I)
            flops = product_flops(kind.cell(size.I, size.H), size)
            turns = compare(
                report,
                size,
                Training(first(ours), x, ours.parameters()),
                Training(first(theirs), x, theirs.parameters()),
                options.rounds,
            )
            ratios.append(turns.ratio("theirs", "ours"))
            _print_pair(report, size, turns, flops, ceiling)
        report.judge(f"torch / ours of {name}, median", statistics.median(ratios), at_least=kind.at_least)
        if kind.never_below is not None:
            report.judge(f"torch / ours of {name}, least", min(ratios), at_least=kind.never_below)

    return section


def _print_pair(report: Report, size: Size, turns: Turns, flops: int, ceiling: float) -> None:
    ours, theirs, ratio = turns.median_s("ours"), turns.median_s("theirs"), turns.ratio("theirs", "ours")
    rates = {"ours": flops / ours / 1e9, "theirs": flops / theirs / 1e9}
    report.row(
        f"{size!s:<22} {ours * 1e3:8.2f} {rates['ours']:8.1f} {rates['ours'] / ceiling:13.2f} "
        f"{theirs * 1e3:10.2f} {rates['theirs']:8.1f} {rates['theirs'] / ceiling:13.2f} {ratio:14.2f}",
        size=size,
        ours_s=ours,
        theirs_s=theirs,
        ratio=ratio,
        ours_gflops=rates["ours"],
        theirs_gflops=rates["theirs"],
        ceiling_gflops=ceiling,
        rounds=len(turns.times["ours"]),
    )


def measure_inference(report: Report, options: Options) -> None:
    """Forward passes under no_grad."""
    ceiling = ceiling_gflops()
    print(f"{'T, B, I, H':<22}  ours ms  GFLOP/s    of ceiling   torch ms  GFLOP/s    of ceiling   torch / ours")
    for name, kind in KINDS.items():
        print(name)
        for size in sizes(options):
            ours, theirs = build_pair(kind, size, options)
            x = torch.randn(size.T, size.B, size.I)
            flops = product_flops(kind.cell(size.I, size.H), size, backward=False)
            turns = compare(report, size, Inference(first(ours), x), Inference(first(theirs), x), options.rounds)
            _print_pair(report, size, turns, flops, ceiling)


def measure_stacked(report: Report, options: Options) -> None:
    """Two layers, both directions, forward and backward."""
    print(f"{'T, B, I, H':<22}   ours ms   torch ms   torch / ours")
    for size in sizes(options):
        ours, theirs = build_pair(KINDS["lstm"], size, options, num_layers=2, bidirectional=True)
        x = torch.randn(size.T, size.B, size.I)
        turns = compare(
            report,
            size,
            Training(first(ours), x, ours.parameters()),
            Training(first(theirs), x, theirs.parameters()),
            options.rounds,
        )
        mine, other, ratio = turns.median_s("ours"), turns.median_s("theirs"), turns.ratio("theirs", "ours")
        report.row(
            f"{size!s:<22} {mine * 1e3:9.2f} {other * 1e3:10.2f} {ratio:14.2f}",
            size=size,
            ours_s=mine,
            theirs_s=other,
            ratio=ratio,
        )


class Stream:
    """One step at a time, the state carried."""

    def __init__(self, step: Callable[[Any], Any]) -> None:
        self.step = step
        self.state: Any = None

    def __call__(self) -> None:
        """Run one step."""
        with torch.no_grad():
            _, self.state = self.step(self.state)


def _step_alone(cell: nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    state = cell(x, state)
    return state[0], state


def measure_latency(report: Report, options: Options) -> None:
    """T = 1, B = 1 without gradients: what a stream waits for."""
    print(
        f"{'I, H':<12} {'unroll':>9} {'nn.LSTMCell':>12} {'ratio':>7}   {'our layer':>10} {'nn.LSTM':>9} {'ratio':>7}"
    )
    for width in (128, 512)[: 1 if options.quick else 2]:
        torch.manual_seed(0)
        size = Size(1, 1, width, width)
        ours, theirs = build_pair(KINDS["lstm"], size, options)
        torch_cell = nn.LSTMCell(width, width)
        cell = cells.LSTMCell(width, width)
        x = torch.randn(1, 1, width)
        functions = {
            "unroll": Stream(partial(unroll, cell, x, engine=options.engine)),
            "nn.LSTMCell": Stream(partial(_step_alone, torch_cell, x[0])),
            "our layer": Stream(partial(ours, x)),
            "nn.LSTM": Stream(partial(theirs, x)),
        }
        turns = take_turns(functions, options.rounds)
        us = {name: turns.median_s(name) * 1e6 for name in functions}
        cell_ratio, layer_ratio = turns.ratio("nn.LSTMCell", "unroll"), turns.ratio("nn.LSTM", "our layer")
        report.row(
            f"{width:>4}, {width:<6}{us['unroll']:7.1f} us {us['nn.LSTMCell']:9.1f} us {cell_ratio:7.2f}   "
            f"{us['our layer']:7.1f} us {us['nn.LSTM']:6.1f} us {layer_ratio:7.2f}",
            width=width,
            us=us,
            cell_ratio=cell_ratio,
            layer_ratio=layer_ratio,
        )
