"""Print as JSON how long cells take to compile: ``python -m support.loops.compile_times ENGINE THREADS REPEATS``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from recurra import cells
from recurra.loop import unroll
from support.loops.cells import CoupledCell, has_torchrecurrent, torchrecurrent_pair

WIDTH = 200
STEPS, ROWS = 4, 4


def builders() -> dict[str, Callable[[], nn.Module]]:
    """Return functions that make the cells."""
    found: dict[str, Callable[[], nn.Module]] = {
        "LSTM": lambda: cells.LSTMCell(WIDTH, WIDTH),
        "GRU": lambda: cells.GRUCell(WIDTH, WIDTH),
        "a user's cell": lambda: CoupledCell(WIDTH, WIDTH),
    }
    if has_torchrecurrent():
        for name in ("PeepholeLSTMCell", "MUT1Cell", "NASCell"):
            found[name] = partial(_third_party, name)
    return found


def _third_party(name: str) -> nn.Module:
    return torchrecurrent_pair(name, WIDTH, WIDTH)[1]


def seconds_above_steady(cell: nn.Module, width: int, engine: str) -> float:
    """Return what the first forward and backward pass takes more than the next one."""
    x = torch.randn(STEPS, ROWS, width, requires_grad=True)
    state = (torch.zeros(ROWS, width),) * 2 if isinstance(cell, CoupledCell) else None
    times = []
    for _ in range(2):
        began = time.perf_counter()
        torch.autograd.backward(unroll(cell, x, state, engine=engine)[0].sum())
        times.append(time.perf_counter() - began)
    return times[0] - times[1]


def main() -> None:
    """Run the measurement."""
    engine, threads, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    first_s = seconds_above_steady(cells.ElmanCell(8, 8), 8, engine)
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        if engine == "native":
            from recurra.loop import compiled

            compiled.clear()
        for name, build in builders().items():
            found.setdefault(name, []).append(seconds_above_steady(build(), WIDTH, engine))
    print(json.dumps({"first_s": first_s, "cells": found}))


if __name__ == "__main__":
    main()
