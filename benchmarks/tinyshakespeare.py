"""How well is tinyshakespeare learnt in 3 and in 5 minutes? Validation loss of the last weights, over three seeds.

First 90 % training, last 10 % validation; needs the data set in $RECURRA_DATA. Prints each seed and the medians: state
carried through the whole part, and reset every 256 characters.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from support.commands import need_data, recurra
from support.limits import verdict
from support.machine import machine

LIMITS = {3.0: 1.52, 5.0: 1.49}
"""Largest median, in nats per character with the state carried, by minutes of training."""
SPLIT = ["--data", "tinyshakespeare", "--validation-fraction", "0.1", "--test-fraction", "0"]


def measure(minutes: float, seed: int, extra: list[str], run: Path) -> tuple[float, float, float]:
    """Train once; return the loss carried and reset, and the seconds that the training command took."""
    began = time.perf_counter()
    budget = ["--time-budget-s", str(60 * minutes), "--seed", str(seed), "--num-samples", "0"]
    recurra("train", "text", *SPLIT, *budget, *extra, "--run", str(run))
    seconds = time.perf_counter() - began
    figures = []
    for options in ([], ["--reset-every", "256"]):
        figures.append(json.loads(recurra("evaluate", str(run), "--checkpoint", "last", "--json", *options))["loss"])
    steps = json.loads((run / "result.json").read_text())["steps"]
    print(
        f"{minutes:g} min, seed {seed}: {figures[0]:.4f} nats per character, reset every 256: {figures[1]:.4f} "
        f"({steps} steps, command took {seconds:.0f} s)",
        flush=True,
    )
    return figures[0], figures[1], seconds


def main() -> None:
    """Run the measurement; unknown options go to `recurra train text`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[3, 5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options, extra = parser.parse_known_args()
    need_data("tinyshakespeare")
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            found = [measure(minutes, seed, extra, Path(folder) / f"{minutes}-{seed}") for seed in options.seeds]
            carried, reset, _ = (statistics.median(values) for values in zip(*found, strict=True))
            limit = f"   {verdict(carried, at_most=LIMITS[minutes])}" if minutes in LIMITS else ""
            print(f"{minutes:g} min, median: {carried:.4f}, reset every 256: {reset:.4f}{limit}", flush=True)


if __name__ == "__main__":
    main()
