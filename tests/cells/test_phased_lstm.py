"""Phased LSTMs: the time gate, its parameters, real times, and phases carried through long streams."""

import math

import pytest
import torch
from torch.nn.utils import parametrize

from recurra.cells import GatedPhasedLSTMCell, PeepholeLSTMCell, PhasedLSTMCell
from recurra.errors import ArgumentError, ShapeError
from recurra.loop import unroll
from tests.loop.native.comparing import check_against_eager

both = pytest.mark.parametrize("cell_class", [PhasedLSTMCell, GatedPhasedLSTMCell])


def build(cell_class=PhasedLSTMCell, *, period=1.0, shift=0.0, ratio=0.5, **options):
    torch.manual_seed(5)
    cell = cell_class(3, 4, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter, value in ((cell.period, period), (cell.shift, shift), (cell.open_ratio, ratio)):
            parameter.fill_(value)
    return cell


def gate(cell, time):
    """The gate of the first unit at a time: the part of what is new that a step from zeros lets into c."""
    (x,) = random_tensors((1, 3))
    i, _, g, _ = cell.from_input(x)
    _, c, _ = cell((x, torch.tensor([[time]], dtype=torch.float64)))
    return (c / (i.sigmoid() * g.tanh()))[0, 0].item()


def random_tensors(*shapes):
    torch.manual_seed(6)
    return [torch.randn(*shape, dtype=torch.float64) for shape in shapes]


@both
@pytest.mark.parametrize(("time", "wanted"), [(0.0, 0.0), (0.125, 0.5), (0.25, 1.0), (0.375, 0.5), (1.25, 1.0)])
def test_gate_opens_to_one_at_half_its_ratio_and_closes(cell_class, time, wanted):
    assert gate(build(cell_class), time) == pytest.approx(wanted, abs=1e-14)


@both
def test_gate_takes_the_shift_off_the_time(cell_class):
    cell = build(cell_class, shift=0.125)

    # the sum of time and shift, as in the released code, would give 0.5 and 1
    assert gate(cell, 0.375) == pytest.approx(1.0)
    assert gate(cell, 0.125) == 0.0


@both
@pytest.mark.parametrize(("time", "wanted"), [(0.0, 0.25), (-3.0, 0.75)])
def test_units_have_their_rhythm_before_the_first_shift_too(cell_class, time, wanted):
    cell = build(cell_class, shift=0.25, period=2.0, ratio=1.0)

    # 7/8 and 3/8 of the period have passed
    assert gate(cell, time) == pytest.approx(wanted)


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

    assert gate(cell.train(), 0.75) == pytest.approx(0.01 * 0.75)
    assert gate(cell.eval(), 0.75) == 0.0


def test_closed_gate_of_the_gated_form_never_leaks():
    cell = build(GatedPhasedLSTMCell)

    assert gate(cell.train(), 0.75) == 0.0


@both
def test_a_closed_unit_keeps_its_state(cell_class):
    cell = build(cell_class, shift=0.25).eval()
    x, h, c = random_tensors((2, 3), (2, 4), (2, 4))

    new_h, new_c, _ = cell(x, (h, c, torch.zeros(2, 4, dtype=torch.float64)))

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

    output, last = unroll(cell, x, (h, c, torch.zeros(2, 4, dtype=torch.float64)), engine="eager")

    wanted, wanted_last = unroll(plain, x, (h, c), engine="eager")
    torch.testing.assert_close(output, wanted)
    torch.testing.assert_close(last[:2], wanted_last)


def half_open_step(cell_class):
    """One step with all gates half open, and what the same step gives with open gates."""
    x, h, c = random_tensors((2, 3), (2, 4), (2, 4))
    phases = [torch.full((2, 4), psi, dtype=torch.float64) for psi in (0.125, 0.25)]
    cell = build(cell_class)
    if cell_class is PhasedLSTMCell:
        torch.nn.init.normal_(cell.weight_ch)
    half, full = (cell(x, (h, c, psi)) for psi in phases)
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


def circular(difference):
    """The way from one phase to another, in [-0.5, 0.5)."""
    return (difference + 0.5) % 1 - 0.5


def regular_times(count, start=0.0):
    return (start + torch.arange(count, dtype=torch.float64)).view(count, 1, 1).expand(count, 2, 1)


def random_rhythms(cell_class, **options):
    """A cell whose units are open for most of periods of their own."""
    cell = build(cell_class, ratio=0.9, **options)
    with torch.no_grad():
        cell.period.copy_(torch.tensor([1.3, 2.7, 3.3, 11.9]))
        cell.shift.copy_(torch.tensor([0.2, 1.9, -0.7, 5.0]))
    return cell


@both
def test_regular_times_equal_no_times(cell_class):
    cell = random_rhythms(cell_class)
    (x,) = random_tensors((40, 2, 3))

    output, last = unroll(cell, (x, regular_times(40)), engine="eager")

    wanted, wanted_last = unroll(cell, x, engine="eager")
    close = {"rtol": 1e-11, "atol": 1e-12}
    torch.testing.assert_close(output, wanted, **close)
    torch.testing.assert_close(last, wanted_last, **close)
    torch.testing.assert_close(last[2], (40 / cell.period % 1).expand(2, 4), **close)


@both
def test_steps_without_times_go_on_from_the_last_time(cell_class):
    cell = random_rhythms(cell_class)
    (x,) = random_tensors((9, 2, 3))

    _, middle = unroll(cell, (x[:4], regular_times(4)), engine="eager")
    output, last = unroll(cell, x[4:], middle, engine="eager")

    wanted, wanted_last = unroll(cell, x, engine="eager")
    torch.testing.assert_close(output, wanted[4:])
    torch.testing.assert_close(last, wanted_last)


@both
def test_reset_returns_to_time_zero(cell_class):
    cell = random_rhythms(cell_class)
    (x,) = random_tensors((9, 2, 3))
    reset = torch.zeros(9, 2, dtype=torch.bool)
    reset[5, 1] = True

    output, last = unroll(cell, x, reset=reset, engine="eager")

    wanted, wanted_last = unroll(cell, x[5:], engine="eager")
    torch.testing.assert_close(output[5:, 1], wanted[:, 1])
    torch.testing.assert_close(last[2][1], wanted_last[2][1])
    torch.testing.assert_close(last[2][0], 9 / cell.period % 1)


@both
def test_real_times_replace_the_counted_one(cell_class):
    cell = random_rhythms(cell_class)
    x, h, c, time = random_tensors((2, 3), (2, 4), (2, 4), (2, 1))

    new = cell((x, time), (h, c, torch.full_like(h, 0.99)))

    torch.testing.assert_close(new, cell(x, (h, c, time / cell.period % 1)))
    torch.testing.assert_close(new[2], (time + 1) / cell.period % 1)


@both
def test_phase_at_a_late_time_loses_no_digits(cell_class):
    cell = random_rhythms(cell_class).float()
    time = torch.tensor([[1e6], [12_345_678.0]])

    psi = cell((torch.zeros(2, 3), time))[2]

    wanted = (time.double() + 1) / cell.period.detach().double() % 1
    assert circular(psi - wanted).abs().max() < 3e-7


@both
def test_native_equals_eager_at_irregular_times(cell_class):
    cell = random_rhythms(cell_class)
    x, gaps = random_tensors((7, 2, 3), (7, 2, 1))
    times = gaps.abs().cumsum(0)

    check_against_eager(cell, (x.requires_grad_(), times.requires_grad_()))


@both
def test_gradient_by_a_real_time_is_the_slope_of_the_gate(cell_class):
    cell = build(cell_class)
    (x,) = random_tensors((1, 2, 3))
    time = torch.full((1, 2, 1), 0.125, dtype=torch.float64, requires_grad=True)

    # the candidate alone is not 0 in the first step, so c is k times what an open gate lets in
    _, (_, c, _) = unroll(cell, (x, time), engine="eager")
    c.sum().backward()

    torch.testing.assert_close(time.grad[0], (8 * c).sum(1, keepdim=True).detach())


@both
def test_gradient_by_the_period_at_a_real_time_is_the_true_one(cell_class):
    cell = build(cell_class, period=2.0, shift=0.75)
    (x,) = random_tensors((1, 2, 3))
    time = torch.full((1, 2, 1), 7.0, dtype=torch.float64)

    # (7 - 0.75) / 2 is 3 periods and an eighth, where the gate is half open and rises by 4 a period
    _, (_, c, _) = unroll(cell, (x, time), engine="eager")
    c.sum().backward()

    slope = (8 * c).sum(0).detach()
    torch.testing.assert_close(cell.period.grad, -slope * (7 - 0.75) / 4)
    torch.testing.assert_close(cell.shift.grad, -slope / 2)


@both
def test_period_and_shift_get_gradients_in_a_later_window(cell_class):
    cell = build(cell_class, period=2.0, shift=0.75)
    (x,) = random_tensors((1, 2, 3))
    zeros = torch.zeros(2, 4, dtype=torch.float64)

    # the phase after a window that is cut off; less the shift it is an eighth, as at time 1
    _, (_, c, _) = unroll(cell, x, (zeros, zeros, zeros + 0.5), engine="eager")
    c.sum().backward()

    slope = (8 * c).sum(0).detach()
    torch.testing.assert_close(cell.period.grad, slope * 0.75 / 4)
    torch.testing.assert_close(cell.shift.grad, -slope / 2)


@both
def test_gradient_of_the_carried_phase_counts_the_steps_of_its_window(cell_class):
    cell = build(cell_class, period=2.3)
    (x,) = random_tensors((3, 2, 3))
    zeros = torch.zeros(2, 4, dtype=torch.float64)

    _, (_, _, psi) = unroll(cell, x, (zeros, zeros, zeros + 0.4), engine="eager")
    psi.sum().backward()

    torch.testing.assert_close(cell.period.grad, torch.full_like(cell.period, -2 * 3 / 2.3**2))


def carry_phases(cell, num_steps, num_windows, engine):
    """Run a stream in windows, each from the state of the one before; return the last two phases."""
    x = cell.weight_ih.new_zeros(num_steps // num_windows, 1, cell.input_size)
    _, state = unroll(cell, x[:-1], engine=engine)
    for _ in range(num_windows - 1):
        _, state = unroll(cell, x, state, engine=engine)
    return state[2], cell(x[0], state)[2]


@both
def test_a_stream_of_a_million_steps_keeps_its_phase_in_single_precision(cell_class):
    torch.manual_seed(2)
    cell, num_steps = cell_class(1, 8), 1_000_000
    with torch.no_grad():
        before, last = carry_phases(cell, num_steps, 10, "native")

    rate = 1 / cell.period.detach().double()
    # a step rounds a number below 2 and adds a rounded rate
    drift = circular(last - num_steps * rate).abs()
    assert (drift <= num_steps * 2**-24 * (1 + rate)).all()
    torch.testing.assert_close(circular(last - before - rate), torch.zeros(1, 8).double(), rtol=0, atol=2e-7)


@both
def test_phases_do_not_stop_in_bfloat16(cell_class):
    torch.manual_seed(2)
    cell = cell_class(1, 8, period_range=(2.0, 20.0), dtype=torch.bfloat16)
    with torch.no_grad():
        before, last = carry_phases(cell, 600, 2, "eager")

    moved = circular(last.double() - before.double() - 1 / cell.period.detach().double())
    # a number below 2 is rounded to 1/128, which is less than a step of 1/20
    assert (moved.abs() <= 1.5 / 256).all()


def test_a_time_of_another_shape_is_an_error():
    with pytest.raises(ShapeError, match=r"PhasedLSTMCell expected a step of the inputs x \(3\), time \(1\) of equal"):
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
