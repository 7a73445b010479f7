"""Colours of drawings."""

from __future__ import annotations

from recurra.inspection.drawing.network import Network

INK, SOFT, PAPER = "#22272e", "#5b6470", "#ffffff"
BLUE, RED, GREEN, VIOLET = "#1a5fb4", "#b5400b", "#0b7a4b", "#7a3b9c"
"""Dark enough for white letters on them, and told apart by the colour-blind; in grey print the names do that."""


def state_colour(network: Network, state: str) -> str:
    """Return the colour of a state's arrows: that of its weight, where it has one."""
    return RED if state in network.weighted else SOFT
