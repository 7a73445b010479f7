"""The classify task: learn from labelled examples of which class a text, or a sequence of numbers, is."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.tasks.classify.config import SECTIONS, ClassifyConfig, ClassifyTraining, DataConfig, ModelConfig
    from recurra.tasks.classify.predictions import ClassifyPrediction
    from recurra.tasks.classify.run import ClassifyRun, open_run
    from recurra.tasks.classify.task import ClassifyTask, resume_task

_HOMES = {
    "SECTIONS": "config",
    "ClassifyConfig": "config",
    "ClassifyPrediction": "predictions",
    "ClassifyRun": "run",
    "ClassifyTask": "task",
    "ClassifyTraining": "config",
    "DataConfig": "config",
    "ModelConfig": "config",
    "open_run": "run",
    "resume_task": "task",
}

__all__ = [
    "SECTIONS",
    "ClassifyConfig",
    "ClassifyPrediction",
    "ClassifyRun",
    "ClassifyTask",
    "ClassifyTraining",
    "DataConfig",
    "ModelConfig",
    "open_run",
    "resume_task",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"recurra.tasks.classify.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'recurra.tasks.classify' has no attribute {name!r}")
