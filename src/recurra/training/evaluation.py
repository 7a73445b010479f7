"""Metrics over a whole split."""

from __future__ import annotations

import torch
from torch import nn

from recurra.training.protocol import Split, Task


def evaluate(task: Task, model: nn.Module, split: Split, seed: int, device: torch.device) -> dict[str, float]:
    """Return the metrics of a model over a split, each target counted once.

    The model is left in the mode (training or evaluation) that it was in.
    """
    metrics = dict(task.metrics())
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            state = None
            for batch in task.batches(split, seed):
                batch = batch.to(device)
                result = task.loss(model, batch, None if batch.starts_anew else state)
                state = result.state
                for metric in metrics.values():
                    metric.update(result)
    finally:
        model.train(was_training)
    return {name: metric.compute() for name, metric in metrics.items()}
