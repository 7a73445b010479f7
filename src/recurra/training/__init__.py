"""Training: the loop, what it needs of a task, checkpoints, run folders.

Names load on first use: the configuration is needed to print a help text, PyTorch is not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.training.callbacks import Callback
    from recurra.training.config import TrainingConfig
    from recurra.training.launch import train
    from recurra.training.loop import Trainer
    from recurra.training.protocol import StepResult, Task
    from recurra.training.run_folder import RunFolder

_HOMES = {
    "Callback": "callbacks",
    "RunFolder": "run_folder",
    "StepResult": "protocol",
    "Task": "protocol",
    "Trainer": "loop",
    "TrainingConfig": "config",
    "train": "launch",
}

__all__ = ["Callback", "RunFolder", "StepResult", "Task", "Trainer", "TrainingConfig", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"recurra.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'recurra.training' has no attribute {name!r}")
