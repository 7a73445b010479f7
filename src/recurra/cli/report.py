"""What the commands say about a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from recurra.training.callbacks import Callback
from recurra.training.progress import ConsoleProgress, format_duration
from recurra.training.protocol import HasSummary, Task, target_unit

if TYPE_CHECKING:
    from recurra.tasks.text import TextTask
    from recurra.training.loop import Trainer

_WIDTH_FOR_BITS = 70


class Opening(Callback):
    """Prints what is worth knowing before training begins."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def on_start(self, trainer: Trainer) -> None:
        """Print the task's summary and where the run lies."""
        if isinstance(trainer.task, HasSummary):
            for line in trainer.task.summary(trainer.model):
                self.console.print(line, markup=False, soft_wrap=True)
        if trainer.folder is not None:
            self.console.print(f"run: {trainer.folder.path}", markup=False, soft_wrap=True)


def console() -> Console:
    """Return the console for messages: standard error."""
    return Console(stderr=True, highlight=False)


def training_callbacks() -> list[Callback]:
    """Return what shows the training of a model to a person."""
    shared = console()
    return [Opening(shared), ConsoleProgress(shared)]


def training_report(folder: Path, result: Mapping[str, Any], task: Task) -> None:
    """Print the figures of a run that ended, beside its baselines, and what to do next.

    Args:
        folder: The run.
        result: What training returned.
        task: What was trained.
    """
    if task.name == "text":
        text_report(folder, result, task)  # type: ignore[arg-type]
        return
    from recurra.cli.metrics_table import metrics_table

    shared = console()
    shared.print(metrics_table(result))
    lines = [
        f"predict:   recurra predict {quoted(folder)} FILE    (- reads standard input)",
        f"evaluate:  recurra evaluate {quoted(folder)} FILE    (without FILE, its validation part)",
    ]
    _print_ending(shared, folder, result, task, lines)


def text_report(folder: Path, result: Mapping[str, Any], task: TextTask) -> None:
    """Print the figures of a run of the text task that ended, and what to do next; see ``training_report``."""
    shared = console()
    shared.print(figures_table(result, task.unit, with_bits=shared.width >= _WIDTH_FOR_BITS))
    labels = task.data.facts.label_names
    condition = f" --condition {shlex.quote(labels[0])}" if labels else ""
    lines = [f"write:  recurra generate {quoted(folder)} --temperature 0.7{condition}"]
    _print_ending(shared, folder, result, task, lines)


def _print_ending(shared: Console, folder: Path, result: Mapping[str, Any], task: Task, next_steps: list[str]) -> None:
    unit = target_unit(task)
    per_s = result[f"{unit}_per_s"]
    speed = f", {per_s:,.0f} {unit}/s" if per_s else ""
    shared.print(f"{result['stopped']} after {result['steps']:,} steps, {format_duration(result['training_s'])}{speed}")
    if result["stopped"] == "interrupted":
        shared.print(f"go on:  recurra resume {quoted(folder)}", markup=False, soft_wrap=True)
    for line in next_steps:
        shared.print(line, markup=False, soft_wrap=True)


def figures_table(result: Mapping[str, Any], unit: str, *, with_bits: bool) -> Table:
    """Return the figures of a run of the text task beside its baselines; numbers are never cut, long names are wrapped.

    Of characters the second column is in bits, of longer tokens it is the perplexity.
    """
    second = "bits" if unit == "character" else "perplexity"
    splits = list(result["baselines"]) or ["validation"]
    is_wide = with_bits and second == "bits"  # perplexities take the room that is left on 80 columns
    table = Table(title=None, box=None, padding=(0, 2) if is_wide else (0, 1), pad_edge=False)
    table.add_column(f"nats per {unit}", style="bold", overflow="fold")
    for split in splits:
        table.add_column(split, justify="right", no_wrap=True, min_width=len(split))
        if with_bits:
            table.add_column(second, justify="right", style="dim", no_wrap=True)
    last, best = result["last"], result["best"]
    rows = {
        name: {split: result["baselines"][split][name] for split in splits}
        for name in result["baselines"].get(splits[0], {})
    }
    rows[f"this model, last (step {last['step']:,})"] = last
    if best["step"] != last["step"]:
        rows[f"this model, best (step {best['step']:,})"] = best
    for name, figures in rows.items():
        cells = [_cells(figures[split], second if with_bits else None) for split in splits]
        table.add_row(name, *(cell for pair in cells for cell in pair))
    return table


def _cells(figures: Mapping[str, float], second: str | None) -> list[str]:
    loss = f"{figures['loss']:.4f}"
    if second is None:
        return [loss]
    return [loss, f"{figures['bits_per_char']:.3f}" if second == "bits" else f"{figures['perplexity']:.2f}"]


def quoted(path: Path) -> str:
    """Return a path as it is typed in a shell."""
    return shlex.quote(str(path))
