"""What a person sees while a model trains: a line that moves on a terminal, lines one below the other elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.progress import Task as Bar
from rich.text import Text

from recurra.training.callbacks import Callback, Row
from recurra.training.protocol import target_unit
from recurra.training.records import NOT_FIGURES

if TYPE_CHECKING:
    from recurra.training.loop import Trainer

_EVERY_S = 0.25  # between redraws
_SMOOTHING = 0.95


class _TimeLeft(ProgressColumn):
    def render(self, task: Bar) -> Text:
        left = task.fields["left_s"]
        return Text("" if left is None else f"{format_duration(left)} left", style="cyan")


def format_duration(seconds: float) -> str:
    """Return seconds as people say them: "42 s", "3 min 05 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class ConsoleProgress(Callback):
    """Shows steps, loss, gradient norm, speed and time left; samples and validations as they come.

    Args:
        console: Where to write; standard error by default.
        show_samples: Print the samples drawn on the way.
    """

    def __init__(self, console: Console | None = None, *, show_samples: bool = True) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.show_samples = show_samples
        self._bar: Progress | None = None
        self._loss: float | None = None
        self._drawn_at = 0.0

    def on_start(self, trainer: Trainer) -> None:
        """Begin the line."""
        step = trainer.progress.step
        if step:
            self.console.print(f"going on after step {step:,}")
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed:,.0f}/{task.fields[of]}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[figures]}"),
                _TimeLeft(),
                console=self.console,
                transient=True,
            )
            total = trainer.progress.total_steps
            self._bar.add_task("", total=total, completed=step, figures="", of=_of(total), left_s=None)
            self._bar.start()

    def on_step(self, trainer: Trainer, loss: float, grad_norm: float) -> None:
        """Move the line, a few times a second."""
        self._loss = loss if self._loss is None else _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        now = time.perf_counter()
        if self._bar is None or now - self._drawn_at < _EVERY_S:
            return
        self._drawn_at = now
        progress = trainer.progress
        speed = progress.num_targets / progress.training_s
        left = None
        if progress.total_steps is not None:
            left = (progress.total_steps - progress.step) * progress.training_s / progress.step
        figures = f"loss {self._loss:.3f}  grad norm {grad_norm:.2f}  {speed:,.0f} {target_unit(trainer.task)}/s"
        total = progress.total_steps
        bar = self._bar.task_ids[0]
        self._bar.update(bar, completed=progress.step, total=total, figures=figures, of=_of(total), left_s=left)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Print validations, and the training figures since the one before."""
        if row["split"] != "validation":
            return
        figures = "  ".join(f"{_words(name)} {value:.4g}" for name, value in row.items() if name not in NOT_FIGURES)
        train = "" if self._loss is None else f"training loss {self._loss:.3f}  "
        total = trainer.progress.total_steps
        mark = "  [green]best so far[/]" if row["best"] and row["step"] else ""
        self.console.print(
            f"[bold]step {row['step']:,}[/]/{_of(total)}  {train}validation: {figures}{mark}", soft_wrap=True
        )

    def on_sample(self, trainer: Trainer, texts: Sequence[str]) -> None:
        """Print samples."""
        if self.show_samples:
            self.console.rule(f"samples after {trainer.progress.step:,} steps", align="left")
            for text in texts:
                self.console.print(text, markup=False, style="yellow", soft_wrap=True)
            self.console.rule()

    def on_message(self, trainer: Trainer, message: str) -> None:
        """Print a message."""
        self.console.print(message, markup=False, soft_wrap=True)

    def on_end(self, trainer: Trainer, result: Mapping[str, Any] | None) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.stop()


def _of(total: int | None) -> str:
    return "?" if total is None else f"{total:,}"


def _words(name: str) -> str:
    return name.replace("_", " ")
