"""An evaluation as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recurra.tasks.shared.evaluation import Evaluation

Cell = str | int | float
_MAX_WIDTH = 120


def evaluation_lines(evaluation: Evaluation, step: int) -> list[str]:
    """Return figures, tables and notes of an evaluation for a person.

    Args:
        evaluation: What came out.
        step: Optimiser step of the weights.
    """
    unit = evaluation.unit.removesuffix("s") if evaluation.size == 1 else evaluation.unit
    lines = [f"{evaluation.what}: {evaluation.size:,} {unit}, weights of step {step:,}"]
    lines += aligned([(name.replace("_", " "), value) for name, value in evaluation.figures.items()])
    for table in evaluation.tables:
        rows = aligned([table.header, *table.rows])
        # lines that a terminal breaks are no table any more
        is_wide = max(map(len, rows)) > _MAX_WIDTH
        lines += ["", table.title, *([f"{len(table.header)} columns, which --json prints"] if is_wide else rows)]
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
