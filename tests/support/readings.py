"""Readings made by hand, for what draws and prints them."""

from __future__ import annotations

import math

import numpy as np

from recurra.inspection import LayerValues, Reading
from recurra.tasks.text.drafting import Choice


def made_reading(tokens, widths=(4,), names=("h",), *, output=None, unit="word", **options):
    """Return a reading of some tokens with random states; the output is the first state of the last layer."""
    drawn = np.random.default_rng(0)
    states = tuple(
        LayerValues(layer, name, drawn.uniform(-1, 1, (len(tokens), width)).astype(np.float32))
        for layer, width in enumerate(widths, start=1)
        for name in names
    )
    following = [*tokens[1:], tokens[0]]
    values = {
        "condition": None,
        "ids": np.arange(4, 4 + len(tokens)),
        "unknown": (),
        "log_probs": np.array([math.nan] + [math.log(0.25)] * (len(tokens) - 1)),
        "choices": tuple((Choice(4, token, 0.5), Choice(5, "?", 0.125)) for token in following),
        "states": states,
        "output": states[-len(names)].values if output is None else np.array(output, np.float32),
    }
    return Reading(**{"unit": unit, "tokens": tuple(tokens), **values, **options})
