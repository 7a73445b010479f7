"""The picture of time gates: curves, dots and marks are those of the cell."""

import numpy as np
import pytest
import torch

from recurra.cells import LSTMCell, PhasedLSTMCell
from recurra.errors import ArgumentError
from recurra.inspection.gates.time_gate_figure import draw_time_gates
from recurra.inspection.gates.time_gates import gates_at, gates_by_step


def build(*, periods=(8.0, 5.0), shifts=(2.0, 0.5), ratios=(0.25, 0.5), **options):
    torch.manual_seed(0)
    cell = PhasedLSTMCell(2, len(periods), dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter, values in ((cell.period, periods), (cell.shift, shifts), (cell.open_ratio, ratios)):
            parameter.copy_(torch.tensor(values))
    return cell


def test_curve_of_the_first_unit_reaches_1_and_0_and_is_the_cells():
    cell = build().eval()

    curve, dots = draw_time_gates(cell).axes[0].lines[:2]

    times, values = curve.get_data()
    np.testing.assert_allclose(values, gates_at(cell, times)[:, 0])
    assert values[np.isclose(times, 3.0)].max() == 1.0
    np.testing.assert_allclose(dots.get_ydata(), gates_by_step(cell, 21)[:, 0])


def test_shift_period_and_open_part_are_marked_at_their_places():
    axes = draw_time_gates(build()).axes[0]

    arrows = [(note.xyann[0], note.xy[0]) for note in axes.texts if hasattr(note, "xyann")]
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert arrows == [(0.0, 2.0), (2.0, 10.0), (10.0, 12.0)]
    assert words == [
        "shift $s$ = 2",
        r"period $\tau$ = 8",
        r"open ratio $r$ = 0.25: open for $r\tau$ = 2",
    ]


def test_leak_is_magnified_in_training_and_not_there_in_evaluation():
    cell = build(leak=0.004)

    in_training, in_evaluation = draw_time_gates(cell).axes, draw_time_gates(cell.eval()).axes

    assert (len(in_training), len(in_evaluation)) == (3, 2)
    assert in_training[1].get_title("left") == "magnified: a closed gate leaks, up to 0.004 at the end of a period"
    assert in_training[1].get_ylim()[1] < 0.01


def test_an_open_ratio_above_1_is_said_to_be_one_and_fills_the_period():
    axes = draw_time_gates(build(ratios=(3.5, 0.5))).axes[0]

    arrows = [(note.xyann[0], note.xy[0]) for note in axes.texts if hasattr(note, "xyann")]
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert arrows[-1] == (10.0, 18.0)
    assert words[-1] == "open ratio $r$ = 3.5: never closed"


def test_a_gate_that_never_closes_has_no_leak_to_show():
    assert len(draw_time_gates(build(ratios=(1.0, 0.5))).axes) == 2


def test_units_below_have_their_names_and_rhythms():
    axes = draw_time_gates(build(), num_steps=12).axes[-1]

    assert [label.get_text() for label in axes.get_yticklabels()] == ["unit 1", "unit 2"]
    assert [text.get_text() for text in axes.texts] == ["τ = 8, s = 2, r = 0.25", "τ = 5, s = 0.5, r = 0.5"]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots[0].get_ydata(), gates_by_step(build(), 12)[:, 0])


def test_only_the_units_asked_for_are_drawn():
    axes = draw_time_gates(build(), num_units=1).axes[-1]

    assert len(axes.get_yticklabels()) == 1


def test_many_short_periods_are_drawn_in_little_time():
    cell = build(periods=(0.01, 5.0), shifts=(0.0, 0.0))

    times = draw_time_gates(cell, num_steps=200).axes[-1].lines[1].get_xdata()

    assert len(times) < 5000


class StepwiseCell(torch.nn.Module):
    """A user's cell that counts its steps, and takes no times."""

    input_size = 1

    def __init__(self):
        super().__init__()
        self.period = torch.nn.Parameter(torch.tensor([4.0, 2.0]))
        self.shift = torch.nn.Parameter(torch.zeros(2))
        self.open_ratio = torch.nn.Parameter(torch.tensor([0.5, 0.5]))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 2, dtype=self.period.dtype), torch.zeros(batch_size, 1, dtype=self.period.dtype)

    def forward(self, x, state):
        h, count = state
        phase = torch.remainder((count - self.shift) / self.period, 1)
        k = (phase < self.open_ratio).to(h.dtype)
        return k * torch.tanh(x) + (1 - k) * h, count + 1


def test_a_cell_that_takes_no_times_has_dots_alone():
    (axes,) = draw_time_gates(StepwiseCell(), num_steps=8).axes

    first, second = (line.get_ydata() for line in axes.lines if line.get_marker() == "o")
    assert first.tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    np.testing.assert_allclose(second, np.array([1, 0] * 4) - 1.35)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_units": 25}, "draw_time_gates expected num_units to be at most 24, got 25"),
        ({"num_steps": 10_001}, "draw_time_gates expected num_steps to be at most 10000, got 10001"),
    ],
)
def test_numbers_out_of_range_are_an_error(options, message):
    with pytest.raises(ArgumentError, match=message):
        draw_time_gates(build(), **options)


def test_a_cell_without_time_gate_is_an_error():
    with pytest.raises(ArgumentError, match="got LSTMCell, which has no period"):
        draw_time_gates(LSTMCell(2, 3))
