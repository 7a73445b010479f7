"""What an evaluation found, for people and for programs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """A small table of figures.

    Attributes:
        title: What it shows.
        header: Names of its columns.
        rows: Cells, row by row.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True)
class Evaluation:
    """How well a model does on some examples.

    Attributes:
        what: What it was evaluated on.
        size: How many examples that were.
        unit: What an example is, in the plural.
        figures: Metrics by name.
        tables: Finer figures.
        notes: What else a person should know.
    """

    what: str
    size: int
    unit: str
    figures: dict[str, float]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain lists and numbers; None where a figure is not a number, which JSON lacks."""
        content: dict[str, Any] = _without_nan(dataclasses.asdict(self))
        return content


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, list | tuple) else value
