"""What a classifier costs, and how often it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recurra.training.metrics import LossMetric
from recurra.training.protocol import StepResult


def log_probs_of(logits: Tensor) -> Tensor:
    """Return the logarithms of the probabilities of the classes (B, K).

    Args:
        logits: Shape (B, K); or (B, 1), the logit of the second of two classes.
    """
    if logits.shape[1] > 1:
        return torch.log_softmax(logits, -1)
    # their negative at the target is binary cross-entropy with logits
    return torch.cat((functional.logsigmoid(-logits), functional.logsigmoid(logits)), -1)


def objective_of(log_probs: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """Return what training makes small, a mean over the examples in nats.

    Args:
        log_probs: Shape (B, K).
        targets: Classes (B,), int64.
        weights: What an example of each class counts (K,), 1 on average over the training part; None means 1.
        smoothing: Share of a target that is spread over all classes (Szegedy et al. 2016, arXiv 1512.00567).
    """
    nll = functional.nll_loss(log_probs, targets, reduction="none")
    if smoothing:
        nll = (1 - smoothing) * nll - smoothing * log_probs.mean(-1)
    return (nll if weights is None else nll * weights[targets]).mean()


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """Return for each class what lets all of them count the same: N / (K * count), as scikit-learn has it."""
    weights: np.ndarray = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return weights


@dataclass(frozen=True)
class Outcome:
    """What a model said of a batch.

    Attributes:
        rows: Which examples. Shape (B,).
        targets: Their classes. Shape (B,).
        log_probs: Shape (B, K).
    """

    rows: np.ndarray
    targets: Tensor
    log_probs: Tensor


class Predictions:
    """What a model said of the examples of a part.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._rows: list[np.ndarray] = []
        self._targets: list[np.ndarray] = []
        self._preds: list[np.ndarray] = []
        self._probs: list[np.ndarray] = []

    def add(self, outcome: Outcome) -> None:
        """Take in a batch."""
        self._rows.append(outcome.rows)
        self._targets.append(outcome.targets.cpu().numpy())
        self._preds.append(outcome.log_probs.argmax(-1).cpu().numpy())
        self._probs.append(outcome.log_probs.detach().float().exp().cpu().numpy())

    def __len__(self) -> int:
        return sum(map(len, self._rows))

    @property
    def rows(self) -> np.ndarray:
        """Which examples these are. Shape (N,)."""
        return np.concatenate(self._rows)

    @property
    def targets(self) -> np.ndarray:
        """Their classes. Shape (N,)."""
        return np.concatenate(self._targets)

    @property
    def preds(self) -> np.ndarray:
        """The likeliest classes. Shape (N,)."""
        return np.concatenate(self._preds)

    @property
    def probs(self) -> np.ndarray:
        """Probabilities of the classes. Shape (N, K)."""
        return np.concatenate(self._probs)

    def confusion(self) -> np.ndarray:
        """Return how many examples of each class (row) were taken for each class (column). Shape (K, K)."""
        return confusion_of(self.targets, self.preds, self.num_classes)


def confusion_of(targets: np.ndarray, preds: np.ndarray, num_classes: int) -> np.ndarray:
    """Return how many examples of each class (row) were taken for each class (column). Shape (K, K)."""
    counts = np.bincount(targets * num_classes + preds, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


@dataclass(frozen=True)
class ClassFigures:
    """Figures of each class, of shape (K,) each; 0 where they are the ratio of nothing to nothing."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def class_figures(confusion: np.ndarray) -> ClassFigures:
    """Return the figures of each class of a confusion matrix."""
    hits = np.diag(confusion).astype(np.float64)
    support, taken = confusion.sum(1), confusion.sum(0)
    precision, recall = hits / np.maximum(taken, 1), hits / np.maximum(support, 1)
    return ClassFigures(precision, recall, 2 * hits / np.maximum(support + taken, 1), support)


def accuracy_of(confusion: np.ndarray) -> float:
    """Return the share of the examples that were taken for what they are; NaN without examples."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def macro_f1_of(confusion: np.ndarray) -> float:
    """Return the mean of F1 over the classes that occur or were predicted; NaN without any.

    As scikit-learn has it, where labels are not given.
    """
    occurs = (confusion.sum(0) + confusion.sum(1)) > 0
    return float(class_figures(confusion).f1[occurs].mean()) if occurs.any() else float("nan")


class Accuracy:
    """Share of the examples whose likeliest class is theirs.

    Args:
        predictions: Where what the model said is kept.
    """

    higher_is_better = True

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions

    def update(self, result: StepResult) -> None:
        """Take in a batch."""
        self.predictions.add(result.outputs)

    def compute(self) -> float:
        """Return the value; NaN without examples."""
        return accuracy_of(self.predictions.confusion()) if len(self.predictions) else float("nan")


class MacroF1:
    """Mean over the classes of F1, so that rare ones count as much as others.

    Args:
        num_classes: K.
    """

    higher_is_better = True

    def __init__(self, num_classes: int) -> None:
        self._confusion = np.zeros((num_classes, num_classes), np.int64)

    def update(self, result: StepResult) -> None:
        """Take in a batch."""
        outcome: Outcome = result.outputs
        preds = outcome.log_probs.argmax(-1).cpu().numpy()
        self._confusion += confusion_of(outcome.targets.cpu().numpy(), preds, len(self._confusion))

    def compute(self) -> float:
        """Return the value; NaN without examples."""
        return macro_f1_of(self._confusion)


__all__ = [
    "Accuracy",
    "ClassFigures",
    "LossMetric",
    "MacroF1",
    "Outcome",
    "Predictions",
    "accuracy_of",
    "balanced_weights",
    "class_figures",
    "confusion_of",
    "log_probs_of",
    "macro_f1_of",
    "objective_of",
]
