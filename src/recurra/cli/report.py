"""What the commands say about a run of the text task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from recurra.training.callbacks import Callback
from recurra.training.progress import ConsoleProgress, format_duration
from recurra.training.protocol import HasSummary

if TYPE_CHECKING:
    from recurra.training.loop import Trainer


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


def text_callbacks() -> list[Callback]:
    """Return what shows the training of a text model to a person."""
    shared = console()
    return [Opening(shared), ConsoleProgress(shared)]


def text_report(folder: Path, result: Mapping[str, Any]) -> None:
    """Print the figures of a run that ended, beside its baselines, and what to do next."""
    shared = console()
    splits = list(result["baselines"]) or ["validation"]
    table = Table(title=None, box=None, padding=(0, 2), pad_edge=False)
    table.add_column("nats per character", style="bold")
    for split in splits:
        table.add_column(split, justify="right")
        table.add_column("bits", justify="right", style="dim")
    for name in result["baselines"].get(splits[0], {}):
        _add_row(table, name, {split: result["baselines"][split][name] for split in splits}, splits)
    last, best = result["last"], result["best"]
    _add_row(table, f"this model, last (step {last['step']:,})", last, splits)
    if best["step"] != last["step"]:
        _add_row(table, f"this model, best (step {best['step']:,})", best, splits)
    shared.print(table)
    speed = f", {result['tokens_per_s']:,.0f} tokens/s" if result["tokens_per_s"] else ""
    shared.print(f"{result['stopped']} after {result['steps']:,} steps, {format_duration(result['training_s'])}{speed}")
    if result["stopped"] == "interrupted":
        shared.print(f"go on:  recurra resume {folder}", markup=False, soft_wrap=True)
    shared.print(f"write:  recurra generate {folder} --temperature 0.7", markup=False, soft_wrap=True)


def _add_row(table: Table, name: str, figures: Mapping[str, Mapping[str, float]], splits: list[str]) -> None:
    cells = [
        cell for split in splits for cell in (f"{figures[split]['loss']:.4f}", f"{figures[split]['bits_per_char']:.3f}")
    ]
    table.add_row(name, *cells)
