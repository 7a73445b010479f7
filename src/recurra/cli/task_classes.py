"""From the name of a task to its classes, imported only when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from recurra.errors import ChoiceError
from recurra.tasks import TASKS


def check_task(task: str, command: str) -> None:
    """Refuse what is no task.

    Raises:
        ChoiceError: When there is no task of this name.
    """
    if task not in TASKS:
        raise ChoiceError(f"TASK of `recurra {command}`", task, TASKS)


def config_class(task: str) -> Any:
    """Return the dataclass of a task's whole configuration; PyTorch is not needed for it."""
    return getattr(_package(task), f"{task.capitalize()}Config")


def section_classes(task: str) -> Mapping[str, type]:
    """Return the dataclasses of a task's configuration by section of ``config.toml``."""
    sections: Mapping[str, type] = _package(task).SECTIONS
    return sections


def task_class(task: str) -> Any:
    """Return the class that the training loop sees."""
    return getattr(_package(task), f"{task.capitalize()}Task")


def _package(task: str) -> Any:
    return importlib.import_module(f"recurra.tasks.{task}")
