"""Time gates as measured on a cell, against the formula of the paper in plain Python."""

import math

import numpy as np
import pytest
import torch

from recurra.cells import GatedPhasedLSTMCell, LSTMCell, PhasedLSTMCell
from recurra.errors import ArgumentError
from recurra.inspection.gates.time_gates import gates_at, gates_by_step, read_rhythms, time_gates_text

both = pytest.mark.parametrize("cell_class", [PhasedLSTMCell, GatedPhasedLSTMCell])


def build(
    cell_class=PhasedLSTMCell, *, periods=(4.0, 7.3, 1.7), shifts=(1.0, 0.0, -0.4), ratios=(0.5, 0.05, 1.0), **options
):
    torch.manual_seed(2)
    cell = cell_class(2, len(periods), **options)
    with torch.no_grad():
        for parameter, values in ((cell.period, periods), (cell.shift, shifts), (cell.open_ratio, ratios)):
            parameter.copy_(torch.tensor(values))
    return cell


def wanted_gate(time, period, shift, ratio, leak):
    phase = ((time - shift) / period) % 1.0
    if phase < ratio / 2:
        return 2 * phase / ratio
    return 2 - 2 * phase / ratio if phase < ratio else leak * phase


def wanted_gates(cell, times, leak):
    # the parameters are rounded to float32
    units = [parameter.tolist() for parameter in (cell.period, cell.shift, cell.open_ratio)]
    return np.array([[wanted_gate(time, *unit, leak) for unit in zip(*units, strict=True)] for time in times])


@both
def test_gates_at_real_times_are_those_of_the_paper(cell_class):
    cell = build(cell_class)
    times = np.random.default_rng(1).uniform(-5, 40, 300)

    found = gates_at(cell, times)

    leak = 0.001 if cell_class is PhasedLSTMCell else 0.0
    np.testing.assert_allclose(found, wanted_gates(cell, times, leak), atol=1e-12)


@both
def test_gates_by_step_are_those_at_whole_times(cell_class):
    cell = build(cell_class)

    found = gates_by_step(cell, 25)

    np.testing.assert_allclose(found, gates_at(cell, np.arange(25.0)), atol=1e-12)


def test_closed_gates_do_not_leak_in_evaluation():
    cell = build(leak=0.5)
    closed = np.array([4.9])

    in_training, in_evaluation = gates_at(cell, closed), gates_at(cell.eval(), closed)

    assert in_training[0, 0] == pytest.approx(0.5 * 3.9 / 4)
    assert in_evaluation[0, 0] == 0


def test_the_cell_is_left_as_it_is():
    cell = build()
    before = {name: tensor.clone() for name, tensor in cell.state_dict().items()}

    gates_by_step(cell, 3)

    assert cell.training
    assert cell.period.dtype == torch.float32
    assert all(torch.equal(tensor, before[name]) for name, tensor in cell.state_dict().items())


def test_rhythms_count_sizes_and_bring_shifts_into_the_first_period():
    cell = build(periods=(-4.0, 5.0), shifts=(9.0, -1.0), ratios=(-0.5, 0.25))

    rhythms = read_rhythms(cell)

    assert rhythms.periods.tolist() == [4, 5]
    assert rhythms.shifts.tolist() == [1, 4]
    assert rhythms.open_ratios.tolist() == [0.5, 0.25]
    assert rhythms.describe(0) == "τ = 4, s = 1, r = 0.5"


def test_more_times_than_one_batch_takes_give_all_gates():
    cell = build()
    times = np.linspace(0.0, 10.0, 5000)

    found = gates_at(cell, times)

    np.testing.assert_array_equal(found[4500:], gates_at(cell, times[4500:]))


def test_a_cell_without_time_gate_is_an_error():
    with pytest.raises(ArgumentError, match="got LSTMCell, which has no period, shift, open_ratio") as caught:
        gates_by_step(LSTMCell(2, 3), 5)

    assert "phased-lstm" in caught.value.hint


