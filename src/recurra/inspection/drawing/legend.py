"""The lines under and above a drawing: what it is, which weights it has, what signs mean."""

from __future__ import annotations

from collections.abc import Iterator

from recurra.inspection.drawing.colours import BLUE, GREEN, INK, RED, SOFT
from recurra.inspection.drawing.labels import (
    Label,
    input_weight,
    output_label,
    output_weight,
    state_weight,
)
from recurra.inspection.drawing.lettering import badge_width
from recurra.inspection.drawing.network import Network
from recurra.inspection.drawing.svg import Picture

_ROW = 50


def weights(network: Network) -> Iterator[tuple[Label, str]]:
    """Yield every weight's name once, with its colour: from the input, from the state, to the output."""
    for part in network.parts:
        for layer in range(1, network.num_layers + 1):
            for direction in network.directions:
                if part != "decoder" or network.feedback or layer > 1:
                    yield input_weight(network, layer, direction, part), BLUE
                for state in network.weighted:
                    yield state_weight(network, state, layer, direction, part), RED
    yield output_weight(network), GREEN


def sharing(network: Network) -> str:
    """Return the words beside the list of weights."""
    return "the weights" if network.form == "one-to-one" else "the same weights at every step"


def notes(network: Network) -> Iterator[str]:
    """Yield what the signs mean that need it."""
    if "decoder" in network.parts:
        yield "with a prime (′): the decoder's own states and weights"
    if network.loss:
        only = {"one-to-one": "loss L of the step", "many-to-one": "loss L of the last step"}
        yield only.get(network.form, "loss L: the sum of the losses of all steps")


def _joining(network: Network) -> Iterator[str]:
    if network.bidirectional:
        yield "concat: the states of both directions, one below the other"


def heading(network: Network) -> str:
    """Return the title of an unfolded network."""
    steps = " + ".join([str(network.steps)] * len(network.parts))
    return f"{network.cell}, unfolded over {steps} step{'' if steps == '1' else 's'}"


def _delay(network: Network) -> str:
    return "handed to the next step" + (", backwards to the one before" if network.bidirectional else "")


def add_heading(picture: Picture, title: str, network: Network) -> None:
    """Write the title above what is drawn."""
    left, top, _, _ = picture.bounds
    scale = _scale(picture)
    picture.words(network.describe(), left, top - 34 * scale, 21 * scale, SOFT, "start")
    picture.words(title, left, top - 70 * scale, 32 * scale, INK, "start", "bold")


def _scale(picture: Picture) -> float:
    """Return how much larger words must be so that they stay readable when a large drawing is made to fit a screen."""
    left, top, right, bottom = picture.bounds
    return min(max(1.0, (right - left) / 1400, (bottom - top) / 800), 1.6)


def add_legend(picture: Picture, network: Network, *, is_folded: bool = False) -> None:
    """List the weights, and what signs mean: below a drawing that is unfolded, beside one that is folded."""
    left, top, right, bottom = picture.bounds
    size = 20 * _scale(picture)
    if is_folded:
        left, y = right + 90, (top + bottom) / 2 - _ROW
        end = left + 21 * size
    else:
        y, end = bottom + 58, max(right, left + 840)
    x = left
    for label, colour in weights(network):
        width = badge_width(label)
        if x + width > end:
            x, y = left, y + _ROW
        picture.badge(label, x + width / 2, y, colour)
        x += width + 10
    if is_folded:
        x, y = left - 6, y + 1.6 * size + 10
    picture.words(sharing(network), x + 6, y, size, INK, "start")
    if is_folded:
        y += 1.6 * size + 10
        picture.square(left + 18, y)
        picture.words(_delay(network), left + 46, y, size, INK, "start")
    if network.feedback:
        y += _ROW + 8
        picture.node(output_label(network, ""), left + 25, y, GREEN, dashed=True)
        picture.words("the output of the step before, as input", left + 62, y, size, INK, "start")
    for note in (*_joining(network), *notes(network)):
        y += 1.6 * size + 10
        picture.words(note, left, y, size, INK, "start")
