"""A picture of what is taken for what."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MOST_NUMBERED = 25
"""Kinds up to which the counts are written into the picture, too."""

_MOST_NAMED = 60  # of hundreds of kinds not all names have room
_MOST_CHARS = 24
_DARK = 0.5  # share from which on numbers are written in white


def plot_confusion(counts: np.ndarray, names: Sequence[str], path: Path, *, what: str = "class") -> None:
    """Draw a confusion matrix as PNG: the share of each kind that was taken for each other one.

    Args:
        counts: How many of each kind (row) were taken for each (column). Shape (n, n).
        names: Names of the kinds.
        path: The PNG.
        what: What a kind is, for the axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, whatever the machine has
    from matplotlib.figure import Figure

    side = min(max(4.0, 1.8 + 0.42 * len(names)), 14.0)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label=f"share of the true {what}", shrink=0.8)
    places = range(0, len(names), max(1, len(names) // _MOST_NAMED))
    # line ends and the like have no picture
    shown = ["".join(char if char.isprintable() else "?" for char in names[place][:_MOST_CHARS]) for place in places]
    # a dollar sign would begin a formula
    axes.set_xticks(places, shown, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(places, shown, fontsize=8, parse_math=False)
    axes.set_xlabel(f"predicted {what}")
    axes.set_ylabel(f"true {what}")
    if len(names) <= MOST_NUMBERED:
        for true, predicted in np.argwhere(counts > 0).tolist():
            colour = "white" if shares[true, predicted] > _DARK else "black"
            number = f"{counts[true, predicted]}"
            axes.text(predicted, true, number, ha="center", va="center", color=colour, fontsize=7)
    with warnings.catch_warnings():
        # a character that no font of the machine has is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(path, dpi=120)
