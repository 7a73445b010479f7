"""Where things stand in the drawing of an unfolded network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recurra.inspection.drawing.labels import state_label, state_weight
from recurra.inspection.drawing.lettering import NODE, badge_width, box_width, label_width
from recurra.inspection.drawing.network import BACKWARD, FORWARD, Column, Network

_STATE_GAP = 58
_RISE = 104
"""From a box to what stands above it, with room for the badge of a weight."""
_CLEAR, DOTS = 14, 28


@dataclass(frozen=True)
class Spot:
    """A column with its place; no column is where steps are left out."""

    x: float
    column: Column | None


class Unfolding:
    """Sizes and places of all that is drawn, in units; the inputs lie at height 0, and up is negative."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.box_width = box_width(network.cell)
        self.box_height = max(92.0, _STATE_GAP * len(network.states) + 36)
        self.shift = 0.4 * self.box_width if network.bidirectional else 0.0
        self.aside = 2 * self.shift - self.box_width / 2 + _CLEAR if network.bidirectional else 0.0
        self.gap = self.aside + self._widest_arrow()
        self.spots = tuple(self._spots())
        self.drawn = [spot for spot in self.spots if spot.column is not None]
        self.top = self.state_height(network.num_layers, network.directions[-1]) - self.box_height / 2
        self.output_height = self.top - _RISE - NODE / 2 - (62 if network.bidirectional else 0)

    def _widest_arrow(self) -> float:
        """The room for the longest name of a state with its weight."""
        network = self.network
        # the widest time stands in the last column
        time, part = network.steps, network.parts[-1]
        rooms = []
        for state in network.states:
            room = label_width(state_label(network, state, time, 1, FORWARD, part), 25)
            if state in network.weighted:
                room += badge_width(state_weight(network, state, 1, FORWARD, part)) + 6
            rooms.append(room)
        return max(rooms) + 2 * _CLEAR + 26

    def _spots(self) -> Iterator[Spot]:
        x, before = 0.0, None
        to_dots = self.box_width / 2 + self.shift + self.gap - self.aside + DOTS
        for number, column in enumerate(self.network.columns()):
            if number:
                x += self.box_width + self.gap if column and before else to_dots
                x += 60 if column and before and column.part != before.part else 0
            yield Spot(x, column)
            before = column

    def box_x(self, x: float, direction: int) -> float:
        """Return the middle of a step's box: forward ones stand to the left, backward ones to the right."""
        return x - self.shift if direction == FORWARD else x + self.shift

    def state_height(self, layer: int, direction: int) -> float:
        """Return the height of the middle of a layer's boxes, the lowest layer being 1."""
        storey = self.box_height + _RISE
        extra = self.box_height + 74 + 62 if self.network.bidirectional else 0
        low = -NODE / 2 - _RISE - (14 if self.network.bidirectional else 0) - self.box_height / 2
        return low - (layer - 1) * (storey + extra) - (self.box_height + 74 if direction == BACKWARD else 0)

    def lanes(self, layer: int, direction: int) -> Iterator[tuple[str, float]]:
        """Yield every state with the height of its arrow; the first is the lowest."""
        middle, count = self.state_height(layer, direction), len(self.network.states)
        for number, state in enumerate(self.network.states):
            yield state, middle + _STATE_GAP * ((count - 1) / 2 - number)

    def join_height(self, layer: int) -> float:
        """Return where the directions of a layer are put together."""
        return self.state_height(layer, BACKWARD) - self.box_height / 2 - 44
