"""A network unfolded in time, drawn with characters."""

from __future__ import annotations

from recurra.errors import ArgumentError
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
from recurra.inspection.drawing.legend import heading, notes, sharing, weights
from recurra.inspection.drawing.network import BACKWARD, FORWARD, Column, Network, Part
from recurra.inspection.drawing.sheet import Sheet
from recurra.inspection.drawing.terminal_places import Lettering, Place
from recurra.inspection.terminal_columns import columns, wrapped

_MOST_COLUMNS = 8


def unfolded_text(network: Network, width: int) -> str:
    """Draw a network unfolded in time with characters.

    Of more than eight steps, encoder and decoder together, those in the middle are left out; of fewer, where
    the width asks for it.

    Args:
        network: What to draw.
        width: Columns of the terminal.

    Returns:
        Lines with their ends.

    Raises:
        ArgumentError: When even the first and the last step do not fit.
    """
    sheets = [_fitted(network, network.parts, width)]
    if _width(sheets) > width and len(network.parts) > 1:
        # encoder and decoder below each other
        sheets = [_fitted(network, (part,), width) for part in network.parts]
    if _width(sheets) > width:
        raise ArgumentError(
            f"unfolded_text expected width to be at least {_width(sheets)} for this network, got {width}",
            hint="draw it as SVG, or give it fewer layers or directions",
        )
    head = [heading(network), network.describe()]
    names = " ".join(label.text() for label, _ in weights(network))
    legend = [f"{names}: {sharing(network)}", *notes(network)]
    if network.feedback:
        legend.append(f"⟨{network.output_name}⟩: the output of the step before, as input")
    if network.bidirectional:
        legend.append("→ forward, ← backward; where both meet, their states are put one below the other")
    drawn = [line for sheet in sheets for line in (*sheet.lines(), "")]
    words = [[line for text in texts for line in wrapped(text, width)] for texts in (head, legend)]
    return "\n".join([*words[0], "", *drawn, *words[1], ""])


def _width(sheets: list[Sheet]) -> int:
    return max(right - left for left, right in (sheet.span for sheet in sheets))


def _fitted(network: Network, parts: tuple[Part, ...], width: int) -> Sheet:
    """Return the drawing of these parts with as many steps as fit, or the narrowest there is."""
    for most in range(_MOST_COLUMNS, 3 * len(parts) - 1, -1):
        sheet = _drawn(Lettering(network, parts, most))
        if _width([sheet]) <= width:
            break
    return sheet


def _drawn(places: Lettering) -> Sheet:
    sheet = Sheet()
    for layer in range(1, places.network.num_layers + 1):
        for direction in places.network.directions:
            _draw_states(sheet, places, layer, direction)
        for place in places.drawn:
            _draw_step(sheet, places, place, layer)
    for place in places.places:
        _draw_ends(sheet, places, place)
    if len(places.network.parts) > 1:
        _draw_parts(sheet, places)
    return sheet


def _draw_states(sheet: Sheet, places: Lettering, layer: int, direction: int) -> None:
    """Draw the arrows of one row of boxes."""
    network = places.network
    order = places.places if direction == FORWARD else places.places[::-1]
    on = 1 if direction == FORWARD else -1
    first, last = order[0].column, order[-1].column
    assert first is not None
    assert last is not None
    for state, row in places.lanes(layer, direction):
        start = _start_label(network, state, layer, direction, first)
        end = state_label(network, state, last.time, layer, None, last.part).text()
        x = _entry(places, order[0], direction) - on * (places.weight_room + 2)
        sheet.write(x - columns(start) - 1 if on > 0 else x + 2, row, start)
        for number, place in enumerate(order):
            tip = _entry(places, place, direction)
            _draw_arrow(sheet, x, tip, row)
            if place.column and state in network.weighted:
                weight = state_weight(network, state, layer, direction, place.column.part).text()
                sheet.write(tip - columns(weight) if on > 0 else tip + 1, row + 1, weight)
            if number:
                which = state, layer, direction
                carried = carried_label(network, which, order[number - 1].column, place.column, None).text()
                label = f" {carried} "
                beside = 2 if network.bidirectional else 0
                sheet.write(x + beside + 1 if on > 0 else x - beside - columns(label), row, label)
            x = _exit(places, place, direction)
            if place.column is None:
                sheet.write(place.left, row, "⋯")
        tip = x + on * (3 + (2 if network.bidirectional else 0))
        _draw_arrow(sheet, x, tip, row)
        sheet.write(tip + 2 if on > 0 else tip - columns(end) - 1, row, end)


