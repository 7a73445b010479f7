"""An evaluation as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recurra.tasks.shared.evaluation import Evaluation

Cell = str | int | float


def evaluation_lines(evaluation: Evaluation, step: int) -> list[str]:
    """Return figures, tables and notes of an evaluation for a person.

    Args:
        evaluation: What came out.
        step: Optimiser step of the weights.
    """
    lines = [f"{evaluation.what}: {evaluation.size:,} {evaluation.unit}, weights of step {step:,}"]
    lines += aligned([(name.replace("_", " "), value) for name, value in evaluation.figures.items()])
    for table in evaluation.tables:
        lines += ["", table.title, *aligned([table.header, *table.rows])]
    if evaluation.notes:
        lines += ["", *evaluation.notes]
    return lines


def aligned(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Return rows of cells as lines with straight columns; numbers stand to the right, and so do the words above them.

    Args:
        rows: Rows of equal length; a column with a number in it is one of numbers.
    """
    if not rows:
        return []
    shown = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    of_numbers = [not all(isinstance(cell, str) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in shown:
        cells = [
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(row, widths, of_numbers, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:,.4f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
