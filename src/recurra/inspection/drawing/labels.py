"""Names as drawings write them: W with an x below, h with a 1."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from recurra.inspection.drawing.network import BACKWARD, FORWARD, Column, Network, Part

_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_ABOVE = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Label:
    """A name with what stands around it.

    Attributes:
        base: The letter, or the word.
        index: What belongs to the name and stands below: the x of W_x.
        time: The step, below: 1, t, t−1.
        layer: The layer, above in parentheses; 0 is not written.
        direction: ``FORWARD`` or ``BACKWARD``, an arrow above; ``None`` is not written.
    """

    base: str
    index: str = ""
    time: str = ""
    layer: int = 0
    direction: int | None = None

    @property
    def below(self) -> str:
        """All that stands below."""
        return ",".join(part for part in (self.index, self.time) if part)

    @property
    def above(self) -> str:
        """All that stands above."""
        return f"({self.layer})" if self.layer else ""

    def text(self) -> str:
        """Return it in one line of Unicode; the time must be a number."""
        index = f"_{self.index}" if self.index else ""
        above = f"⁽{str(self.layer).translate(_ABOVE)}⁾" if self.layer else ""
        arrow = "" if self.direction is None else "→←"[self.direction]
        return f"{self.base}{index}{self.time.translate(_BELOW)}{above}{arrow}"


def named(name: str) -> Label:
    """Return the label of a name: ``c_open`` is c with open below, ``psi`` a Greek letter."""
    head, _, rest = name.partition("_")
    return Label(_greek(head), _greek(rest)) if head and rest else Label(_greek(name))


def _greek(name: str) -> str:
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {'LAMDA' if name == 'lambda' else name.upper()}")
    except KeyError:
        return name


def input_label(network: Network, time: object) -> Label:
    """Return x at a time."""
    return _at(named(network.input), time)


def output_label(network: Network, time: object) -> Label:
    """Return y at a time."""
    return _at(named(network.output_name), time)


def state_label(
    network: Network, state: str, time: object, layer: int = 1, direction: int | None = FORWARD, part: Part = ""
) -> Label:
    """Return h at a time; a prime marks the decoder's."""
    return _placed(network, _at(named(state), time), layer, direction, part)


def carried_label(
    network: Network, which: tuple[str, int, int], before: Column | None, after: Column | None, arrow: int | None
) -> Label:
    """Return the name of the state that goes from one column to the next.

    Args:
        network: What is drawn.
        which: State, layer and direction.
        before: The column that it comes from; ``None`` where steps are left out.
        after: The column that it goes to; likewise, but one of both is there.
        arrow: The direction that the name shows.
    """
    state, layer, direction = which
    column = before or after
    assert column is not None
    time = column.time if before else column.time + (1 if direction == BACKWARD else -1)
    return state_label(network, state, time, layer, arrow, column.part)


def input_weight(network: Network, layer: int = 1, direction: int = FORWARD, part: Part = "") -> Label:
    """Return W_x of a layer."""
    return _placed(network, _weight(network.input), layer, direction, part)


def state_weight(network: Network, state: str, layer: int = 1, direction: int = FORWARD, part: Part = "") -> Label:
    """Return W_h of a layer."""
    return _placed(network, _weight(state), layer, direction, part)


def output_weight(network: Network) -> Label:
    """Return W_y."""
    return _weight(network.output_name)


def _at(label: Label, time: object) -> Label:
    return Label(label.base, label.index, str(time))


def _weight(name: str) -> Label:
    return Label("W", _greek(name))


def _placed(network: Network, label: Label, layer: int, direction: int | None, part: Part) -> Label:
    return Label(
        label.base + ("′" if part == "decoder" else ""),
        label.index,
        label.time,
        layer if network.num_layers > 1 else 0,
        direction if network.bidirectional else None,
    )
