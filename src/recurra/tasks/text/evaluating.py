"""How well a language model predicts a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from recurra.data import IGNORE_INDEX, TextBatch
from recurra.models import LanguageModel
from recurra.tasks.text.data import Part, TextData
from recurra.training.metrics import BitsPerChar, LossMetric, Perplexity
from recurra.training.protocol import StepResult

_STEPS = 256  # of a batch; only memory depends on it


def text_metrics() -> dict[str, LossMetric]:
    """Return fresh metrics of a language model, the one to select by first."""
    return {"loss": LossMetric(), "bits_per_char": BitsPerChar(), "perplexity": Perplexity()}


def predict(model: nn.Module, batch: TextBatch, state: Any) -> StepResult:
    """Run a language model over a batch and return its mean loss over the targets that count."""
    logits, state = model(batch.inputs, state)  # (T, B, V)
    targets = batch.targets.flatten()
    loss = functional.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORE_INDEX)
    return StepResult(loss, int((targets != IGNORE_INDEX).sum()), state)


@torch.no_grad()
def evaluate_text(model: LanguageModel, data: TextData, part: Part, *, reset_every: int | None) -> dict[str, Any]:
    """Return the metrics of a model over a part of a text, and how many characters were predicted."""
    model.eval()
    metrics: Mapping[str, LossMetric] = text_metrics()
    state = None
    for batch in data.evaluation_batches(part, _STEPS, reset_every):
        result = predict(model, batch, None if batch.starts_anew else state)
        state = result.state
        for metric in metrics.values():
            metric.update(result)
    figures: dict[str, Any] = {name: metric.compute() for name, metric in metrics.items()}
    return {**figures, "num_chars": metrics["loss"].num_targets}
