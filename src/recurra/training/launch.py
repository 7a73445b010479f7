"""Training a task in one call."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.errors import ArgumentError, ConfigError
from recurra.training.callbacks import Callback
from recurra.training.config import TrainingConfig
from recurra.training.config_file import read_section
from recurra.training.loop import Trainer
from recurra.training.protocol import Task
from recurra.training.records import record_keepers
from recurra.training.run_folder import RunFolder
from recurra.training.start import new_run, resolved
from recurra.training.updater import build_fabric


def _checked(task: Task, config: TrainingConfig | None) -> TrainingConfig:
    """Return how to train; a task that reads such options itself must have read the same.

    Raises:
        ConfigError: When it has not.
    """
    own: TrainingConfig | None = getattr(task, "training", None)
    if own is None:
        return config or getattr(task, "training_class", TrainingConfig)()
    if config is None:
        return own
    common = {field.name for field in dataclasses.fields(TrainingConfig)}
    names = [field.name for field in dataclasses.fields(own) if field.name not in common]
    faults = [
        f"expected {name} to be {getattr(own, name)!r}, as the task {task.name} has it, "
        f"got {getattr(config, name, 'a configuration without it')!r}"
        for name in names
        if getattr(config, name, None) != getattr(own, name)
    ]
    if faults:
        raise ConfigError(faults, hint="give train the configuration that the task was made with, or none")
    return config


def train(
    task: Task,
    config: TrainingConfig | None = None,
    *,
    run: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    overwrite: bool = False,
    resume: bool = False,
) -> dict[str, Any]:
    """Train a task, or go on with training it, and return its figures.

    Args:
        task: Data, model, loss and metrics, for example ``recurra.tasks.text.TextTask``.
        config: How to train; None means what the task was made with, else the defaults, which train for 300 s. Not for
            a resumed run, which has its own.
        run: Folder for checkpoints and figures; without one nothing is written.
        callbacks: What listens.
        overwrite: Replace a run that is there already.
        resume: Go on with the run in the folder, exactly where its last checkpoint is.

    Returns:
        What ``result.json`` holds: figures of the last and of the best weights, baselines, sizes and times.

    Raises:
        RunExistsError: When the folder is not empty.
        RunError: When there is no run to resume.
        ArgumentError: When arguments do not go together.
        TrainingDivergedError: When the loss is not finite or explodes.
    """
    if resume:
        if run is None or config is not None or overwrite:
            raise ArgumentError("train expected run alone with resume=True, without config and overwrite")
        folder = RunFolder.open(run)
        config = read_section(folder.config, "training", getattr(task, "training_class", TrainingConfig))
        return Trainer(task, config, folder, [*record_keepers(folder), *callbacks]).fit(resume=True)
    config = resolved(_checked(task, config))
    if run is None:
        return Trainer(task, config, callbacks=callbacks).fit()
    build_fabric(config)  # an accelerator that is not there is found out before a folder is made
    with new_run(task, config, run, overwrite=overwrite) as folder:
        return Trainer(task, config, folder, [*record_keepers(folder), *callbacks]).fit()
