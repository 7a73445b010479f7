"""How well a language model predicts a text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from recurra.data import IGNORE_INDEX, TextBatch
from recurra.models import LanguageModel, WordCache
from recurra.tasks.text.facts import Part
from recurra.tasks.text.parts import TextData
from recurra.training.metrics import LossMetric, Perplexity
from recurra.training.protocol import StepResult

_STEPS = 256  # of a batch; only memory depends on it


class BitsPerChar(LossMetric):
    """Bits for each character of the text that the tokens stand for.

    Args:
        chars_per_token: Characters of a target in the mean.
    """

    def __init__(self, chars_per_token: float) -> None:
        super().__init__()
        self.chars_per_token = chars_per_token

    def of(self, mean_loss: float) -> float:  # type: ignore[override]
        """Return nats a token / (ln 2 * characters a token)."""
        return mean_loss / math.log(2) / self.chars_per_token


def text_metrics(chars_per_token: float) -> dict[str, LossMetric]:
    """Return fresh metrics of a language model, the one to select by first."""
    return {"loss": LossMetric(), "bits_per_char": BitsPerChar(chars_per_token), "perplexity": Perplexity()}


def predict(model: nn.Module, batch: TextBatch, state: Any, cache: WordCache | None = None) -> StepResult:
    """Run a language model over a batch and return its mean loss over the targets that count, in nats.

    Args:
        model: The language model.
        batch: Tokens and targets.
        state: State before the first token; None for the initial one.
        cache: Recent words to mix into the probabilities; for evaluation only.
    """
    prediction, state = model(batch.inputs, state, lengths=batch.lengths, labels=batch.labels, targets=batch.targets)
    num_targets = int((batch.targets != IGNORE_INDEX).sum())
    nll = prediction.nll
    if cache is not None:
        nll = cache.mix(prediction.output, nll, batch.targets, starts_anew=batch.starts_anew)
    # lines begin anew each: there is nothing to carry on
    carried = None if batch.lengths is not None else state
    return StepResult(nll.sum() / num_targets, num_targets, carried, penalty=prediction.penalty)


@torch.no_grad()
def evaluate_text(
    model: LanguageModel,
    data: TextData,
    part: Part,
    *,
    reset_every: int | None = None,
    cache: WordCache | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model over a part of a text, and how many tokens and characters were predicted."""
    model.eval()
    chars_per_token = data.chars_per_token(part)
    metrics: Mapping[str, LossMetric] = text_metrics(chars_per_token)
    state = None
    for batch in data.evaluation_batches(part, _STEPS, reset_every=reset_every):
        result = predict(model, batch, None if batch.starts_anew else state, cache)
        state = result.state
        for metric in metrics.values():
            metric.update(result)
    figures: dict[str, Any] = {name: metric.compute() for name, metric in metrics.items()}
    num_tokens = metrics["loss"].num_targets
    return {**figures, "num_tokens": num_tokens, "num_chars": round(num_tokens * chars_per_token)}
