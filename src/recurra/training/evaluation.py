"""Metrics over a whole split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from recurra.training.protocol import Split, Task


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, without gradients, and every part of it back into the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


def evaluate(task: Task, model: nn.Module, split: Split, seed: int, device: torch.device) -> dict[str, float]:
    """Return the metrics of a model over a split, each target counted once."""
    metrics = dict(task.metrics(split))
    state = None
    with evaluating(model):
        for batch in task.batches(split, seed):
            batch = batch.to(device)
            result = task.loss(model, batch, None if batch.starts_anew else state)
            state = result.state
            for metric in metrics.values():
                metric.update(result)
    return {name: float(metric.compute()) for name, metric in metrics.items()}
