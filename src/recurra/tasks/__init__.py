"""Tasks: data, model, loss, metrics and decoding joined into jobs; one folder a task."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from recurra.errors import ChoiceError

TASKS = ("text", "classify", "tag", "translate")
"""Names of the tasks; the package ``recurra.tasks.NAME`` holds one: ``SECTIONS``, ``open_run``, ``resume_task``."""


def load(run: str | Path, *, checkpoint: str | int = "best") -> Any:
    """Load a trained run for use.

    Args:
        run: Folder of the run.
        checkpoint: "best", "last", the step of one that is still there, or "average" for the mean of the weights of
            all that are.

    Returns:
        The run of its task: a ``recurra.tasks.text.TextRun`` generates, scores and evaluates; ``ClassifyRun``,
        ``TagRun`` and ``TranslateRun`` predict and evaluate.

    Raises:
        RunError: When the folder is no run.
        CheckpointError: When there is no such checkpoint.
    """
    return task_package(run).open_run(run, checkpoint=checkpoint)


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
