"""Phased LSTMs: the time gate, its parameters, and real times."""

import math

import pytest
import torch
from torch.nn.utils import parametrize

from recurra.cells import GatedPhasedLSTMCell, PeepholeLSTMCell, PhasedLSTMCell
from recurra.errors import ArgumentError, ShapeError
from recurra.loop import unroll

both = pytest.mark.parametrize("cell_class", [PhasedLSTMCell, GatedPhasedLSTMCell])


def build(cell_class=PhasedLSTMCell, *, period=1.0, shift=0.0, ratio=0.5, **options):
    torch.manual_seed(5)
    cell = cell_class(3, 4, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter, value in ((cell.period, period), (cell.shift, shift), (cell.open_ratio, ratio)):
            parameter.fill_(value)
    return cell


def gate(cell, time):
    """The gate of the first unit at a time."""
    return cell.time_gate(cell.phase(torch.tensor([[time]], dtype=torch.float64)))[0, 0].item()


def random_tensors(*shapes):
    torch.manual_seed(6)
    return [torch.randn(*shape, dtype=torch.float64) for shape in shapes]


@both
@pytest.mark.parametrize(("time", "wanted"), [(0.0, 0.0), (0.125, 0.5), (0.25, 1.0), (0.375, 0.5), (1.25, 1.0)])
def test_gate_opens_to_one_at_half_its_ratio_and_closes(cell_class, time, wanted):
    assert gate(build(cell_class), time) == wanted


@both
def test_gate_takes_the_shift_off_the_time(cell_class):
    cell = build(cell_class, shift=0.125)

    # the sum of time and shift, as in the released code, would give 0.5 and 1
    assert gate(cell, 0.375) == 1.0
    assert gate(cell, 0.125) == 0.0


@both
def test_phase_before_the_first_shift_is_not_negative(cell_class):
    cell = build(cell_class, shift=0.25, period=2.0)

    phase = cell.phase(torch.tensor([[0.0], [-3.0]], dtype=torch.float64))

    torch.testing.assert_close(phase[:, 0], torch.tensor([0.875, 0.375], dtype=torch.float64))


@both
def test_signs_of_period_and_ratio_do_not_matter(cell_class):
    positive, negative = build(cell_class, period=3.0), build(cell_class, period=-3.0, ratio=-0.5)

    for time in (0.1, 0.7, 1.4, 2.9):
        assert gate(positive, time) == gate(negative, time)


@both
def test_a_ratio_or_period_of_zero_gives_finite_numbers(cell_class):
    cell = build(cell_class, period=0.0, ratio=0.0)

    h, c, _ = cell(*random_tensors((2, 3)))
    (h.sum() + c.sum()).backward()

    assert h.isfinite().all()
    assert c.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in cell.parameters())


def test_closed_gate_leaks_in_training_only():
    cell = build(leak=0.01)

    assert gate(cell.train(), 0.75) == 0.01 * 0.75
    assert gate(cell.eval(), 0.75) == 0.0


def test_closed_gate_of_the_gated_form_never_leaks():
    cell = build(GatedPhasedLSTMCell)

    assert gate(cell.train(), 0.75) == 0.0


@both
def test_a_closed_unit_keeps_its_state(cell_class):
    cell = build(cell_class, shift=0.25).eval()
    x, h, c = random_tensors((2, 3), (2, 4), (2, 4))

    new_h, new_c, _ = cell(x, (h, c, torch.zeros(2, 1, dtype=torch.float64)))

    assert torch.equal(new_h, h)
    assert torch.equal(new_c, c)


