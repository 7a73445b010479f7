"""What any cell can be given, on the LSTM: time with it as a multiple of the time without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from recurra import Recurrent
from support.loops.layers import first
from support.loops.report import Options, Report
from support.loops.work import SIZES, Training
from support.turns import take_turns

SIZE = SIZES[2]
MOST_S = 40.0
MOST = 1.15
MOST_EVERY_STEP = 1.40
"""Of what draws a mask every step."""

MODIFIERS: dict[str, tuple[dict[str, Any], float | None]] = {
    "recurrent dropout, every step": ({"recurrent_dropout": 0.25}, MOST_EVERY_STEP),
    "recurrent dropout, one mask": ({"recurrent_dropout": 0.25, "recurrent_dropout_mask": "sequence"}, MOST),
    "variational dropout": ({"variational_dropout": 0.25}, MOST),
    "input dropout, one mask": ({"input_dropout": 0.25}, MOST),
    "zoneout of h and c": ({"zoneout": {"h": 0.05, "c": 0.5}}, MOST_EVERY_STEP),
    "weight dropout": ({"weight_dropout": 0.5}, MOST),
    "weight normalisation": ({"weight_norm": True}, MOST),
    "learned initial state": ({"learn_initial_state": True}, MOST),
    "orthogonal parametrisation": ({"orthogonal": True}, None),
    "skip through 3 steps": ({"skip_through_time": 3}, None),
}
"""Options of ``Recurrent``, and how many times as long they may take; those without a limit are reported."""


def measure_modifiers(report: Report, options: Options, names: Sequence[str]) -> None:
    """Time a layer with each, in turns with the layer without."""
    cell = names[0] if names else "lstm"
    x = torch.randn(SIZE.T, SIZE.B, SIZE.I)
    works = {"nothing": _work(cell, {}, x)} | {name: _work(cell, given, x) for name, (given, _) in MODIFIERS.items()}
    turns = take_turns(works, options.rounds, most_s=MOST_S)
    print(f"(T, B, I, H) = {SIZE}, {cell}\n{'given':<34} {'ms':>7} {'times as long':>14}")
    ratios = {name: turns.ratio(name, "nothing") for name in works}
    for name, ratio in ratios.items():
        seconds = turns.median_s(name)
        report.row(f"{name:<34} {seconds * 1e3:7.2f} {ratio:14.2f}", modifier=name, seconds=seconds, ratio=ratio)
    for name, (_, most) in MODIFIERS.items():
        if most is not None:
            report.judge(f"{name}, times as long", ratios[name], at_most=most)


def _work(cell: str, given: dict[str, Any], x: torch.Tensor) -> Training:
    torch.manual_seed(0)
    layer = Recurrent(cell, SIZE.I, SIZE.H, engine="native", **given)
    return Training(first(layer), x, layer.parameters())
