"""The states of a reading as heat maps."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from recurra.inspection import draw_states
from tests.support.readings import made_reading


def maps_of(figure):
    """Return the axes with a map, from top to bottom."""
    return [axes for axes in figure.axes if axes.get_title(loc="left")]


def boxes_inside(figure):
    """Return whether all that is drawn lies inside the figure."""
    renderer = figure.canvas.get_renderer()
    return [
        figure.bbox.padded(1).containsx(box.x0)
        and figure.bbox.padded(1).containsx(box.x1)
        and figure.bbox.padded(1).containsy(box.y0)
        and figure.bbox.padded(1).containsy(box.y1)
        for box in (axes.get_tightbbox(renderer) for axes in figure.axes)
    ]


def test_every_state_of_every_layer_has_a_map_of_its_values():
    reading = made_reading(["le", "chat", "noir"], (4, 6), ("h", "c"))

    maps = maps_of(draw_states(reading))

    assert [axes.get_title(loc="left") for axes in maps] == ["h, layer 1", "c, layer 1", "h, layer 2", "c, layer 2"]
    for axes, state in zip(maps, reading.states, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), state.values.T)
        assert axes.get_ylim() == (state.values.shape[1] + 0.5, 0.5)  # unit 1 on top
    assert [text.get_text() for text in maps[-1].get_xticklabels()] == ["le", "chat", "noir"]
    assert all(not axes.get_xticklabels() for axes in maps[:-1])


def test_maps_of_one_state_have_one_scale_around_zero():
    reading = made_reading(["le", "chat"], (4, 6), ("h", "c"))
    reading.states[1].values[0, 0] = -7
    reading.states[2].values[:] = 0

    maps = maps_of(draw_states(reading))

    largest = float(np.abs(reading.states[0].values).max())
    assert [axes.images[0].get_clim() for axes in maps] == [(-largest, largest), (-7, 7)] * 2


def test_states_that_are_zero_have_a_scale_too():
    reading = made_reading(["le"])
    reading.states[0].values[:] = 0

    assert maps_of(draw_states(reading))[0].images[0].get_clim() == (-1, 1)


def test_an_output_that_is_no_state_has_a_map():
    reading = made_reading(["le", "chat"], (4, 4), ("c",), output=np.ones((2, 3)))

    maps = maps_of(draw_states(reading))

    assert [axes.get_title(loc="left") for axes in maps] == ["c, layer 1", "c, layer 2", "output, layer 2"]
    np.testing.assert_array_equal(maps[-1].images[0].get_array(), np.ones((3, 2)))


@pytest.mark.parametrize(
    ("tokens", "widths"),
    [
        (["ok"], (1,)),
        (list("le chat\n"), (192, 3)),
        (["Donaudampfschifffahrtsgesellschaft", "日本", "\u0301", "\x00"], (1,)),
        (["un", "deux", "trois"] * 50, (5,)),
    ],
)
def test_all_that_is_drawn_lies_inside_the_figure(tokens, widths):
    figure = draw_states(made_reading(tokens, widths))

    assert all(boxes_inside(figure))


def test_a_long_text_goes_on_below():
    tokens = [f"{number}" for number in range(500)]
    reading = made_reading(tokens, unit="character")

    figure = draw_states(reading)

    maps = maps_of(figure)
    assert [axes.images[0].get_array().shape[1] for axes in maps] == [60] * 8 + [20]
    joined = np.concatenate([axes.images[0].get_array() for axes in maps], axis=1)
    np.testing.assert_array_equal(joined, reading.states[0].values.T)
    assert [text.get_text() for axes in maps for text in axes.get_xticklabels()] == tokens
    tops = [axes.get_position().y1 for axes in maps]
    assert tops == sorted(tops, reverse=True)


def test_tokens_are_never_mathematics_and_long_words_are_turned_all_or_none():
    words = draw_states(made_reading(["$x^2$", "le"] * 30))
    characters = draw_states(made_reading(["<unk>", "l"] * 30, unit="character"))

    labels = [maps_of(figure)[-1].get_xticklabels() for figure in (words, characters)]
    assert not any(text.get_parse_math() for text in labels[0])
    assert labels[0][0].get_text() == "$x^2$"
    assert {text.get_rotation() for text in labels[0]} == {90}
    assert [text.get_rotation() for text in labels[1]] == [90, 0] * 30


def test_a_figure_is_valid_svg_with_its_values_unsmoothed():
    buffer = io.StringIO()

    draw_states(made_reading(["a<b>&", "\x00"])).savefig(buffer, format="svg")

    root = ElementTree.fromstring(buffer.getvalue())
    images = root.findall(".//{http://www.w3.org/2000/svg}image")
    assert len(images) >= 1
    assert "pixelated" in images[0].get("style")
