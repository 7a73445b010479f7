"""The pictures of gates: what they show is what was computed."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from recurra.cells import find_cell
from recurra.errors import ArgumentError
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.figures import UNIT_COLORS, figure_svg
from recurra.inspection.gates.curve_figure import draw_response_curves, response_curves_text
from recurra.inspection.gates.curves import gate_curves


def build(name, input_size=3, hidden_size=4):
    torch.manual_seed(3)
    cell = find_cell(name)(input_size, hidden_size)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.uniform_(-1.0, 1.0)
    return cell, record_step(cell)


def panels(figure, columns):
    return np.array(figure.axes).reshape(-1, columns)


def test_panels_show_the_curves_and_the_biases():
    cell, step = build("peephole-lstm")

    rows = panels(draw_response_curves(cell, step, num_units=2), 4)

    assert len(rows) == 4
    for row, gate in zip(rows, gate_curves(cell, step, num_units=2), strict=True):
        form, *dots = [line for line in row[0].lines if len(line.get_xdata()) != 2]
        np.testing.assert_array_equal(form.get_ydata(), gate.values[0])
        assert [dot.get_xdata()[0] for dot in dots] == gate.rest.tolist()
        for axes, sweep in zip(row[1:], gate.sweeps, strict=False):
            curves = [line for line in axes.lines if len(line.get_xdata()) == len(sweep.at)]
            assert [to_hex(line.get_color()) for line in curves] == list(UNIT_COLORS[:2])
            np.testing.assert_array_equal([line.get_ydata() for line in curves], sweep.values)


def test_panels_say_what_they_are():
    cell, step = build("mut1")

    rows = panels(draw_response_curves(cell, step), 3)

    assert [text.get_text() for text in rows[0, 2].texts] == ["$z_{t}$ does not see $h_{t-1}$"]
    assert rows[2, 0].get_title("left") == r"$n_{t} = \tanh(a)$, candidate"
    assert [axes.get_xlabel() for axes in rows[-1, 1:]] == [
        "first entry of $x_{t}$, all else 0",
        "own entry of $h_{t-1}$, all else 0",
    ]


def test_an_equation_that_figures_cannot_set_stands_in_plain_text():
    class LeakyGateCell(torch.nn.Module):
        input_size = 2

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2, 2))

        def forward(self, x, h=None):
            h = x.new_zeros(len(x), 2) if h is None else h
            k = torch.sigmoid(torch.where(h > 0, x @ self.weight.t(), h))
            return k * h

    cell = LeakyGateCell()

    (axes, *_) = draw_response_curves(cell, record_step(cell)).axes

    assert " if " in axes.get_xlabel()


@pytest.mark.parametrize("name", ["elman", "fastgrnn"])
def test_every_picture_can_be_written(name):
    cell, step = build(name, input_size=1, hidden_size=1)

    assert figure_svg(draw_response_curves(cell, step), "gates").startswith("<svg ")


@pytest.mark.parametrize(("name", "num_units"), [("elman", 8), ("gru", 8), ("mut1", 1)])
def test_the_whole_legend_lies_inside_the_figure(name, num_units):
    cell, step = build(name, hidden_size=8)
    with torch.no_grad():
        cell.weight_ih[1] = torch.nan

    figure = draw_response_curves(cell, step, num_units=num_units)

    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, page = legend.get_window_extent(), figure.bbox
    assert len(legend.get_texts()) == num_units + 1
    assert page.x0 <= box.x0 <= box.x1 <= page.x1
    assert page.y0 <= box.y0 <= box.y1 <= page.y1
    assert all(box.y1 <= axes.get_window_extent().y0 for axes in figure.axes)


@pytest.mark.parametrize(("num_units", "num_columns"), [(3, 4), (8, 5)])
def test_a_legend_has_one_line_or_even_ones(num_units, num_columns):
    cell, step = build("gru", hidden_size=8)

    (legend,) = draw_response_curves(cell, step, num_units=num_units).legends

    assert legend._ncols == num_columns  # matplotlib tells it by no other name


def test_a_cell_without_gates_is_not_said_to_have_some():
    (cell, step), gated = build("elman"), build("gru")

    figure = draw_response_curves(cell, step)

    assert figure.get_suptitle() == "ElmanCell: how it answers"
    assert figure.axes[0].get_title("left") == r"$h_{t} = \tanh(z)$, state"
    assert draw_response_curves(*gated).get_suptitle() == "GRUCell: how its gates answer"


def test_units_that_are_not_finite_are_named():
    cell, step = build("gru")
    with torch.no_grad():
        cell.bias_ih[1] = torch.nan
        cell.weight_ih[4 + 2] = torch.inf

    *_, note = response_curves_text(cell, step, num_units=4)
    (legend,) = draw_response_curves(cell, step, num_units=4).legends

    assert note == "not finite, and so not drawn: units 2, 3"
    words = [text.get_text() for text in legend.get_texts()]
    assert words[:4] == ["unit 1", "unit 2: not finite, not drawn", "unit 3: not finite, not drawn", "unit 4"]


def test_text_marks_units_at_their_biases():
    cell, step = build("elman")
    with torch.no_grad():
        cell.bias_ih[:] = torch.tensor([-6.0, 0.0, 6.0, 0.0])
        cell.bias_hh.zero_()

    title, _, top, *middle, bottom, _, axis, _, legend = response_curves_text(cell, step, width=65)

    assert title == "hₜ = tanh(z)   (state)"
    # the preactivation goes from -7 to 7 over 61 columns
    assert (top[:4], top[4 + 56]) == (" 1 ┤", "3")
    assert (bottom[:4], bottom[4 + 4]) == ("-1 ┤", "1")
    assert any("2" in line for line in middle)
    assert axis.split() == ["-7", "0", "7"]
    assert legend.startswith("numbers: units")


def test_text_keeps_to_its_width():
    cell, step = build("gru")

    lines = list(response_curves_text(cell, step, width=90))

    assert max(map(len, lines)) <= 90


@pytest.mark.parametrize(
    "draw", [draw_response_curves, lambda *args, **options: list(response_curves_text(*args, **options))]
)
def test_too_many_units_are_an_error(draw):
    with pytest.raises(ArgumentError, match="expected num_units to be at most 8, got 9"):
        draw(*build("gru"), num_units=9)
