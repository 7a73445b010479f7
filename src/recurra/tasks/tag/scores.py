"""What predicted tags are worth: accuracy, and precision, recall and F1 of tags and of entities."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from recurra.tasks.shared.evaluation import Table

ENTITY_FIGURES = ("f1", "precision", "recall", "accuracy")
"""Metrics where tags mark entities; elsewhere there is accuracy alone."""

_BIO = re.compile("O|[BI]-.+")


def is_bio(tag: str) -> bool:
    """Say whether a tag is O, B-kind or I-kind."""
    return _BIO.fullmatch(tag) is not None


def has_entities(tags: Sequence[str]) -> bool:
    """Say whether tags mark entities: O, B-kind and I-kind."""
    return all(map(is_bio, tags)) and any(tag != "O" for tag in tags)


class TagScores:
    """Predicted tags beside the right ones.

    Args:
        names: Names of the tags, those that the model knows first.
        num_known: How many the model knows.
        truth: The right tag of each word of all sentences. Shape (n,).
        predicted: The predicted ones. Shape (n,), below ``num_known``.
        lengths: Words of each sentence.

    Where tags mark entities, further ones that the model does not know and that are not BIO count as O there.
    """

    def __init__(
        self, names: Sequence[str], num_known: int, truth: np.ndarray, predicted: np.ndarray, lengths: np.ndarray
    ) -> None:
        self.names, self.num_known = tuple(names), num_known
        self.truth, self.predicted, self.lengths = truth, predicted, lengths

    @cached_property
    def confusion(self) -> np.ndarray:
        """How many words of a tag (row) were given another (column): (names, names)."""
        size = len(self.names)
        counts = np.bincount(self.truth * size + self.predicted, minlength=size * size)
        return counts.reshape(size, size)

    @property
    def accuracy(self) -> float:
        """Share of the words with the right tag."""
        return float((self.truth == self.predicted).mean()) if len(self.truth) else float("nan")

    @property
    def of_entities(self) -> bool:
        """Whether the tags mark entities."""
        return has_entities(self.names[: self.num_known])

    @cached_property
    def figures(self) -> dict[str, float]:
        """The metrics by name, the one to select by first."""
        if not self.of_entities:
            return {"accuracy": self.accuracy}
        average = self._entities["micro avg"]
        values = (average["f1-score"], average["precision"], average["recall"], self.accuracy)
        return dict(zip(ENTITY_FIGURES, map(float, values), strict=True))

    def tables(self) -> tuple[Table, ...]:
        """Return precision, recall, F1 and support of each tag, and of each kind of entity."""
        tables = (Table("tags", ("tag", "precision", "recall", "f1", "support"), tuple(self._tag_rows())),)
        if not self.of_entities:
            return tables
        kinds = [kind for kind in self._entities if not kind.endswith(" avg")]
        rows = []
        for kind in sorted(kinds):
            one = self._entities[kind]
            rows.append((kind, one["precision"], one["recall"], one["f1-score"], int(one["support"])))
        return (Table("entities", ("kind", "precision", "recall", "f1", "support"), tuple(rows)), *tables)

    def _tag_rows(self) -> list[tuple[str, float, float, float, int]]:
        right = np.diag(self.confusion).astype(float)
        support, given = self.confusion.sum(1), self.confusion.sum(0)
        precision, recall = right / np.maximum(given, 1), right / np.maximum(support, 1)
        f1 = 2 * right / np.maximum(support + given, 1)
        columns = (column.tolist() for column in (precision, recall, f1, support))
        rows = list(zip(self.names, *columns, strict=True))
        return [row for row, count in zip(rows, (support + given).tolist(), strict=True) if count]

    @cached_property
    def _entities(self) -> dict[str, dict[str, float]]:
        """What seqeval reports, under its names."""
        from seqeval.metrics import classification_report

        truth, predicted = (self._sentences(tags) for tags in (self.truth, self.predicted))
        nothing = {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0}
        # seqeval cannot report on no entity at all
        if all(tag == "O" for sentence in (*truth, *predicted) for tag in sentence):
            return {"micro avg": nothing}
        report: dict[str, dict[str, float]] = classification_report(truth, predicted, output_dict=True, zero_division=0)
        return report

    def _sentences(self, tags: np.ndarray) -> list[list[str]]:
        # seqeval would cut off the first letter of any other tag, and take the rest for a kind of entity
        shown = [name if is_bio(name) else "O" for name in self.names]
        names = [shown[tag] for tag in tags.tolist()]
        ends = np.cumsum(self.lengths).tolist()
        return [names[begin:end] for begin, end in itertools.pairwise([0, *ends])]
