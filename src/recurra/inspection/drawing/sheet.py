"""A sheet of characters to draw on."""

from __future__ import annotations

from recurra.inspection.terminal_columns import columns, iter_clusters


class Sheet:
    """Characters by column and row; rows count downwards from any number."""

    def __init__(self) -> None:
        self._letters: dict[tuple[int, int], str] = {}

    def write(self, column: int, row: int, text: str) -> None:
        """Write a text over what is there."""
        for cluster, places in iter_clusters(text):
            assert places, f"a text begins with a mark: {text!r}"
            for place in range(places):
                self._letters[column + place, row] = "" if place else cluster
            column += places

    def rise(self, column: int, first: int, last: int) -> None:
        """Draw a line from row ``first`` up to row ``last``, over what it crosses."""
        for row in range(last, first + 1):
            self._letters[column, row] = "│"

    def box(self, left: int, top: int, width: int, height: int, text: str) -> None:
        """Draw a frame with a text in its middle."""
        self.write(left, top, "┌" + "─" * (width - 2) + "┐")
        for row in range(top + 1, top + height - 1):
            self.write(left, row, "│" + " " * (width - 2) + "│")
        self.write(left, top + height - 1, "└" + "─" * (width - 2) + "┘")
        self.write(left + (width - columns(text)) // 2, top + height // 2, text)

    @property
    def span(self) -> tuple[int, int]:
        """The first column and the one after the last."""
        columns = [column for column, _ in self._letters]
        return min(columns), max(columns) + 1

    def lines(self) -> list[str]:
        """Return the rows from the topmost to the lowest, without blanks at their ends."""
        rows = [row for _, row in self._letters]
        left, right = self.span
        return [
            "".join(self._letters.get((column, row), " ") for column in range(left, right)).rstrip()
            for row in range(min(rows), max(rows) + 1)
        ]
