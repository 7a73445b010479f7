"""A network unfolded in time: one copy of the step for every time step."""

from __future__ import annotations

from recurra.inspection.drawing.colours import BLUE, GREEN, RED, SOFT, VIOLET, state_colour
from recurra.inspection.drawing.labels import (
    Label,
    carried_label,
    input_label,
    input_weight,
    output_label,
    output_weight,
    state_label,
    state_weight,
)
from recurra.inspection.drawing.legend import add_heading, add_legend, heading
from recurra.inspection.drawing.lettering import (
    BADGE,
    NODE,
    TAG,
    TAG_WIDTH,
    badge_width,
    node_width,
)
from recurra.inspection.drawing.network import BACKWARD, FORWARD, Column, Network
from recurra.inspection.drawing.svg import Picture
from recurra.inspection.drawing.unfolded_places import DOTS, Spot, Unfolding

_TINTS = {"encoder": "#eef3fa", "decoder": "#eef7f1"}


def unfolded_svg(network: Network) -> str:
    """Draw a network unfolded in time.

    Every copy of a weight has the same name and colour. Of more than eight steps, encoder and decoder together, those
    in the middle are left out.

    Args:
        network: What to draw.

    Returns:
        An SVG document, which needs nothing else.
    """
    places, picture = Unfolding(network), Picture(has_crossings=network.bidirectional)
    for layer in range(1, network.num_layers + 1):
        for direction in network.directions:
            _draw_states(picture, places, layer, direction)
        for spot in places.spots:
            if spot.column is not None:
                _draw_step(picture, places, spot.x, spot.column, layer)
    for spot in places.spots:
        _draw_input(picture, places, spot)
        _draw_output(picture, places, spot)
    _draw_dots(picture, places)
    _draw_parts(picture, places)
    title = heading(network)
    add_legend(picture, network)
    add_heading(picture, title, network)
    return picture.document(f"{title} ({network.describe()})", _description(network))


def _description(network: Network) -> str:
    states = ", ".join(network.states)
    return (
        f"One copy of the step for every time step, from left to right. Each hands its state ({states}) to the next; "
        f"inputs {network.input} enter from below, outputs {network.output_name} leave above. "
        "All copies share their weights."
    )


def _draw_states(picture: Picture, places: Unfolding, layer: int, direction: int) -> None:
    """Draw the arrows of one row of boxes, from what stands before the first step to what is left after the last."""
    network = places.network
    spots = places.spots if direction == FORWARD else places.spots[::-1]
    on = 1 if direction == FORWARD else -1
    first, last = spots[0].column, spots[-1].column
    assert first is not None
    assert last is not None
    for state, y in places.lanes(layer, direction):
        start = state_label(network, state, first.time - on, layer, direction, network.parts[0])
        end = state_label(network, state, last.time, layer, direction, network.parts[-1])
        weight_width = badge_width(state_weight(network, state, layer, direction, network.parts[-1]))
        edge = on * (places.box_width / 2)
        x = places.box_x(spots[0].x, direction) - edge - on * (weight_width + 54)
        picture.node(start, x - on * node_width(start) / 2, y)
        for number, spot in enumerate(spots):
            before = spots[number - 1] if number else None
            _draw_state(picture, places, (state, layer, direction), x, y, before, spot)
            x = places.box_x(spot.x, direction) + edge if spot.column else spot.x + on * DOTS
        tip = x + on * (52 + places.aside)
        picture.lines([[(x, y), (tip, y)]], state_colour(network, state))
        picture.node(end, tip + on * node_width(end) / 2, y)


def _draw_state(
    picture: Picture,
    places: Unfolding,
    which: tuple[str, int, int],
    x: float,
    y: float,
    before: Spot | None,
    spot: Spot,
) -> None:
    """Draw the arrow of one state into one step, from x on."""
    (state, layer, direction), network = which, places.network
    on = 1 if direction == FORWARD else -1
    colour = state_colour(network, state)
    tip = places.box_x(spot.x, direction) - on * places.box_width / 2 if spot.column else spot.x - on * DOTS
    picture.lines([[(x, y), (tip, y)]], colour)
    stop = tip - on * 20
    if spot.column and state in network.weighted:
        weight = state_weight(network, state, layer, direction, spot.column.part)
        picture.badge(weight, stop - on * badge_width(weight) / 2, y, RED)
        stop -= on * badge_width(weight)
    if before is not None:
        label = carried_label(network, which, before.column, spot.column, which[2])
        start = x + on * (places.aside if before.column else 0)
        picture.name(label, (start + stop) / 2, y - 20)


