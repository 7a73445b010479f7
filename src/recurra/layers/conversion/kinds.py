"""The kinds of recurrence that all formats know, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WEIGHTS = ("weight_ih", "weight_hh")
BIASES = ("bias_ih", "bias_hh")


@dataclass(frozen=True)
class Kind:
    """What formats need to know of a kind of recurrence."""

    gates: tuple[str, ...]
    """The gates in the order of torch, which is that of Recurra and of Flax too."""
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Their order in a format that has another."""
    biases: tuple[str, ...] = BIASES
    """The biases in a state dict of Recurra, and of torch where it has the kind."""
    parted: tuple[str, ...] = ()
    """Gates whose two biases are not one: something stands between the two sums."""


_UPDATE_FIRST = {"keras": ("z", "r", "n"), "onnx": ("z", "r", "n")}

KINDS: Mapping[str, Kind] = {
    "rnn": Kind(("h",)),
    "lstm": Kind(("i", "f", "g", "o"), {"onnx": ("i", "o", "f", "g")}),
    "gru": Kind(("r", "z", "n"), _UPDATE_FIRST, parted=("n",)),
    "gru-reset-before": Kind(("r", "z", "n"), _UPDATE_FIRST, biases=("bias_ih",)),
}
"""The kinds by name."""
