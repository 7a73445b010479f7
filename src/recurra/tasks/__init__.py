"""Tasks: data, model, loss, metrics and decoding joined into jobs; one folder a task."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import ChoiceError

if TYPE_CHECKING:
    from recurra.tasks.text import TextRun

TASKS = ("text",)
"""Names of the tasks; the package ``recurra.tasks.NAME`` holds one, with ``open_run`` and ``resume_task``."""


def load(run: str | Path, *, checkpoint: str | int = "best") -> TextRun:
    """Load a trained run for use.

    Args:
        run: Folder of the run.
        checkpoint: "best", "last", or the step of one that is still there.

    Returns:
        The run: for text, a ``TextRun`` that generates and evaluates.

    Raises:
        RunError: When the folder is no run.
        CheckpointError: When there is no such checkpoint.
    """
    opened: TextRun = task_package(run).open_run(run, checkpoint=checkpoint)
    return opened


def task_package(run: str | Path) -> Any:
    """Return the package of the task that a run belongs to.

    Raises:
        RunError: When the folder is no run.
        ChoiceError: When this version does not know its task.
    """
    from recurra.training.config_file import read_task_name
    from recurra.training.run_folder import RunFolder

    name = read_task_name(RunFolder.open(run).config)
    if name not in TASKS:
        raise ChoiceError(f"the task of {run}", name, TASKS)
    return importlib.import_module(f"recurra.tasks.{name}")


__all__ = ["TASKS", "load", "task_package"]
