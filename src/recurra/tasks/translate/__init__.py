"""The translate task: write each sentence in other words, of another language or shorter."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.tasks.translate.config import (
        SECTIONS,
        DataConfig,
        DecodingConfig,
        ModelConfig,
        TranslateConfig,
        TranslateTraining,
    )
    from recurra.tasks.translate.prediction import TranslatePrediction
    from recurra.tasks.translate.run import TranslateRun, open_run
    from recurra.tasks.translate.task import TranslateTask, resume_task

_HOMES = {
    "SECTIONS": "config",
    "DataConfig": "config",
    "DecodingConfig": "config",
    "ModelConfig": "config",
    "TranslateConfig": "config",
    "TranslatePrediction": "prediction",
    "TranslateRun": "run",
    "TranslateTask": "task",
    "TranslateTraining": "config",
    "open_run": "run",
    "resume_task": "task",
}

__all__ = [
    "SECTIONS",
    "DataConfig",
    "DecodingConfig",
    "ModelConfig",
    "TranslateConfig",
    "TranslatePrediction",
    "TranslateRun",
    "TranslateTask",
    "TranslateTraining",
    "open_run",
    "resume_task",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"recurra.tasks.translate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'recurra.tasks.translate' has no attribute {name!r}")
