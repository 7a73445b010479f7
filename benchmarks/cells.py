"""How fast is every cell, forward and backward, against the plain loop and against torchrecurrent's layer of it?

And what does it cost to give a cell zoneout, dropout inside the recurrence, or weights made of other weights? All is
float32 at (T, B, I, H) = (50, 32, 200, 200), on two threads unless told otherwise. Functions are timed in turns; times
are medians of the rounds, ratios the medians of the rounds' own. GFLOP/s count products only, those of the inputs and
all gradients included; "of ceiling" is their share of the best large product of the same run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from support.cells.every_cell import measure_cells
from support.cells.modifiers import measure_modifiers
from support.loops.report import Options, Report
from support.machine import machine

SECTIONS: dict[str, tuple[str, Callable[[Report, Options, Sequence[str]], None]]] = {
    "cells": ("every cell: native against the plain loop and torchrecurrent", measure_cells),
    "modifiers": ("what any cell can be given, by what it costs", measure_modifiers),
}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="cells, by their registered names (all)")
    parser.add_argument("--only", choices=list(SECTIONS), help="one section")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each comparison (9)")
    parser.add_argument("--threads", type=int, default=2, help="threads (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(arguments)
    for name in ("rounds", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"expected --{name} of at least 1, got {getattr(options, name)}")
    return options


def main() -> int:
    """Run the measurement; 1 where results differ that should not."""
    parsed = parse()
    options = Options(engine="native", rounds=parsed.rounds, threads=parsed.threads)
    torch.set_num_threads(options.threads)
    report = Report()
    print(f"{machine()}; {options.rounds} rounds")
    for name in [parsed.only] if parsed.only else SECTIONS:
        title, measure = SECTIONS[name]
        with report.part(name, title):
            measure(report, options, parsed.names)
    report.summary()
    if parsed.json:
        found = {"machine": machine(), "options": asdict(options), **report.as_json()}
        parsed.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
