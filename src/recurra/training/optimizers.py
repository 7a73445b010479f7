"""Optimisers and learning-rate schedules."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from recurra.training.config import TrainingConfig

_FUSED_ON = ("cpu", "cuda")


def build_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimiser that a configuration names; weight decay acts on matrices only."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=config.lr, alpha=config.beta2, momentum=config.momentum)
    betas = (config.beta1, config.beta2)
    # one pass over each weight instead of ten: a third of the time where vocabularies are large
    fused = all(parameter.device.type in _FUSED_ON for parameter in trained)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=config.lr, betas=betas, fused=fused)
    return torch.optim.AdamW(groups, lr=config.lr, betas=betas, fused=fused)


def lr_at(config: TrainingConfig, step: int, total_steps: int | None, num_decays: int) -> float:
    """Return the learning rate of a step.

    Args:
        config: Peak rate, schedule and warm-up.
        step: Steps done before this one.
        total_steps: Steps of the whole run; None while a time budget is still being measured.
        num_decays: How often the plateau schedule has decayed so far.
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / (config.warmup_steps + 1)
    return config.lr * _factor(config, step, total_steps, num_decays)


def _factor(config: TrainingConfig, step: int, total_steps: int | None, num_decays: int) -> float:
    if config.schedule == "cosine":
        if total_steps is None:
            return 1.0
        falling = max(total_steps - config.warmup_steps, 1)
        progress = min((step - config.warmup_steps) / falling, 1.0)
        return config.final_lr_fraction + (1 - config.final_lr_fraction) * (1 + math.cos(math.pi * progress)) / 2
    if config.schedule == "step":
        return config.decay_factor ** (step // config.decay_every)
    if config.schedule == "plateau":
        return config.decay_factor**num_decays
    return 1.0