def _draw_step(picture: Picture, places: Unfolding, x: float, column: Column, layer: int) -> None:
    """Draw a step's boxes in one layer, what enters them from below, and how the directions are put together."""
    network = places.network
    branches = []
    for direction in network.directions:
        middle, box_x = places.state_height(layer, direction), places.box_x(x, direction)
        picture.box(network.cell, box_x, middle, places.box_width, places.box_height, f"t = {column.time}")
        bottom = middle + places.box_height / 2
        branches.append(_branch((x, _source(places, layer)), (box_x, bottom)))
        if layer > 1 or column.reads != "nothing":
            weight = input_weight(network, layer, direction, column.part)
            picture.badge(weight, box_x, bottom + 22 + BADGE / 2, BLUE)
    if layer > 1 or column.reads != "nothing":
        picture.lines(branches, BLUE)
    if network.bidirectional and (layer < network.num_layers or column.writes):
        _draw_join(picture, places, x, layer)


def _source(places: Unfolding, layer: int) -> float:
    """Return the height of the upper edge of what a layer reads."""
    if layer == 1:
        return -NODE / 2
    if places.network.bidirectional:
        return places.join_height(layer - 1) - TAG / 2
    return places.state_height(layer - 1, FORWARD) - places.box_height / 2


def _branch(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    turn = start[1] - 20
    bend = [] if start[0] == end[0] else [(start[0], turn), (end[0], turn)]
    return [start, *bend, end]


def _draw_join(picture: Picture, places: Unfolding, x: float, layer: int) -> None:
    """Draw how the states of both directions are put together for what stands above."""
    network, y = places.network, places.join_height(layer)
    is_last = layer == network.num_layers
    colour = GREEN if is_last else BLUE
    # the backward states have read everything at the first step
    other = places.drawn[0].x if is_last and network.form == "many-to-one" else x
    forward, backward = places.box_x(x, FORWARD), places.box_x(other, BACKWARD)
    forward_top = places.state_height(layer, FORWARD) - places.box_height / 2
    backward_top = places.state_height(layer, BACKWARD) - places.box_height / 2
    if other == x:
        picture.lines([[(forward, forward_top), (forward, y), (x - TAG_WIDTH / 2, y)]], colour)
        picture.lines([[(backward, backward_top), (backward, y), (x + TAG_WIDTH / 2, y)]], colour)
    else:
        picture.lines([[(forward, forward_top), (forward, y + 30), (x, y + 30), (x, y + TAG / 2)]], colour)
        picture.lines([[(backward, backward_top), (backward, y), (x - TAG_WIDTH / 2, y)]], colour)
    picture.tag("concat", x, y)


def _draw_input(picture: Picture, places: Unfolding, spot: Spot) -> None:
    network, column = places.network, spot.column
    if column is not None and column.reads == "input":
        picture.node(input_label(network, column.time), spot.x, 0, BLUE)
    elif column is not None and column.reads == "output":
        picture.node(output_label(network, column.time - 1), spot.x, 0, GREEN, dashed=True)


def _draw_output(picture: Picture, places: Unfolding, spot: Spot) -> None:
    network, column = places.network, spot.column
    if column is None or not column.writes:
        return
    x, y = spot.x, places.output_height
    start = places.join_height(network.num_layers) - TAG / 2 if network.bidirectional else places.top
    picture.lines([[(x, start), (x, y + NODE / 2)]], GREEN)
    picture.badge(output_weight(network), x, start - 12 - BADGE / 2, GREEN)
    picture.node(output_label(network, column.time), x, y, GREEN)
    if network.loss:
        picture.lines([[(x, y - NODE / 2), (x, y - NODE / 2 - 44)]], VIOLET)
        picture.node(Label("L", time=str(column.time)), x, y - NODE - 44, VIOLET)


def _draw_dots(picture: Picture, places: Unfolding) -> None:
    """Draw dots where steps are left out: in every row in which the steps beside have something."""
    network = places.network
    for before, spot, after in zip(places.spots, places.spots[1:], places.spots[2:], strict=False):
        if spot.column is not None or before.column is None or after.column is None:
            continue
        for layer in range(1, network.num_layers + 1):
            for direction in network.directions:
                for _, y in places.lanes(layer, direction):
                    picture.dots(spot.x, y)
        if after.column.reads != "nothing":
            picture.dots(spot.x, 0)
        if before.column.writes:
            picture.dots(spot.x, places.output_height)


def _draw_parts(picture: Picture, places: Unfolding) -> None:
    """Tint encoder and decoder and name them."""
    network = places.network
    if len(network.parts) == 1:
        return
    top = places.output_height - NODE / 2 - (44 + NODE if network.loss else 0) - 60
    weight = badge_width(state_weight(network, network.states[0], 1, FORWARD, "decoder"))
    for part in network.parts:
        columns = [spot.x for spot in places.drawn if spot.column and spot.column.part == part]
        left, right = columns[0] - places.box_width / 2 - weight - 34, columns[-1] + places.box_width / 2 + 22
        picture.ground(left, top, right, NODE / 2 + 26, _TINTS[part])
        picture.words(part, (left + right) / 2, top + 28, 24, SOFT, weight="bold")
