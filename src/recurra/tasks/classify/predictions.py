"""Answers of a classifier about sequences, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recurra.data.example_order import MAX_PADDED_STEPS, iter_in_order
from recurra.models import Classifier
from recurra.tasks.classify.data import Sequences
from recurra.tasks.classify.metrics import log_probs_of
from recurra.tasks.classify.reporting import one_line


@dataclass(frozen=True)
class ClassifyPrediction:
    """What a model takes an example for.

    Attributes:
        label: The likeliest class.
        probability: Of that class, in [0, 1].
        text: The text; of numbers, which example it is.
        probabilities: Of all classes, by their names.
    """

    label: str
    probability: float
    text: str
    probabilities: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain strings and numbers."""
        return {
            "label": self.label,
            "probability": self.probability,
            "text": self.text,
            "probabilities": self.probabilities,
        }

    def to_line(self) -> str:
        """Return class, probability and text, parted by tabs."""
        return f"{one_line(self.label)}\t{self.probability:.4f}\t{one_line(self.text)}"


def predict_probs(model: Classifier, sequences: Sequences, batch_size: int) -> np.ndarray:
    """Return the probabilities (N, K) of the classes of sequences."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    weight = model.decoder.weight
    with torch.no_grad():
        for rows, _ in iter_in_order(sequences.lengths, batch_size=batch_size, max_steps=MAX_PADDED_STEPS):
            inputs, lengths = sequences.batch(rows)
            inputs = inputs.to(weight) if inputs.is_floating_point() else inputs.to(weight.device)
            found.append((rows, log_probs_of(model(inputs, lengths)).double().exp().cpu().numpy()))
    probs = np.empty((len(sequences.values), found[0][1].shape[1]))
    for rows, values in found:
        probs[rows] = values
    return probs


def iter_named(texts: Iterable[str], probs: np.ndarray, labels: tuple[str, ...]) -> Iterator[ClassifyPrediction]:
    """Yield the prediction for each text, given the probabilities of the classes."""
    for text, row in zip(texts, probs.tolist(), strict=True):
        best = max(range(len(row)), key=row.__getitem__)
        yield ClassifyPrediction(labels[best], row[best], text, dict(zip(labels, row, strict=True)))
