"""Plots of a run, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_STYLES = ("--", ":", "-.")


def plot_run(
    rows: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    selected: str = "loss",
    higher_is_better: bool = False,
    baselines: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Draw training loss and validation figures against the step.

    Args:
        rows: Rows of ``metrics.jsonl``.
        path: The PNG.
        selected: Metric to draw of validations; one that training rows lack gets a panel of its own.
        higher_is_better: Which end of the metric is marked as the best.
        baselines: Metrics by baseline, drawn as lines across.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, whatever the machine has
    from matplotlib.figure import Figure

    train = [row for row in rows if row["split"] == "train"]
    validation = [row for row in rows if row["split"] == "validation"]
    apart = bool(validation) and selected not in train[0]
    figure = Figure(figsize=(8, 7.2 if apart else 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2 if apart else 1, 1, sharex=True, squeeze=False)[:, 0]
    panels[0].plot([row["step"] for row in train], [row["loss"] for row in train], lw=1, alpha=0.7, label="training")
    panels[0].set_ylabel("loss (nats per target)")
    if apart:
        panels[-1].set_ylabel(selected.replace("_", " "))
    if validation:
        _draw_validation(panels[-1], validation, selected, higher_is_better)
    for index, (name, figures) in enumerate((baselines or {}).items()):
        value = figures.get(selected)
        if value is None:
            continue
        panels[-1].axhline(value, color="gray", ls=_STYLES[index % len(_STYLES)], label=f"{name} {value:.3f}")
    panels[-1].set_xlabel("optimiser step")
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def _draw_validation(axes: Any, rows: Sequence[Mapping[str, Any]], selected: str, higher_is_better: bool) -> None:
    steps, values = [row["step"] for row in rows], [row[selected] for row in rows]
    axes.plot(steps, values, "o-", color="tab:red", label="validation")
    best = (max if higher_is_better else min)(range(len(values)), key=values.__getitem__)
    axes.annotate(
        f"best {values[best]:.3f}",
        (steps[best], values[best]),
        textcoords="offset points",
        xytext=(0, 10),
        ha="right" if steps[best] > steps[-1] / 2 else "left",
        color="tab:red",
    )
