"""How to train: the part of a configuration that every task shares."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from recurra.errors import ConfigError

Precision = Literal["32-true", "64-true", "bf16-mixed", "bf16-true"]


def literal_faults(config: Any) -> list[str]:
    """Return what is wrong with the fields of a dataclass that allow a closed set of values."""
    hints = typing.get_type_hints(type(config))
    faults = []
    for field in dataclasses.fields(config):
        choices, value = typing.get_args(hints[field.name]), getattr(config, field.name)
        if typing.get_origin(hints[field.name]) is Literal and value not in choices:
            near = difflib.get_close_matches(str(value), choices, n=1)
            suggestion = f" (did you mean {near[0]!r}?)" if near else ""
            faults.append(f"expected {field.name} to be one of {', '.join(choices)}; got {value!r}{suggestion}")
    return faults


@dataclass(frozen=True)
class TrainingConfig:
    """How long, with which optimiser, and what to record on the way.

    A task may have a subclass with other defaults.
    """

    default_budget_s: ClassVar[float] = 300.0

    max_steps: int | None = None
    """Optimiser steps to train for. At most one of max_steps, num_epochs, time_budget_s; none of them means 300 s."""
    num_epochs: float | None = None
    """Passes over the training part to train for."""
    time_budget_s: float | None = None
    """Seconds to train for, validations and samples included; becomes a step count after the first measured steps."""
    seed: int = 1
    """Fixes initial weights, dropout, window borders and samples. From 0 to 2**63 - 1."""
    optimizer: Literal["sgd", "rmsprop", "adam", "adamw"] = "adamw"
    """How weights follow gradients."""
    lr: float = 0.01
    """Peak learning rate. Above 0."""
    momentum: float = 0.9
    """Momentum of SGD and RMSProp, in [0, 1)."""
    beta1: float = 0.9
    """Decay of Adam's mean of gradients, in [0, 1)."""
    beta2: float = 0.99
    """Decay of Adam's (or RMSProp's) mean of squared gradients, in [0, 1)."""
    weight_decay: float = 0.1
    """Shrinks matrices, not biases; decoupled in AdamW, added to the gradient elsewhere. At least 0."""
    schedule: Literal["constant", "cosine", "step", "plateau"] = "cosine"
    """How the learning rate moves after warm-up: it stays, or falls to final_lr_fraction along a cosine.
    "step" multiplies it with decay_factor every decay_every steps.
    "plateau" does so whenever a validation brought no improvement."""
    warmup_steps: int = 50
    """Steps over which the learning rate rises linearly from 0. At least 0."""
    final_lr_fraction: float = 0.02
    """Where the cosine ends, as a fraction of lr, in [0, 1]."""
    decay_every: int = 1000
    """Steps between decays under the step schedule. At least 1."""
    decay_factor: float = 0.5
    """What one decay multiplies the learning rate with, in (0, 1]."""
    average_weights: Literal["none", "non-monotone"] = "none"
    """Weights to validate, sample from and keep: the current ones, or NT-ASGD's mean over the later part of training.
    Training itself goes on with the current ones. Meant for optimizer = "sgd" with momentum = 0.
    Under schedule = "constant" the learning rate stays where it is when averaging begins.
    Source: Merity, Keskar, Socher 2018, arXiv 1708.02182, algorithm 1."""
    average_patience: int = 5
    """Averaging begins when a validation is worse than the best one, the latest this many left out. At least 0."""
    max_grad_norm: float | None = 1.0
    """Gradients whose total norm is larger are scaled down to it. Above 0."""
    max_grad_value: float | None = None
    """Every component of the gradient is cut to [-this, this], before the norm is taken. Above 0."""
    num_validations: int = 10
    """Evenly spaced validations after the one at step 0. At least 1. Ignored when validate_every is given."""
    validate_every: int | None = None
    """Steps between validations. At least 1."""
    patience: int | None = None
    """Stop after this many validations in a row without improvement. At least 1."""
    num_samples: int = 5
    """Evenly spaced moments, from start to end, at which samples are written. At least 0."""
    log_every: int = 10
    """Steps that one row of metrics.jsonl averages over. At least 1."""
    save_every_s: float = 120.0
    """Seconds after which a checkpoint is saved between validations too. Above 0."""
    keep_checkpoints: int = 2
    """How many of the newest checkpoints stay in the run folder, beside the best one; --checkpoint average takes the
    mean of their weights. At least 1."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train."""
    precision: Precision = "32-true"
    """Arithmetic of the forward and backward pass."""
    num_threads: int | None = None
    """CPU threads of PyTorch, on which results depend. At least 1. Unset: what PyTorch chooses, stored with the run."""

    def __post_init__(self) -> None:
        faults = [*literal_faults(self), *self._length_faults(), *self._range_faults()]
        if faults:
            raise ConfigError(faults)

    def _length_faults(self) -> list[str]:
        lengths = {"max_steps": self.max_steps, "num_epochs": self.num_epochs, "time_budget_s": self.time_budget_s}
        given = [name for name, value in lengths.items() if value is not None]
        faults = [f"expected at most one of max_steps, num_epochs, time_budget_s; got {', '.join(given)}"]
        faults = faults if len(given) > 1 else []
        if self.max_steps is not None and self.max_steps < 0:
            faults.append(f"expected max_steps of at least 0, got {self.max_steps}")
        for name in ("num_epochs", "time_budget_s"):
            value = lengths[name]
            if value is not None and not (value > 0 and math.isfinite(value)):
                faults.append(f"expected {name} above 0, got {value}")
        return faults

    def _range_faults(self) -> list[str]:
        faults = []
        for name in ("lr", "save_every_s", "max_grad_norm", "max_grad_value"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                faults.append(f"expected {name} above 0, got {value}")
        for name in ("momentum", "beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                faults.append(f"expected {name} in [0, 1), got {getattr(self, name)}")
        if not 0 <= self.final_lr_fraction <= 1:
            faults.append(f"expected final_lr_fraction in [0, 1], got {self.final_lr_fraction}")
        if not 0 < self.decay_factor <= 1:
            faults.append(f"expected decay_factor in (0, 1], got {self.decay_factor}")
        if self.seed >= 2**63:
            faults.append(f"expected seed below 2**63, got {self.seed}")
        least = dict.fromkeys(("seed", "weight_decay", "warmup_steps", "num_samples", "average_patience"), 0)
        least |= dict.fromkeys(
            (
                "decay_every",
                "num_validations",
                "validate_every",
                "patience",
                "log_every",
                "keep_checkpoints",
                "num_threads",
            ),
            1,
        )
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and not value >= bound:
                faults.append(f"expected {name} of at least {bound}, got {value}")
        return faults

    @property
    def budget_s(self) -> float | None:
        """Wall-clock limit in seconds, when it is what limits the run."""
        if self.time_budget_s is None and self.max_steps is None and self.num_epochs is None:
            return self.default_budget_s
        return self.time_budget_s