def test_gate_held_at_one_gives_the_peephole_lstm():
    cell = build(ratio=1.0, shift=-0.5)
    plain = PeepholeLSTMCell(3, 4, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ch.normal_()
        cell.bias_ih.normal_()
        for name, parameter in plain.named_parameters():
            parameter.copy_(getattr(cell, name))
    x, h, c = random_tensors((6, 2, 3), (2, 4), (2, 4))

    output, last = unroll(cell, x, (h, c, torch.zeros(2, 1, dtype=torch.float64)), engine="eager")

    wanted, wanted_last = unroll(plain, x, (h, c), engine="eager")
    torch.testing.assert_close(output, wanted)
    torch.testing.assert_close(last[:2], wanted_last)


def half_open_step(cell_class):
    """One step with all gates half open, and what the same step gives with open gates."""
    x, h, c = random_tensors((2, 3), (2, 4), (2, 4))
    times = [torch.full((2, 1), time, dtype=torch.float64) for time in (0.125, 0.25)]
    cell = build(cell_class)
    if cell_class is PhasedLSTMCell:
        torch.nn.init.normal_(cell.weight_ch)
    half, full = (cell(x, (h, c, time)) for time in times)
    return h, c, half, full


def test_output_comes_from_the_ungated_cell():
    h, c, half, full = half_open_step(PhasedLSTMCell)

    torch.testing.assert_close(half[1], (c + full[1]) / 2)
    torch.testing.assert_close(half[0], (h + full[0]) / 2)


def test_output_of_the_gated_form_comes_from_the_gated_cell():
    h, c, half, full = half_open_step(GatedPhasedLSTMCell)

    torch.testing.assert_close(half[1], (c + full[1]) / 2)
    o = full[0] / full[1].tanh()
    torch.testing.assert_close(half[0], (h + o * half[1].tanh()) / 2)


@both
@pytest.mark.parametrize("engine", ["eager", "native"])
def test_regular_times_equal_no_times(cell_class, engine):
    cell = build(cell_class, period=3.3, ratio=0.9)
    (x,) = random_tensors((5, 2, 3))
    times = torch.arange(5.0, dtype=torch.float64).view(5, 1, 1).expand(5, 2, 1)

    output, last = unroll(cell, (x, times), engine=engine)

    wanted, wanted_last = unroll(cell, x, engine=engine)
    torch.testing.assert_close(output, wanted)
    torch.testing.assert_close(last, wanted_last)
    assert last[2].tolist() == [[5.0], [5.0]]


@both
def test_real_times_replace_the_counted_one(cell_class):
    cell = build(cell_class, period=3.3, ratio=0.9)
    x, h, c, time = random_tensors((2, 3), (2, 4), (2, 4), (2, 1))

    new = cell((x, time), (h, c, torch.full_like(time, 99.0)))

    torch.testing.assert_close(new, cell(x, (h, c, time)))
    torch.testing.assert_close(new[2], time + 1)


@both
@pytest.mark.parametrize("engine", ["eager", "native"])
def test_gradient_by_a_real_time_is_the_slope_of_the_gate(cell_class, engine):
    cell = build(cell_class)
    (x,) = random_tensors((1, 2, 3))
    time = torch.full((1, 2, 1), 0.125, dtype=torch.float64, requires_grad=True)

    # the candidate alone is not 0 in the first step, so c is k times what an open gate lets in
    _, (_, c, _) = unroll(cell, (x, time), engine=engine)
    c.sum().backward()

    torch.testing.assert_close(time.grad[0], (8 * c).sum(1, keepdim=True).detach())


def test_a_time_of_another_shape_is_an_error():
    with pytest.raises(ShapeError, match=r"PhasedLSTMCell expected a step of the inputs x \(3\), t \(1\) of equal"):
        build()((torch.zeros(2, 3), torch.zeros(2)))


@both
@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
def test_rhythms_start_as_published_in_every_initialisation(cell_class, init):
    torch.manual_seed(0)
    cell = cell_class(2, 400, init=init)

    logs = cell.period.detach().log()
    assert 0 <= logs.min() < 0.1
    assert 2.9 < logs.max() <= 3 + 1e-6
    assert abs(logs.mean() - 1.5) < 0.15
    part = cell.shift / cell.period
    assert 0 <= part.min() < 0.03
    assert 0.97 < part.max() <= 1
    assert abs(part.mean() - 0.5) < 0.05
    assert (cell.open_ratio == 0.05).all()


@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
def test_peepholes_start_at_zero(init):
    assert not PhasedLSTMCell(2, 3, init=init).weight_ch.any()


@both
def test_options_set_where_rhythms_start(cell_class):
    cell = cell_class(2, 50, period_range=(2.0, 5.0), open_ratio=0.3)

    assert 2 <= cell.period.min() < cell.period.max() <= 5 + 1e-5
    assert torch.equal(cell.open_ratio, torch.full_like(cell.open_ratio, 0.3))
    assert repr(cell) == f"{cell_class.__name__}(2, 50, period_range=(2.0, 5.0), open_ratio=0.3)"
    assert repr(cell_class(2, 50)) == f"{cell_class.__name__}(2, 50)"


def test_repr_names_a_leak():
    assert repr(PhasedLSTMCell(2, 3, leak=0.0)) == "PhasedLSTMCell(2, 3, leak=0.0)"


class Doubled(torch.nn.Module):
    def forward(self, value):
        return 2 * value

    def right_inverse(self, value):
        return value / 2


def test_shifts_lie_within_a_period_that_is_parametrised():
    cell = PhasedLSTMCell(2, 50)
    parametrize.register_parametrization(cell, "period", Doubled())
    with torch.no_grad():
        cell.parametrizations.period.original.fill_(1e6)

    cell.reset_parameters()

    assert (cell.shift <= cell.period).all()
    assert (cell.period <= math.exp(3) + 1e-5).all()


@both
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"open_ratio": 0.0}, "open_ratio to be a number above 0 and of at most 1, got 0.0"),
        ({"open_ratio": 1.5}, "open_ratio to be a number above 0 and of at most 1, got 1.5"),
        ({"period_range": 3.0}, "period_range to be two numbers, shortest and longest, got 3.0"),
        ({"period_range": (1.0,)}, r"period_range to be two numbers, shortest and longest, got \(1.0,\)"),
        ({"period_range": (0.0, 2.0)}, r"period_range\[0\] to be a number above 0, got 0.0"),
        ({"period_range": (2.0, 1.0)}, r"period_range\[1\] to be a number of at least 2, got 1.0"),
    ],
)
def test_a_rhythm_outside_its_range_is_an_error(cell_class, options, message):
    with pytest.raises(ArgumentError, match=f"^{cell_class.__name__} expected {message}"):
        cell_class(3, 4, **options)


@pytest.mark.parametrize("leak", [-0.1, 1.0, "no"])
def test_a_leak_outside_its_range_is_an_error(leak):
    message = f"PhasedLSTMCell expected leak to be a number of at least 0 and below 1, got {leak!r}"
    with pytest.raises(ArgumentError, match=message):
        PhasedLSTMCell(3, 4, leak=leak)
