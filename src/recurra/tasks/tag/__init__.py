"""The tag task: a tag for each word of a sentence."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.tasks.tag.config import SECTIONS, DataConfig, ModelConfig, TagConfig, TagTraining
    from recurra.tasks.tag.prediction import TagPrediction
    from recurra.tasks.tag.run import TagRun, open_run
    from recurra.tasks.tag.task import TagTask, resume_task

_HOMES = {
    "SECTIONS": "config",
    "DataConfig": "config",
    "ModelConfig": "config",
    "TagConfig": "config",
    "TagPrediction": "prediction",
    "TagRun": "run",
    "TagTask": "task",
    "TagTraining": "config",
    "open_run": "run",
    "resume_task": "task",
}

__all__ = [
    "SECTIONS",
    "DataConfig",
    "ModelConfig",
    "TagConfig",
    "TagPrediction",
    "TagRun",
    "TagTask",
    "TagTraining",
    "open_run",
    "resume_task",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"recurra.tasks.tag.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'recurra.tasks.tag' has no attribute {name!r}")
