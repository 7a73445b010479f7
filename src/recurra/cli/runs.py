"""What the commands need to know of a run before they use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recurra.errors import RunError

if TYPE_CHECKING:
    from recurra.tasks.text import TextRun

OPTIONS_OF_ONE_TASK = {
    "text_column": "classify",
    "label_column": "classify",
    "reset_every": "text",
    "cache_size": "text",
    "cache_weight": "text",
    "cache_flatness": "text",
    "num_beams": "translate",
    "length_penalty": "translate",
    "max_length": "translate",
    "n_best": "translate",
    "attention": "translate",
}
"""Options that mean something for runs of one task only; None is how they are left unset."""


def task_name(run: Path) -> str:
    """Return the task that a run belongs to.

    Raises:
        RunError: When the folder is no run.
        ConfigError: When its configuration cannot be read.
    """
    from recurra.training.config_file import read_task_name
    from recurra.training.run_folder import RunFolder

    return read_task_name(RunFolder.open(run).config)


def options_of_one_task(options: Any, task: str) -> tuple[dict[str, Any], list[str]]:
    """Return the options given that one task only knows, and what is wrong where that is not the run's.

    Args:
        options: Dataclass of a command's options.
        task: The run's.
    """
    names = [name for name in OPTIONS_OF_ONE_TASK if getattr(options, name, None) is not None]
    faults = [
        f"expected no --{name.replace('_', '-')} for a run of the task {task}, only for {OPTIONS_OF_ONE_TASK[name]}"
        for name in names
        if OPTIONS_OF_ONE_TASK[name] != task
    ]
    return {name: getattr(options, name) for name in names}, faults


def load_text_run(run: Path, command: str, *, checkpoint: str = "best") -> TextRun:
    """Load a run for a command that is about text alone.

    Raises:
        RunError: When the folder is no run, or one of another task.
    """
    from recurra.tasks import load

    name = task_name(run)
    if name != "text":
        raise RunError(
            f"recurra {command} expected a run of the task text, got {run}, a run of the task {name}",
            hint="`recurra predict RUN FILE` and `recurra evaluate RUN` use it",
        )
    return cast("TextRun", load(run, checkpoint=checkpoint))