def _start_label(network: Network, state: str, layer: int, direction: int, first: Column) -> str:
    """Return the name of the state that enters the first step: a decoder's is what the encoder left."""
    if first.part == "decoder":
        return state_label(network, state, network.steps, layer, None, "encoder").text()
    return state_label(
        network, state, first.time + (1 if direction == BACKWARD else -1), layer, None, first.part
    ).text()


def _entry(places: Lettering, place: Place, direction: int) -> int:
    """Return the last place before a box, or before the dots, in the direction in which the states go."""
    if place.column is None:
        return place.left - 2 if direction == FORWARD else place.left + 2
    left = places.box_left(place, direction)
    return left - 1 if direction == FORWARD else left + places.width


def _exit(places: Lettering, place: Place, direction: int) -> int:
    """Return the first place after a box, or after the dots."""
    if place.column is None:
        return place.left + 2 if direction == FORWARD else place.left - 2
    left = places.box_left(place, direction)
    return left + places.width if direction == FORWARD else left - 1


def _draw_arrow(sheet: Sheet, start: int, tip: int, row: int) -> None:
    if tip > start:
        sheet.write(start, row, "─" * (tip - start) + "▶")
    else:
        sheet.write(tip, row, "◀" + "─" * (start - tip))


def _draw_step(sheet: Sheet, places: Lettering, place: Place, layer: int) -> None:
    """Draw a step's boxes in one layer and the lines between them."""
    network, column, base = places.network, place.column, places.base(layer)
    assert column is not None
    for direction in places.network.directions:
        left, top = places.box_left(place, direction), places.top(layer, direction)
        sheet.box(left, top, places.width, places.height, places.cell)
        if layer == 1 and column.reads == "nothing":
            continue
        foot, row = places.feet(place)[direction], top + places.height
        weight = input_weight(network, layer, direction, column.part).text()
        sheet.write(foot, row, "▲")
        to_left = network.bidirectional and direction == FORWARD
        sheet.write(foot - columns(weight) - 1 if to_left else foot + 2, row, weight)
    if network.bidirectional:
        first, second, middle = places.feet(place)
        _draw_fork(sheet, first, middle, second, base - 1, "└┬┘")
        sheet.rise(second, base - 2, places.top(layer, BACKWARD) + places.height + 1)
        if layer < network.num_layers or column.writes:
            _draw_join(sheet, places, place, layer)


def _draw_fork(sheet: Sheet, first: int, middle: int, last: int, row: int, corners: str) -> None:
    sheet.write(first, row, corners[0] + "─" * (last - first - 1) + corners[2])
    sheet.write(middle, row, corners[1])


def _draw_join(sheet: Sheet, places: Lettering, place: Place, layer: int) -> None:
    """Draw how the states of both directions are put together for what stands above."""
    network, row = places.network, places.base(layer + 1)
    _, second, middle = places.feet(place)
    ahead = place.left + 1
    sheet.rise(ahead, places.top(layer, FORWARD) - 1, row + 1)
    first = places.drawn[0]
    if layer == network.num_layers and network.form == "many-to-one" and first != place:
        # the backward states have read everything at the first step
        start = places.feet(first)[1]
        sheet.write(start, row, "┌" + "─" * (middle - start - 1) + "┘")
        sheet.write(ahead, row, "┬")
    else:
        _draw_fork(sheet, ahead, middle, second, row, "┌┴┐")


def _draw_ends(sheet: Sheet, places: Lettering, place: Place) -> None:
    """Write what a step reads and what it gives."""
    network, column = places.network, place.column
    top, middle = places.base(network.num_layers + 1), places.feet(place)[2]
    if column is None:
        number = places.places.index(place)
        before, after = places.places[number - 1].column, places.places[number + 1].column
        if after is not None and after.reads != "nothing":
            sheet.write(place.left, 0, "⋯")
        if before is not None and before.writes:
            sheet.write(place.left, top - 2, "⋯")
        return
    if column.reads == "input":
        sheet.write(middle, 0, input_label(network, column.time).text())
    elif column.reads == "output":
        sheet.write(middle - 1, 0, f"⟨{output_label(network, column.time - 1).text()}⟩")
    if column.writes:
        sheet.write(middle, top - 1, f"▲ {output_weight(network).text()}")
        sheet.write(middle, top - 2, output_label(network, column.time).text())
        if network.loss:
            sheet.write(middle, top - 3, "▲")
            sheet.write(middle, top - 4, Label("L", time=str(column.time)).text())


def _draw_parts(sheet: Sheet, places: Lettering) -> None:
    """Write encoder and decoder above their steps."""
    row = places.base(places.network.num_layers + 1) - (6 if places.network.loss else 4)
    for part in places.parts:
        columns = [place.left for place in places.drawn if place.column and place.column.part == part]
        sheet.write((columns[0] + columns[-1] + places.width - len(part)) // 2, row, part)
