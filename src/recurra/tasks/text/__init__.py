"""The text task: learn a text, write like it, say how well it is predicted."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.tasks.text.config import SECTIONS, DataConfig, ModelConfig, SamplingConfig, TextConfig
    from recurra.tasks.text.drafting import Draft
    from recurra.tasks.text.run import TextRun, open_run
    from recurra.tasks.text.scoring import Score
    from recurra.tasks.text.task import TextTask, resume_task
    from recurra.tasks.text.writing import Writer

_HOMES = {
    "SECTIONS": "config",
    "DataConfig": "config",
    "Draft": "drafting",
    "ModelConfig": "config",
    "SamplingConfig": "config",
    "Score": "scoring",
    "TextConfig": "config",
    "TextRun": "run",
    "TextTask": "task",
    "Writer": "writing",
    "open_run": "run",
    "resume_task": "task",
}

__all__ = [
    "SECTIONS",
    "DataConfig",
    "Draft",
    "ModelConfig",
    "SamplingConfig",
    "Score",
    "TextConfig",
    "TextRun",
    "TextTask",
    "Writer",
    "open_run",
    "resume_task",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"recurra.tasks.text.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'recurra.tasks.text' has no attribute {name!r}")
