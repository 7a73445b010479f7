"""A network as it is built: one step, whose state comes back to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recurra.inspection.drawing.colours import BLUE, GREEN, RED, VIOLET, state_colour
from recurra.inspection.drawing.labels import (
    Label,
    input_label,
    input_weight,
    output_label,
    output_weight,
    state_label,
    state_weight,
)
from recurra.inspection.drawing.legend import add_heading, add_legend
from recurra.inspection.drawing.lettering import (
    BADGE,
    NODE,
    TAG,
    TAG_WIDTH,
    badge_width,
    box_width,
    label_width,
    node_width,
)
from recurra.inspection.drawing.network import BACKWARD, FORWARD, Network, Part
from recurra.inspection.drawing.svg import Picture

_LANE = 54
_RISE = 108
_JOIN = 68
"""From the boxes of two directions to where they are put together."""


@dataclass(frozen=True)
class Stack:
    """Layers above each other, which read from below and hand their states on to themselves.

    Attributes:
        x: The middle.
        side: Where the states leave and come back: 1 to the right, -1 to the left.
        direction: ``FORWARD`` or ``BACKWARD``.
        part: Encoder, decoder or neither.
    """

    x: float
    side: int
    direction: int = FORWARD
    part: Part = ""


class Folding:
    """Sizes and places of all that is drawn, in units; the inputs lie at height 0, and up is negative."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.width = max(150.0, box_width(network.cell))
        self.height = _LANE * 2 * len(network.states) + 16
        self.storey = self.height + _RISE + (_JOIN if network.bidirectional else 0)
        self.stacks = tuple(self._stacks())
        self.top = self.middle(network.num_layers) - self.height / 2
        self.output_height = self.top - (_JOIN if network.bidirectional else 0) - _RISE - NODE / 2

    def _stacks(self) -> Iterator[Stack]:
        if self.network.bidirectional:
            yield Stack(-self.width / 2 - 35, -1, FORWARD)
            yield Stack(self.width / 2 + 35, 1, BACKWARD)
        elif "decoder" in self.network.parts:
            gap = 110 + max(label_width(label, 25) for label in map(self.handed, self.network.states))
            yield Stack(-(self.width + gap) / 2, -1, FORWARD, "encoder")
            yield Stack((self.width + gap) / 2, 1, FORWARD, "decoder")
        else:
            yield Stack(0, 1)

    def handed(self, state: str, layer: int = 1) -> Label:
        """Return the name of the state that the encoder leaves."""
        return state_label(self.network, state, self.network.steps, layer, FORWARD, "encoder")

    def middle(self, layer: int) -> float:
        """Return the height of the middle of a layer's boxes."""
        return -NODE / 2 - _RISE - self.height / 2 - (layer - 1) * self.storey

    def source(self, layer: int) -> float:
        """Return the height of the upper edge of what a layer reads."""
        if layer == 1:
            return -NODE / 2
        top = self.middle(layer - 1) - self.height / 2
        return top - _JOIN - TAG / 2 if self.network.bidirectional else top


def folded_svg(network: Network) -> str:
    """Draw a network folded: one step, with loops for the states that it hands to itself.

    Args:
        network: What to draw; how many steps are unfolded is no matter.

    Returns:
        An SVG document, which needs nothing else.
    """
    places, picture = Folding(network), Picture(has_crossings=False)
    for stack in places.stacks:
        for layer in range(1, network.num_layers + 1):
            _draw_step(picture, places, stack, layer)
    if network.bidirectional:
        for layer in range(1, network.num_layers + 1):
            _draw_join(picture, places, layer)
    if len(network.parts) > 1:
        _draw_handing_over(picture, places)
    _draw_inputs(picture, places)
    _draw_output(picture, places)
    add_legend(picture, network, is_folded=True)
    add_heading(picture, f"{network.cell}, folded", network)
    description = (
        f"One step of the network. Its state ({', '.join(network.states)}) comes back to it at the next time step; "
        f"inputs {network.input} enter from below, outputs {network.output_name} leave above."
    )
    return picture.document(f"{network.cell}, folded ({network.describe()})", description)


def _draw_step(picture: Picture, places: Folding, stack: Stack, layer: int) -> None:
    """Draw one box of a stack with its loops and what enters it."""
    network, middle = places.network, places.middle(layer)
    note = stack.part or (("forward", "backward")[stack.direction] if network.bidirectional else "")
    picture.box(network.cell, stack.x, middle, places.width, places.height, note)
    for number, state in enumerate(network.states):
        _draw_loop(picture, places, stack, layer, number, state)
    if layer > 1 or stack.part != "decoder" or network.feedback:
        bottom = middle + places.height / 2
        if layer > 1 and not network.bidirectional:
            picture.lines([[(stack.x, places.source(layer)), (stack.x, bottom)]], BLUE)
        weight = input_weight(network, layer, stack.direction, stack.part)
        picture.badge(weight, stack.x, bottom + 22 + BADGE / 2, BLUE)


def _draw_loop(picture: Picture, places: Folding, stack: Stack, layer: int, number: int, state: str) -> None:
    """Draw how a state leaves at a step and enters the next; the first state's loop is the outermost."""
    network, side = places.network, stack.side
    colour = state_colour(network, state)
    inner = len(network.states) - 1 - number
    edge, middle = stack.x + side * places.width / 2, places.middle(layer)
    before = state_label(
        network, state, "t+1" if stack.direction == BACKWARD else "t−1", layer, stack.direction, stack.part
    )
    now = state_label(network, state, "t", layer, stack.direction, stack.part)
    weight = state_weight(network, state, layer, stack.direction, stack.part)
    taken = 26 + (badge_width(weight) if state in network.weighted else 0)
    room = max(label_width(before, 25), label_width(now, 25))
    far = edge + side * (_reach(places, stack, layer) + 34 * inner)
    up, down = middle - _LANE * (inner + 0.5), middle + _LANE * (inner + 0.5)
    picture.lines([[(edge, up), (far, up), (far, down), (edge, down)]], colour)
    picture.square(far, middle)
    if state in network.weighted:
        picture.badge(weight, edge + side * (20 + badge_width(weight) / 2), down, RED)
    at = edge + side * (taken + 8 + room / 2)
    picture.name(now, at, up - 20)
    picture.name(before, at, down - 20)