def test_rhythms_are_those_that_the_cell_steps_by():
    cell = build(periods=(0.0, 2.0), shifts=(0.0, 0.0), ratios=(0.5, 0.0))

    rhythms = read_rhythms(cell)

    assert rhythms.periods == pytest.approx([1e-6, 2.0])
    assert rhythms.open_ratios == pytest.approx([0.5, 1e-6])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("period", torch.nan, "expected finite periods above 0, got nan for unit 2"),
        ("shift", torch.inf, "expected finite shifts, got inf for unit 2"),
        ("open_ratio", torch.nan, "expected finite open ratios above 0, got nan for unit 2"),
    ],
)
def test_a_rhythm_that_is_not_finite_is_an_error(name, value, message):
    cell = build()
    with torch.no_grad():
        getattr(cell, name)[1] = value

    with pytest.raises(ArgumentError, match=message):
        read_rhythms(cell)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("period", 0.0, "expected finite periods above 0, got 0 for unit 2"),
        ("period", -3.0, "expected finite periods above 0, got -3 for unit 2"),
        ("open_ratio", -0.5, "expected finite open ratios above 0, got -0.5 for unit 2"),
    ],
)
def test_of_a_cell_that_tells_no_rhythm_the_parameters_are_taken_as_they_are(name, value, message):
    cell = Ungated()
    with torch.no_grad():
        getattr(cell, name)[1] = value

    with pytest.raises(ArgumentError, match=message):
        read_rhythms(cell)


class Ungated(torch.nn.Module):
    """Has a rhythm by name, and keeps twice its past."""

    input_size, inputs = 2, ("x",)

    def __init__(self):
        super().__init__()
        for name in ("period", "shift", "open_ratio"):
            setattr(self, name, torch.nn.Parameter(torch.ones(3)))

    def forward(self, x, h=None):
        return (torch.zeros(len(x), 3, dtype=x.dtype) if h is None else -h) + x.sum(1, keepdim=True) * self.period


def test_an_output_that_no_gate_keeps_is_an_error():
    with pytest.raises(ArgumentError, match="expected the output of Ungated to be a mean of its past and what is new"):
        gates_by_step(Ungated(), 2)


def test_real_times_need_a_cell_that_takes_them():
    with pytest.raises(ArgumentError, match=r"expected a cell whose step takes \(x, time\), got Ungated"):
        gates_at(Ungated(), np.arange(3.0))


@pytest.mark.parametrize(
    ("num_steps", "message"),
    [(0, "num_steps to be an integer of at least 1, got 0"), (10_001, "num_steps to be at most 10000, got 10001")],
)
def test_steps_out_of_range_are_an_error(num_steps, message):
    with pytest.raises(ArgumentError, match=message):
        gates_by_step(build(), num_steps)


def test_text_shows_one_strip_a_unit_with_its_rhythm():
    cell = build(periods=(4.0, 8.0), shifts=(0.0, 2.0), ratios=(1.0, 0.5)).eval()

    *_, first, second = time_gates_text(cell, num_steps=8, width=80)

    assert first == "unit 1   │ ▄█▄ ▄█▄│ τ = 4, s = 0, r = 1"
    assert second == "unit 2   │   ▄█▄  │ τ = 8, s = 2, r = 0.5"


@pytest.mark.parametrize("width", [60, 100])
def test_text_keeps_to_its_width_and_shows_the_widest_opening(width):
    cell = build(periods=(500.0,), shifts=(250.0,), ratios=(0.004,)).eval()

    lines = list(time_gates_text(cell, num_steps=1000, width=width))

    assert max(map(len, lines)) <= width
    assert lines[-1].count("█") == 2
    assert math.isclose(lines[-1].index("█"), 10 + (lines[-1].rindex("│") - 10) / 4, abs_tol=1)
