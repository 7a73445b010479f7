"""Sequences of tags counted out one by one, in plain Python and NumPy float64."""

from __future__ import annotations

import itertools

import numpy as np


def sequence_score(emissions, tags, transitions, start, end) -> float:
    """The score of one row's tags (n,) under its emissions (n, K); an empty row has none to score."""
    if len(tags) == 0:
        return 0.0
    score = start[tags[0]] + end[tags[-1]] + sum(emissions[t][tag] for t, tag in enumerate(tags))
    return float(score + sum(transitions[a][b] for a, b in itertools.pairwise(tags)))


def all_scores(emissions, transitions, start, end) -> dict[tuple[int, ...], float]:
    """The score of each of the K**n sequences of tags."""
    num_steps, num_tags = emissions.shape
    return {
        tags: sequence_score(emissions, tags, transitions, start, end)
        for tags in itertools.product(range(num_tags), repeat=num_steps)
    }


def log_sum(scores) -> float:
    """log of the sum of exp(score)."""
    values = np.array(list(scores), dtype=np.float64)
    highest = values.max()
    return float(highest + np.log(np.exp(values - highest).sum()))


def is_allowed(tags, transitions, start, end) -> bool:
    """Whether masks allow the tags."""
    if len(tags) == 0:
        return True
    return bool(start[tags[0]] and end[tags[-1]] and all(transitions[a][b] for a, b in itertools.pairwise(tags)))
