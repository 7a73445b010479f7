"""Where things stand when a network is drawn with characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recurra.inspection.drawing.labels import state_label, state_weight
from recurra.inspection.drawing.network import BACKWARD, FORWARD, Column, Network, Part
from recurra.inspection.terminal_columns import columns, shortened

_MOST_LETTERS = 16
_SHIFT = 3
"""How far the boxes of backward steps stand to the right of the forward ones."""


@dataclass(frozen=True)
class Place:
    """A column with the left edge of its forward box; no column is where steps are left out."""

    left: int
    column: Column | None


class Lettering:
    """Places of all that is drawn; the inputs stand in row 0, and up is negative."""

    def __init__(self, network: Network, parts: tuple[Part, ...], most: int) -> None:
        self.network = network
        self.parts = parts
        self.cell = shortened(network.cell, _MOST_LETTERS)
        self.directions = network.directions
        self.shift = _SHIFT if network.bidirectional else 0
        self.width = max(columns(self.cell) + 4, 9)
        self.height = 2 * len(network.states) + 1
        self.storey = 2 * self.height + 4 if network.bidirectional else self.height + 1
        last = network.parts[-1]
        self.weight_room = max([columns(state_weight(network, state, 1, 0, last).text()) for state in network.states])
        names = [state_label(network, state, network.steps, 1, FORWARD, last).text() for state in network.states]
        self.gap = max(max(map(columns, names)) + 5, self.weight_room + 3)
        self.places = tuple(self._places(most))
        self.drawn = [place for place in self.places if place.column is not None]

    def _places(self, most: int) -> Iterator[Place]:
        left, before = 0, None
        aside = 2 if self.network.bidirectional else 0
        columns = self.network.columns(most * len(self.network.parts) // len(self.parts))
        if len(self.parts) < len(self.network.parts):
            half = len(columns) // 2
            columns = columns[:half] if self.parts == ("encoder",) else columns[half:]
        for number, column in enumerate(columns):
            if number and column and before:
                left += self.width + self.gap + aside
            elif column is None:
                left += self.width + self.shift + self.gap + 1
            elif number:
                left += 2 + self.gap
            yield Place(left, column)
            before = column

    def box_left(self, place: Place, direction: int) -> int:
        """Return the left edge of a step's box."""
        return place.left + (self.shift if direction == BACKWARD else 0)

    def base(self, layer: int) -> int:
        """Return the row of what a layer reads; that above the last layer is what the output reads."""
        return -(layer - 1) * self.storey

    def top(self, layer: int, direction: int) -> int:
        """Return the row of the upper edge of a layer's boxes."""
        low = self.base(layer) - (2 if self.network.bidirectional else 1) - self.height
        return low - (self.height + 1 if direction == BACKWARD else 0)

    def lanes(self, layer: int, direction: int) -> Iterator[tuple[str, int]]:
        """Yield every state with the row of its arrow; the first is the lowest."""
        bottom = self.top(layer, direction) + self.height - 1
        for number, state in enumerate(self.network.states):
            yield state, bottom - 1 - 2 * number

    def feet(self, place: Place) -> tuple[int, int, int]:
        """Return where inputs enter the forward and the backward box, and the middle between both."""
        first = place.left + self.width // 2
        if not self.network.bidirectional:
            return first, first, first
        second = place.left + self.width + 1
        return first, second, (first + second) // 2
