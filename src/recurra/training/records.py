"""What a run writes down: ``metrics.jsonl``, sample files, TensorBoard events, the plot of the loss."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recurra.training.callbacks import Callback, Row
from recurra.training.files import replace_file, reported_writing
from recurra.training.protocol import HasReport
from recurra.training.run_folder import RunFolder

if TYPE_CHECKING:
    from recurra.training.loop import Trainer

NOT_FIGURES = ("step", "split", "best", "seconds")


class MetricsFile(Callback):
    """Appends each row to ``metrics.jsonl``."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Write the row as one line, in one call."""
        with reported_writing(self.folder.metrics), open(self.folder.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class SampleFiles(Callback):
    """Writes samples to ``samples/step_00000500.txt``."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_sample(self, trainer: Trainer, texts: Sequence[str]) -> None:
        """Write the samples of one moment into one file."""
        path = self.folder.samples / f"step_{trainer.progress.step:08d}.txt"
        with reported_writing(path):
            self.folder.samples.mkdir(exist_ok=True)
            replace_file(path, "\n\n".join(texts) + "\n")


class TensorBoardEvents(Callback):
    """Writes the figures of each row for TensorBoard, into ``events``."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._writer: Any = None

    def on_start(self, trainer: Trainer) -> None:
        """Open the event file; events after the step that training goes on from are purged."""
        from torch.utils.tensorboard.writer import SummaryWriter  # takes a second to import

        purge_step = trainer.progress.step + 1 if trainer.is_resumed else None
        with reported_writing(self.folder.events):
            self._writer = SummaryWriter(str(self.folder.events), purge_step=purge_step)

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """Write one scalar a figure."""
        for name, value in row.items():
            if name not in NOT_FIGURES and self._writer is not None:
                self._writer.add_scalar(f"{row['split']}/{name}", value, row["step"])

    def on_end(self, trainer: Trainer, result: Mapping[str, Any] | None) -> None:
        """Close the event file."""
        if self._writer is not None:
            with reported_writing(self.folder.events):
                self._writer.close()


class LossPlot(Callback):
    """Draws ``plots/loss.png`` when training ends."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_end(self, trainer: Trainer, result: Mapping[str, Any] | None) -> None:
        """Draw what ``metrics.jsonl`` holds; nothing when an error ended training, which is not to wait for a plot."""
        rows = self.folder.read_rows(warn=lambda message: trainer.tell("on_message", message))
        if result is None or not any(row["split"] == "train" for row in rows):
            return
        from recurra.training.plots import plot_run

        selected, higher_is_better = trainer.selected_metric
        with reported_writing(self.folder.plots):
            self.folder.plots.mkdir(exist_ok=True)
            plot_run(
                rows,
                self.folder.plots / "loss.png",
                selected=selected,
                higher_is_better=higher_is_better,
                baselines=result["baselines"].get("validation", {}),
            )


class TaskReport(Callback):
    """Lets a task write its own plots and tables when training ends, and says what it says of them."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_end(self, trainer: Trainer, result: Mapping[str, Any] | None) -> None:
        """Ask the task for its report; nothing when an error ended training."""
        if result is None or not isinstance(trainer.task, HasReport):
            return
        with reported_writing(self.folder.path):
            self.folder.plots.mkdir(exist_ok=True)
            for line in trainer.task.report(self.folder.path):
                trainer.tell("on_message", line)


def record_keepers(folder: RunFolder) -> list[Callback]:
    """Return the callbacks that write into a run folder."""
    return [MetricsFile(folder), SampleFiles(folder), TensorBoardEvents(folder), LossPlot(folder), TaskReport(folder)]
