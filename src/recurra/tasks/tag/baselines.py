"""What tagging comes to without a model."""

from __future__ import annotations

import numpy as np

from recurra.tasks.tag.encoding import Encoded
from recurra.tasks.tag.scores import TagScores

MOST_FREQUENT = "most frequent tag of the word"


def predict_most_frequent(train: Encoded, other: Encoded, num_tags: int) -> np.ndarray:
    """Return, for each word of ``other``, the tag that it has most often in the training part.

    Words that do not stand there have the tag that is the most frequent of all; of equally frequent tags it is the one
    with the lowest number. Words are compared as they are written.

    Args:
        train: The training part.
        other: What is to be tagged.
        num_tags: How many tags there are.

    Returns:
        Shape (n,), int64.
    """
    assert train.tags is not None
    size = len(train.distinct)
    counts = np.bincount(train.forms * num_tags + train.tags, minlength=size * num_tags).reshape(size, num_tags)
    best = dict(zip(train.distinct, counts.argmax(1).tolist(), strict=True))
    fallback = int(counts.sum(0).argmax())
    of_form = np.array([best.get(form, fallback) for form in other.distinct], np.int64)
    predicted: np.ndarray = of_form[other.forms]
    return predicted


def baseline_figures(train: Encoded, other: Encoded, tags: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return the figures of the baseline under its name."""
    assert other.tags is not None
    predicted = predict_most_frequent(train, other, len(tags))
    scores = TagScores((*tags, *other.unknown_tags), len(tags), other.tags, predicted, other.lengths)
    return {MOST_FREQUENT: scores.figures}
