"""Several trainings of one experiment: run one after the other, kept, and shown in one table."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import commands
from support.machine import machine
from support.quiet import Quietness
from support.tables import table


@dataclass(frozen=True)
class Training:
    """One row of an experiment.

    Attributes:
        task: Name of the task.
        options: What `recurra train TASK` is given, but for seed and folder.
        title: What the row is called.
    """

    task: str
    options: tuple[str, ...]
    title: str


def parse(description: str, folder: str, trainings: Mapping[str, Training]) -> argparse.Namespace:
    """Return the options that every experiment has."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(trainings), help="run these alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path(f"runs/benchmark-{folder}"), help="where runs are kept")
    parser.add_argument("--again", action="store_true", help="train again what has been trained")
    return parser.parse_args()


def train_all(trainings: Mapping[str, Training], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Run the trainings that are asked for, and return what ``result.json`` of each holds."""
    print(machine())
    results = {}
    for name in options.only or trainings:
        run = options.runs / f"{name}-seed{options.seed}"
        results[name] = _train(trainings[name], run, options)
    return results


def _train(training: Training, run: Path, options: argparse.Namespace) -> dict[str, Any]:
    chosen = [*training.options, "--seed", str(options.seed), "--num-threads", str(options.threads)]
    print(f"recurra train {training.task} {' '.join(chosen)} --run {run}", flush=True)
    result_file = run / "result.json"
    if options.again or not result_file.exists():
        quiet, began = Quietness(), time.perf_counter()
        commands.recurra("train", training.task, *chosen, "--run", str(run), "--overwrite")
        print(f"  {time.perf_counter() - began:.0f} s, {quiet.line()}", flush=True)
    else:
        print("  trained before", flush=True)
    result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
    return result


def figures(
    results: Mapping[str, Mapping[str, Any]],
    trainings: Mapping[str, Training],
    columns: Sequence[tuple[str, str]],
    *,
    digits: int = 2,
    factor: float = 100.0,
) -> str:
    """Return the table of an experiment: baselines of the first training, then each training's best weights.

    Args:
        results: By training.
        trainings: All of them.
        columns: Part and metric of each column.
        digits: Digits behind the point.
        factor: What figures are multiplied with; 100 makes shares per cent.
    """
    first = next(iter(results.values()))
    kinds = dict.fromkeys(kind for baselines in first["baselines"].values() for kind in baselines)

    def cell(values: Mapping[str, Mapping[str, float]], part: str, metric: str) -> str:
        value = values.get(part, {}).get(metric)
        return "" if value is None else f"{value * factor:.{digits}f}"

    rows = [
        [
            kind,
            "",
            "",
            *(cell({part: first["baselines"].get(part, {}).get(kind, {})}, part, metric) for part, metric in columns),
        ]
        for kind in kinds
    ]
    for name, result in results.items():
        best = result["best"]
        parts = {part: best.get(part, {}) for part, _ in columns}
        cells = [cell(parts, part, metric) for part, metric in columns]
        rows.append([trainings[name].title, f"{result['num_parameters']:,}", f"{result['training_s']:.0f}", *cells])
    head = ["", "parameters", "seconds", *(f"{part} {metric}".replace("_", " ") for part, metric in columns)]
    return table(head, rows)
