"""``recurra demo``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.cli.parsing import parse
from recurra.cli.runs import load_text_run
from recurra.errors import ConfigError

PRIME = "The list of "
TEMPERATURES = (0.3, 0.7, 1.2)


@dataclass(frozen=True)
class DemoOptions:
    """Train a small two-layer LSTM on the Python reference manual that every CPython carries, and write like it.

    Shows five samples from start to end of training, then one beginning continued at three temperatures.
    """

    run: Path | None = None
    """Folder of the run; unset means the next free one of runs/demo-001, runs/demo-002, ..."""
    seconds: float = 60.0
    """How long to train. Above 0."""
    overwrite: bool = False
    """Replace the run in the folder."""
    seed: int = 1
    """Fixes initial weights, window borders and samples. At least 0."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(DemoOptions, "demo", arguments)
    if not 0 < options.seconds < math.inf:
        raise ConfigError(f"recurra demo expected --seconds above 0, got {options.seconds:g}")

    from recurra.cli.report import console, training_callbacks, training_report
    from recurra.cli.train import next_run_folder
    from recurra.tasks.text import ModelConfig, SamplingConfig, TextConfig, TextTask
    from recurra.training import TrainingConfig, train

    shared = console()
    shared.print("Two layers of 128 LSTM units learn the Python reference manual, one character after the other.")
    config = TextConfig(
        model=ModelConfig(hidden_size=128),
        training=TrainingConfig(time_budget_s=options.seconds, seed=options.seed),
        sampling=SamplingConfig(temperatures=(0.7,), sample_length=300),
    )
    folder = options.run or next_run_folder("demo")
    task = TextTask.from_config(config)
    result = train(task, config.training, run=folder, callbacks=training_callbacks(), overwrite=options.overwrite)

    run = load_text_run(folder, "demo")
    for temperature in TEMPERATURES:
        shared.rule(f"{PRIME!r} continued at temperature {temperature}", align="left")
        text = run.generate(PRIME, length=300, temperature=temperature, seed=options.seed)
        shared.print(f"[bold]{PRIME}[/]", end="")
        shared.print(text, markup=False, style="yellow", soft_wrap=True)
    shared.rule()
    training_report(folder, result, task)
    for line in next_steps(folder):
        shared.print(line, markup=False, soft_wrap=True)
    print(folder)
    return 0


def next_steps(folder: Path) -> list[str]:
    """Return what to try after the demo."""
    from recurra.cli.report import quoted

    run = quoted(folder)
    return [
        "",
        f"The run lies in {folder}: config.toml, metrics.jsonl, samples/, plots/loss.png, checkpoints/. Next, try:",
        f'  recurra generate {run} --prime "The list of " --temperature 0.5 --length 1000',
        f"  recurra generate {run} --num-samples 3 --top-k 10",
        f"  recurra evaluate {run} --split test",
        f"  tensorboard --logdir {quoted(folder / 'events')}",
        "  recurra train text --data YOUR_FILE.txt",
    ]
