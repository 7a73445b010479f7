"""The figures at the end of a run: last and best weights, on validation and test, beside cheap baselines."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

import recurra
from recurra.errors import CheckpointError, RunError
from recurra.training.files import reported_writing, write_json
from recurra.training.protocol import HasBaselines, HasReport, Split, target_unit
from recurra.training.run_folder import RunFolder

if TYPE_CHECKING:
    from recurra.training.loop import Trainer


def build_result(trainer: Trainer) -> dict[str, Any]:
    """Evaluate what a trainer made and return it as plain numbers; the model keeps its weights."""
    progress, task = trainer.progress, trainer.task
    splits: list[Split] = [split for split in ("validation", "test") if task.num_batches(split)]
    if isinstance(task, HasReport) and _why(trainer) == "interrupted" and "validation" in splits:
        splits = ["validation"]  # who goes on has not looked at the test part yet
    is_best = progress.best_step in (progress.step, -1)
    # what validation chose is measured on the test part once, where the task reports on what that saw
    of_last = [split for split in splits if is_best or split != "test" or not isinstance(task, HasReport)]
    # a run that is resumed at its end has not seen yet what its report is about
    is_unseen = isinstance(task, HasReport) and is_best and splits == ["validation"]
    is_validated = progress.validation_step == progress.step and not is_unseen
    last = {"step": progress.step, **_figures(trainer, of_last, is_validated)}
    best = last if is_best else _best(trainer, splits, last)
    baselines = {split: task.baselines(split) for split in splits} if isinstance(task, HasBaselines) else {}
    return {
        "task": task.name,
        "stopped": _why(trainer),
        "steps": progress.step,
        "total_steps": progress.total_steps,
        "num_targets": progress.num_targets,
        "num_parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "last": last,
        "best": best,
        "baselines": baselines,
        "training_s": round(progress.training_s, 3),
        f"{target_unit(task)}_per_s": round(progress.num_targets / progress.training_s, 1)
        if progress.training_s
        else None,
        "made_with": {
            "recurra": recurra.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "num_threads": torch.get_num_threads(),
            "device": str(trainer.device),
        },
    }


def _why(trainer: Trainer) -> str:
    progress = trainer.progress
    if progress.total_steps is not None and progress.step >= progress.total_steps:
        return "finished"
    return "interrupted" if trainer.stop.requested else "no improvement"


def _figures(trainer: Trainer, splits: list[Split], validated: bool) -> dict[str, Mapping[str, float]]:
    figures: dict[str, Mapping[str, float]] = {}
    for split in splits:
        known = trainer.progress.validation if split == "validation" and validated else None
        figures[split] = known or trainer.evaluate(split)
    return figures


def _best(trainer: Trainer, splits: list[Split], last: dict[str, Any]) -> dict[str, Any]:
    try:
        best = trainer.best_weights()
    except (CheckpointError, RunError) as error:
        trainer.tell("on_message", f"{error.message}; the last weights stand in for the best")
        return {**last, **{split: trainer.evaluate(split) for split in splits if split not in last}}
    return {"step": trainer.progress.best_step, **{split: trainer.evaluate(split, best) for split in splits}}


def write_result(folder: RunFolder, result: Mapping[str, Any]) -> None:
    """Write ``result.json``."""
    with reported_writing(folder.result):
        write_json(folder.result, result)
