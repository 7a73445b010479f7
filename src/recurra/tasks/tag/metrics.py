"""Metrics of an evaluation, all of which look at the same predicted tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recurra.data import IGNORE_INDEX
from recurra.tasks.tag.encoding import Encoded
from recurra.tasks.tag.scores import ENTITY_FIGURES, TagScores, has_entities
from recurra.training.metrics import LossMetric
from recurra.training.protocol import Metric, StepResult


@dataclass(frozen=True)
class TagOutputs:
    """What a batch of an evaluation gave.

    Attributes:
        sentences: Numbers of its sentences. Shape (B,).
        predicted: The predicted tags, ``IGNORE_INDEX`` behind the lengths. Shape (T, B).
    """

    sentences: np.ndarray
    predicted: np.ndarray


class TagCollector:
    """Gathers the predicted tags of a part, batch by batch.

    Args:
        encoded: The part.
        tags: Names of the tags that the model knows.
    """

    def __init__(self, encoded: Encoded, tags: tuple[str, ...]) -> None:
        self.encoded, self.tags = encoded, tags
        self.predicted = np.full(len(encoded.forms), IGNORE_INDEX, np.int64)
        self._scores: TagScores | None = None

    def take_in(self, outputs: TagOutputs) -> None:
        """Note the tags of one batch."""
        columns = outputs.predicted.T  # (B, T)
        flat = columns[columns != IGNORE_INDEX]  # sentence by sentence
        starts, lengths = self.encoded.starts[outputs.sentences], self.encoded.lengths[outputs.sentences]
        ends = np.cumsum(lengths)
        places = np.arange(len(flat)) + np.repeat(starts - (ends - lengths), lengths)
        self.predicted[places] = flat
        self._scores = None

    @property
    def is_complete(self) -> bool:
        """Whether all sentences were taken in."""
        return IGNORE_INDEX not in self.predicted

    @property
    def scores(self) -> TagScores:
        """What the tags are worth, once all batches were taken in."""
        if self._scores is None:
            assert self.encoded.tags is not None
            assert self.is_complete
            names = (*self.tags, *self.encoded.unknown_tags)
            self._scores = TagScores(names, len(self.tags), self.encoded.tags, self.predicted, self.encoded.lengths)
        return self._scores


class TagFigure:
    """One figure of the collected tags.

    Args:
        collector: What gathers them.
        name: Which figure.
        collects: Whether this metric is the one that hands batches on.
    """

    higher_is_better = True

    def __init__(self, collector: TagCollector, name: str, *, collects: bool) -> None:
        self.collector, self.name, self.collects = collector, name, collects

    def update(self, result: StepResult) -> None:
        """Take in one batch."""
        if self.collects:
            self.collector.take_in(result.outputs)

    def compute(self) -> float:
        """Return the figure over all batches."""
        return self.collector.scores.figures[self.name]


def tag_metrics(collector: TagCollector) -> Mapping[str, Metric]:
    """Return the figures of the collected tags, the one to select by first, and the loss."""
    names = ENTITY_FIGURES if has_entities(collector.tags) else ("accuracy",)
    figures: dict[str, Metric] = {
        name: TagFigure(collector, name, collects=index == 0) for index, name in enumerate(names)
    }
    return {**figures, "loss": LossMetric()}
