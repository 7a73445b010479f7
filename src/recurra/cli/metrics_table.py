"""The table of figures at the end of training, for any task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

_LARGE = 10  # from here on, two decimals say enough: of percentages, perplexities


def metrics_table(result: Mapping[str, Any]) -> Table:
    """Return the figures of a run beside its baselines: a block of rows for each part of the data, a column a metric.

    Numbers are never cut; long names are wrapped.

    Args:
        result: What training returned. A part that the last weights were not measured on has a row of the best ones.
    """
    blocks = {split: block for split in ("validation", "test") if (block := _rows(result, split))}
    # the model's figures come first: theirs are the order, and the first metric is what checkpoints are selected by
    rows = [figures for block in blocks.values() for figures in reversed(block.values())]
    metrics = list(dict.fromkeys(name for figures in rows for name in figures))
    digits = {name: _digits(figures[name] for figures in rows if name in figures) for name in metrics}
    table = Table(title=None, box=None, padding=(0, 1), pad_edge=False)
    table.add_column(next(iter(blocks), ""), style="bold", header_style="bold underline", overflow="fold")
    for name in metrics:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for number, (split, block) in enumerate(blocks.items()):
        if number:
            table.add_row()
            table.add_row(Text(split, style="underline"))
        for name, figures in block.items():
            table.add_row(Text(name), *(_cell(figures.get(metric), digits[metric]) for metric in metrics))
    return table


def _rows(result: Mapping[str, Any], split: str) -> dict[str, Mapping[str, float]]:
    rows = dict(result["baselines"].get(split, {}))
    last, best = result["last"], result["best"]
    if split in last:
        rows[f"this model, last (step {last['step']:,})"] = last[split]
    if split in best and (split not in last or best["step"] != last["step"]):
        rows[f"this model, best (step {best['step']:,})"] = best[split]
    return rows


def _digits(values: Iterable[float]) -> int:
    return 2 if any(abs(value) >= _LARGE for value in values if math.isfinite(value)) else 4


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
