"""Plots of a run, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def plot_loss(rows: Sequence[Mapping[str, Any]], path: Path, baselines: Mapping[str, Any] | None = None) -> None:
    """Draw training and validation loss against the step, baselines of the validation split as lines across."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, whatever the machine has
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    train = [row for row in rows if row["split"] == "train"]
    validation = [row for row in rows if row["split"] == "validation"]
    axes.plot([row["step"] for row in train], [row["loss"] for row in train], lw=1, alpha=0.7, label="training")
    if validation:
        steps, losses = [row["step"] for row in validation], [row["loss"] for row in validation]
        axes.plot(steps, losses, "o-", color="tab:red", label="validation")
        best = min(range(len(losses)), key=losses.__getitem__)
        axes.annotate(
            f"best {losses[best]:.3f}",
            (steps[best], losses[best]),
            textcoords="offset points",
            xytext=(0, 10),
            ha="right",
            color="tab:red",
        )
    for index, (name, figures) in enumerate((baselines or {}).get("validation", {}).items()):
        axes.axhline(
            figures["loss"], color="gray", ls=("--", ":", "-.")[index % 3], label=f"{name} {figures['loss']:.3f}"
        )
    axes.set(xlabel="optimiser step", ylabel="loss (nats per target)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
