"""Beginning a run and going on with one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from recurra.training.config import TrainingConfig
from recurra.training.config_file import write_config
from recurra.training.files import replace_file
from recurra.training.protocol import HasAssets, Task
from recurra.training.run_folder import RunFolder


def start_run(task: Task, config: TrainingConfig, path: str | Path, *, overwrite: bool = False) -> RunFolder:
    """Make a run folder with everything that going on with it needs, ``config.toml`` last.

    Raises:
        RunExistsError: When the folder is not empty.
    """
    folder = RunFolder.create(path, overwrite=overwrite)
    sections = {"training": config}
    if isinstance(task, HasAssets):
        task.save_assets(folder.path)
        sections = {**task.config_sections(), **sections}
    replace_file(folder.config, write_config(task.name, sections))
    return folder


def resolved(config: TrainingConfig) -> TrainingConfig:
    """Return a configuration with what results depend on, and the machine would choose, made explicit."""
    return config if config.num_threads else dataclasses.replace(config, num_threads=torch.get_num_threads())
