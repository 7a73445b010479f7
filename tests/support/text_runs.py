"""Tiny runs of the text task, stopped and resumed ones too, and whether two of them are the same."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch

from recurra.tasks.text import DataConfig, ModelConfig, SamplingConfig, TextConfig, TextTask, resume_task
from recurra.training import Callback, RunFolder, TrainingConfig, train

CLOCK = ("seconds", "training_s", "validate_s", "sample_s")


def random_lines(count, letters, seed):
    """Return short random lines."""
    drawn = random.Random(seed)
    return ["".join(drawn.choices(letters, k=drawn.randint(2, 6))) for _ in range(count)]


LOW, HIGH = random_lines(60, "abc", 1), random_lines(60, "xyz", 2)
"""Two kinds of lines that have no letter in common."""


def tiny_config(*data, model=None, training=None, sampling=None, **options):
    """Return a configuration that trains in a fraction of a second; ``options`` are those of the data."""
    return TextConfig(
        data=DataConfig(data=tuple(map(str, data)), **{"batch_size": 4, "bptt": 8, **options}),
        model=ModelConfig(**{"hidden_size": 8, "num_layers": 1, **(model or {})}),
        training=TrainingConfig(
            **{
                "max_steps": 6,
                "num_samples": 0,
                "num_validations": 1,
                "num_threads": 1,
                "lr": 0.01,
                "log_every": 2,
                **(training or {}),
            }
        ),
        sampling=SamplingConfig(**{"sample_length": 8, "temperatures": (1.0,), **(sampling or {})}),
    )


def train_run(config, folder):
    """Train, and return the figures."""
    return train(TextTask.from_config(config), config.training, run=folder)


class Stop(Callback):
    """Asks for a stop after a step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, trainer, loss, grad_norm):
        """Ask when the step has come."""
        if trainer.progress.step == self.step:
            trainer.stop.request()


def train_in_two(config, folder, stop_at, between=lambda: None):
    """Train up to a step and resume; ``between`` is called in the middle."""
    train(TextTask.from_config(config), config.training, run=folder, callbacks=[Stop(stop_at)])
    between()
    return train(resume_task(folder), run=folder, resume=True)


def is_of_clock(name):
    """Say whether a figure depends on the clock."""
    return name in CLOCK or name.endswith("_per_s")


def timeless(value):
    """Return figures without those that depend on the clock."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if not is_of_clock(key)}
    return value


def assert_equal_runs(one, other):
    """Check that two runs are the same bit for bit, but for the time they took."""
    a, b = RunFolder(Path(one)), RunFolder(Path(other))
    assert [timeless(row) for row in a.read_rows()] == [timeless(row) for row in b.read_rows()]
    assert timeless(json.loads(a.result.read_text())) == timeless(json.loads(b.result.read_text()))
    samples = [{path.name: path.read_bytes() for path in folder.samples.glob("*")} for folder in (a, b)]
    assert samples[0] == samples[1]
    for which in ("last", "best"):
        ours, theirs = a.checkpoints.load(which), b.checkpoints.load(which)
        assert ours.step == theirs.step
        assert all(torch.equal(ours.weights[name], theirs.weights[name]) for name in ours.weights)
        mine, yours = (tensors_of(checkpoint.training["carried"]) for checkpoint in (ours, theirs))
        assert len(mine) == len(yours)
        assert all(torch.equal(x, y) for x, y in zip(mine, yours, strict=True))


def tensors_of(state):
    """Return the tensors of a recurrent state."""
    if state is None:
        return []
    return [state] if isinstance(state, torch.Tensor) else [tensor for part in state for tensor in tensors_of(part)]