def _reach(places: Folding, stack: Stack, layer: int) -> float:
    """Return how far the innermost loop goes out: far enough for every name and weight on it."""
    network = places.network
    rooms = []
    for state in network.states:
        time = "t+1" if stack.direction == BACKWARD else "t−1"
        label = state_label(network, state, time, layer, stack.direction, stack.part)
        weight = badge_width(state_weight(network, state, layer, stack.direction, stack.part))
        rooms.append(label_width(label, 25) + (weight if state in network.weighted else 0))
    return max(rooms) + 60


def _draw_join(picture: Picture, places: Folding, layer: int) -> None:
    """Draw how both directions are put together, and, below the top, how the next layer reads that."""
    network, is_last = places.network, layer == places.network.num_layers
    top = places.middle(layer) - places.height / 2
    y, colour = top - _JOIN, GREEN if is_last else BLUE
    for stack in places.stacks:
        near = -TAG_WIDTH / 2 if stack.x < 0 else TAG_WIDTH / 2
        picture.lines([[(stack.x, top), (stack.x, y), (near, y)]], colour)
        if is_last and network.form == "many-to-one":
            # the backward states have read everything at the first step
            end = "of step T" if stack.direction == FORWARD else "of step 1"
            picture.words(
                end, stack.x + stack.side * 12, (top + y) / 2, 18, anchor="start" if stack.side > 0 else "end"
            )
    picture.tag("concat", 0, y)
    if layer < network.num_layers:
        _draw_split(picture, places, layer + 1)


def _draw_split(picture: Picture, places: Folding, layer: int) -> None:
    start, bottom = places.source(layer), places.middle(layer) + places.height / 2
    paths = [[(0, start), (0, start - 18), (stack.x, start - 18), (stack.x, bottom)] for stack in places.stacks]
    picture.lines(paths, BLUE)


def _draw_handing_over(picture: Picture, places: Folding) -> None:
    """Draw how the decoder's states start as the encoder's end."""
    encoder, decoder = places.stacks
    left, right = encoder.x + places.width / 2, decoder.x - places.width / 2
    count = len(places.network.states)
    for layer in range(1, places.network.num_layers + 1):
        for number, state in enumerate(places.network.states):
            y = places.middle(layer) + 70 * ((count - 1) / 2 - number)
            picture.lines([[(left, y), (right, y)]], state_colour(places.network, state))
            last = places.handed(state, layer)
            last = Label(last.base, last.index, "T", last.layer, last.direction)
            picture.name(last, (left + right) / 2 - 6, y - 20)


def _draw_inputs(picture: Picture, places: Folding) -> None:
    """Draw what the lowest boxes read, with words that say when."""
    when = {"one-to-many": "at the first step", "one-to-one": "once"}.get(places.network.form, "at every step")
    now = input_label(places.network, 1 if places.network.form.startswith("one") else "t")
    network, bottom = places.network, places.middle(1) + places.height / 2
    if network.bidirectional:
        _draw_split(picture, places, 1)
        _draw_node(picture, now, 0, when)
        return
    first = places.stacks[0].x
    late = output_label(network, "t−1")
    if network.form == "one-to-many" and network.feedback:
        paths = [[(x, -NODE / 2), (x, -NODE / 2 - 18), (0, -NODE / 2 - 18), (0, bottom)] for x in (-70, 70)]
        picture.lines(paths, BLUE)
        picture.node(now, -70, 0, BLUE)
        picture.words("first step", -70, NODE / 2 + 22, 18)
        picture.node(late, 70, 0, GREEN, dashed=True)
        picture.words("then", 70, NODE / 2 + 22, 18)
        return
    picture.lines([[(first, -NODE / 2), (first, bottom)]], BLUE)
    _draw_node(picture, now, first, when)
    if network.form == "encoder-decoder" and network.feedback:
        x = places.stacks[1].x
        picture.lines([[(x, -NODE / 2), (x, bottom)]], BLUE)
        picture.node(late, x, 0, GREEN, dashed=True)


def _draw_node(picture: Picture, label: Label, x: float, when: str) -> None:
    picture.node(label, x, 0, BLUE)
    picture.words(when, x + node_width(label) / 2 + 12, 0, 18, anchor="start")


def _draw_output(picture: Picture, places: Folding) -> None:
    network, y = places.network, places.output_height
    x = 0.0 if network.bidirectional else places.stacks[-1].x
    start = places.source(network.num_layers + 1)
    picture.lines([[(x, start), (x, y + NODE / 2)]], GREEN)
    picture.badge(output_weight(network), x, start - 12 - BADGE / 2, GREEN)
    label = output_label(network, {"many-to-one": "T", "one-to-one": 1}.get(network.form, "t"))
    picture.node(label, x, y, GREEN)
    end = "at the end" if network.bidirectional else "at the last step"
    when = {"many-to-one": end, "one-to-one": "once"}.get(network.form, "at every step")
    picture.words(when, x + node_width(label) / 2 + 12, y, 18, anchor="start")
    if network.loss:
        picture.lines([[(x, y - NODE / 2), (x, y - NODE / 2 - 44)]], VIOLET)
        picture.node(Label("L", time=label.time), x, y - NODE - 44, VIOLET)
