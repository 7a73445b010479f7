"""Tables that can go into the documentation as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table, its columns as wide as their longest cell; the first column stands left, others right.

    Args:
        head: Names of the columns.
        rows: Cells; numbers are to be formatted already, and bars within cells are escaped.
    """
    lines = [[str(cell).replace("|", r"\|") for cell in line] for line in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        f"| {' | '.join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])} |"
        for line in (lines[0], rule, *lines[1:])
    )
