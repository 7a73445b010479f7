"""Pictures of what a translator looks at while it writes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_MAX_TOKENS = 80
"""Tokens of a side beyond which labels could not be read."""


def draw_attention(attention: np.ndarray, source: Sequence[str], target: Sequence[str], path: Path) -> None:
    """Draw attention weights as a PNG: a row for each token that was written, a column for each that was read.

    Longer sentences are cut off after 80 tokens.

    Args:
        attention: Weights from 0 to 1. Shape (len(target), len(source)).
        source: What was read.
        target: What was written.
        path: The PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, whatever the machine has
    from matplotlib.figure import Figure

    weights = attention[:_MAX_TOKENS, :_MAX_TOKENS]
    rows, columns = target[:_MAX_TOKENS], source[:_MAX_TOKENS]
    figure = Figure(figsize=(2.5 + 0.35 * len(columns), 1.8 + 0.35 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    axes.xaxis.tick_top()
    # a dollar sign would begin a formula
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="left", parse_math=False)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)
    figure.colorbar(image, ax=axes, label="attention weight")
    with warnings.catch_warnings():
        # a character that no font of the machine has is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(path, dpi=110)
