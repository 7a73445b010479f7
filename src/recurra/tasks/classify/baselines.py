"""How well the cheapest models do: the most frequent class, and logistic regression on counts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.tasks.classify.data import ClassifyData
from recurra.tasks.classify.metrics import accuracy_of, confusion_of, macro_f1_of
from recurra.training.protocol import Split

_MAX_EXAMPLES, _MAX_FEATURES = 20_000, 100_000
_MAX_ITERATIONS = 100
_SMALLEST = 1e-12
_MANY_TOKENS = 1_000_000


class Baselines:
    """Cheap models of the training part, fitted on first use.

    Args:
        data: The examples.

    Attributes:
        notes: What a person should know of them; complete once figures were asked for.
    """

    def __init__(self, data: ClassifyData) -> None:
        self._data = data
        self._figures: dict[Split, dict[str, dict[str, float]]] = {}
        self._regression: _Regression | None = None
        self.notes: list[str] = []

    def announcement(self) -> list[str]:
        """Return a line on the fit where it takes so long that it would be taken for a standstill."""
        data = self._data
        if data.tokenizer is None or data.sequences.lengths[data.parts["train"]].sum() < _MANY_TOKENS:
            return []
        count = min(len(data.parts["train"]), _MAX_EXAMPLES)
        return [f"after the last step logistic regression is fitted on {count:,} texts, which can take a minute"]

    def figures(self, split: Split) -> Mapping[str, Mapping[str, float]]:
        """Return the metrics of each baseline on a part."""
        if split not in self._figures:
            if self._regression is None:
                self._regression = _Regression(self._data)
                self.notes += self._regression.notes
            rows = self._data.parts[split]
            counts = self._data.class_counts("train")
            shares = np.broadcast_to(counts / counts.sum(), (len(rows), len(counts)))
            self._figures[split] = {
                "majority class": _measure(self._data.targets[rows], shares),
                self._regression.name: _measure(self._data.targets[rows], self._regression.probs(rows)),
            }
        return self._figures[split]


def _measure(targets: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    confusion = confusion_of(targets, probs.argmax(1), probs.shape[1])
    nll = -np.log(np.maximum(probs[np.arange(len(targets)), targets], _SMALLEST))
    return {"accuracy": accuracy_of(confusion), "macro_f1": macro_f1_of(confusion), "loss": float(nll.mean())}


class _Regression:
    """Logistic regression on what can be counted without an order: n-grams of a text, or sums over all steps."""

    def __init__(self, data: ClassifyData) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self._data, self._vectorizer, self.name = data, *_vectorizer_of(data)
        self.notes: list[str] = []
        rows = data.parts["train"]
        if len(rows) > _MAX_EXAMPLES:
            rows = np.random.default_rng(0).choice(rows, _MAX_EXAMPLES, replace=False)
            self.notes.append(f"{self.name} was fitted on {_MAX_EXAMPLES:,} of the training examples, drawn at random")
        # scikit-learn's own default C is for features of unit variance; those of tf-idf are far smaller
        self._model = LogisticRegression(C=10.0 if data.tokenizer else 1.0, max_iter=_MAX_ITERATIONS, tol=1e-3)
        features = self._vectorizer.fit_transform(self._inputs(rows))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            self._model.fit(features, data.targets[rows])
        if any(issubclass(one.category, ConvergenceWarning) for one in caught):
            self.notes.append(f"{self.name} was stopped after {_MAX_ITERATIONS} iterations, before it had converged")

    def probs(self, rows: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes of some examples."""
        probs: np.ndarray = self._model.predict_proba(self._vectorizer.transform(self._inputs(rows)))
        full = np.zeros((len(rows), len(self._data.labels)))
        full[:, self._model.classes_] = probs
        return full

    def _inputs(self, rows: np.ndarray) -> Any:
        if self._data.tokenizer is not None:
            return [self._data.items[row] for row in rows]
        values = self._data.sequences.values
        return np.stack([_summary(values[row]) for row in rows])


def _vectorizer_of(data: ClassifyData) -> tuple[Any, str]:
    """Return what makes features of examples, and what the baseline is called."""
    if data.tokenizer is None:
        from sklearn.preprocessing import StandardScaler

        return StandardScaler(), "logistic regression on mean, deviation and last step"
    from sklearn.feature_extraction.text import TfidfVectorizer

    options = {"sublinear_tf": True, "max_features": _MAX_FEATURES, "dtype": np.float64}
    if data.tokenizer.kind == "char":
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), lowercase=False, **options)
        return vectorizer, "logistic regression on characters"
    # every run of anything but white space in words and marks, so that no text is left without features
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", **options)
    return vectorizer, "logistic regression on words"


def _summary(values: np.ndarray) -> np.ndarray:
    """Return mean, standard deviation and last step of a sequence (n, I); zeros of an empty one."""
    if not len(values):
        return np.zeros(3 * values.shape[1])
    exact = values.astype(np.float64)
    return np.concatenate([exact.mean(0), exact.std(0), exact[-1]])
