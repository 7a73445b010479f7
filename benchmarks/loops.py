"""How fast are cells over whole sequences, and how much memory do they take, against torch.nn and others?

Everything is float32, on two threads unless told otherwise. Functions are timed in turns; times are medians of the
rounds, and a ratio is the median of the rounds' own ratios, theirs / ours: above 1, ours is faster. Both sides' results
are compared too. GFLOP/s count products only, those of the inputs and all gradients included.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from support.loops.ceiling import measure_ceiling
from support.loops.children import measure_compile, measure_memory
from support.loops.jax_scan import measure_jax
from support.loops.layers import measure_inference, measure_latency, measure_stacked, measure_training
from support.loops.lengths import measure_lengths
from support.loops.report import Options, Report
from support.loops.text_training import measure_text
from support.loops.third_party import measure_per_operation, measure_torchrecurrent
from support.machine import machine

SECTIONS: dict[str, tuple[str, Callable[[Report, Options], None]]] = {
    "ceiling": ("the best large product", measure_ceiling),
    "lstm": ("recurra.LSTM against torch.nn.LSTM, forward and backward", measure_training("lstm")),
    "gru": ("recurra.GRU against torch.nn.GRU, forward and backward", measure_training("gru")),
    "elman": ("recurra.RNN against torch.nn.RNN, forward and backward", measure_training("elman")),
    "torchrecurrent": ("its cells by recurra.unroll against its own layers", measure_torchrecurrent),
    "operations": ("other cells against the LSTM, by floating-point operation", measure_per_operation),
    "lengths": ("a batch with lengths against padding and packing", measure_lengths),
    "compile": ("compilation of a cell, forward and backward", measure_compile),
    "memory": ("the peak of a training pass", measure_memory),
    "inference": ("forward passes without gradients", measure_inference),
    "stacked": ("two LSTM layers, both directions, forward and backward", measure_stacked),
    "latency": ("one step of one row without gradients", measure_latency),
    "jax": ("recurra.LSTM against JAX's scan, forward and backward", measure_jax),
    "text": ("training steps of the text task's language model", measure_text),
}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", help=f"sections, with commas between: {','.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="three sizes, few cells, five rounds")
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (15; quick: 5)")
    parser.add_argument("--engine", default="auto", help="engine of our side (auto)")
    parser.add_argument("--threads", type=int, default=2, help="threads of all sides but JAX's (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else list(SECTIONS)
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        parser.error(f"expected --only to name some of {', '.join(SECTIONS)}; got {', '.join(unknown)}")
    if options.rounds is None:
        options.rounds = 5 if options.quick else 15
    for name in ("rounds", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"expected --{name} of at least 1, got {getattr(options, name)}")
    options.names = names
    return options


def main() -> int:
    """Run the measurement; 1 where results differ that should not."""
    parsed = parse()
    options = Options(engine=parsed.engine, rounds=parsed.rounds, quick=parsed.quick, threads=parsed.threads)
    torch.set_num_threads(options.threads)
    report = Report()
    print(f"{machine()}; engine {options.engine}, {options.rounds} rounds")
    for name in parsed.names:
        title, measure = SECTIONS[name]
        with report.part(name, title):
            measure(report, options)
    report.summary()
    if parsed.json:
        found = {"machine": machine(), "options": asdict(options), **report.as_json()}
        parsed.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
