"""Metrics over a whole split."""

from __future__ import annotations

import time
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


class Stopwatch:
    """Says how long an evaluation takes when nothing in it is done for the first time.

    The first batch may trace and compile, which later evaluations need not; the second one stands in for it.
    """

    def __init__(self) -> None:
        self._moments = [time.perf_counter()]

    def observe_batch(self) -> None:
        """Note that a batch is about to be evaluated, or the last one is done."""
        self._moments.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Seconds from the first to the last moment, without what only the first batch took."""
        moments = self._moments
        if len(moments) < 4:  # the begin, and of less than two batches
            return moments[-1] - moments[0]
        first, second = moments[2] - moments[1], moments[3] - moments[2]
        return moments[-1] - moments[2] + min(first, second)


def evaluate(
    task: Task, model: nn.Module, split: Split, seed: int, device: torch.device, stopwatch: Stopwatch | None = None
) -> dict[str, float]:
    """Return the metrics of a model over a split, each target counted once."""
    metrics = dict(task.metrics(split))
    state = None
    stopwatch = stopwatch or Stopwatch()
    with evaluating(model):
        for batch in task.batches(split, seed):
            stopwatch.observe_batch()
            batch = batch.to(device)
            result = task.loss(model, batch, None if batch.starts_anew else state)
            state = result.state
            for metric in metrics.values():
                metric.update(result)
    stopwatch.observe_batch()
    return {name: float(metric.compute()) for name, metric in metrics.items()}
