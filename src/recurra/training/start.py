"""Beginning a run: everything that going on with it needs is in its folder before the first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from recurra.training.config import TrainingConfig
from recurra.training.config_file import write_config
from recurra.training.files import replace_file, reported_writing
from recurra.training.protocol import HasAssets, Task
from recurra.training.run_folder import RunFolder


@contextmanager
def new_run(task: Task, config: TrainingConfig, path: str | Path, *, overwrite: bool = False) -> Iterator[RunFolder]:
    """Make a run folder, ``config.toml`` last, and hold it against other trainers while it is trained in.

    Raises:
        RunExistsError: When the folder is not empty.
    """
    folder = RunFolder(path)
    with folder.create(overwrite=overwrite):
        with reported_writing(folder.path):
            sections = {"training": config}
            if isinstance(task, HasAssets):
                task.save_assets(folder.path)
                sections = {**task.config_sections(), **sections}
            replace_file(folder.config, write_config(task.name, sections))
        yield folder


def resolved(config: TrainingConfig) -> TrainingConfig:
    """Return a configuration with what results depend on, and the machine would choose, made explicit."""
    return config if config.num_threads else dataclasses.replace(config, num_threads=torch.get_num_threads())
