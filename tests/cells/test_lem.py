"""Long expressive memory: which update reads what, the option, and the start."""

import math

import pytest
import torch

from recurra.cells import LEMCell
from recurra.errors import ArgumentError

BLOCKS = {"d1": slice(0, 2), "d2": slice(2, 4), "zn": slice(4, 6), "yn": slice(6, 8)}


def build(biases, **options):
    """A cell with no weights but those given: biases by gate."""
    cell = LEMCell(3, 2, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        for gate, value in biases.items():
            cell.bias_ih[BLOCKS[gate]] = value
    return cell


def step(cell, y, z):
    """One step from states that are the same number in each unit, and the same numbers of the new ones."""
    states = tuple(torch.full((1, 2), value, dtype=torch.float64) for value in (y, z))
    new_y, new_z = cell(torch.zeros(1, 3, dtype=torch.float64), states)
    return new_y[0, 0].item(), new_z[0, 0].item()


def test_y_reads_the_new_z():
    cell = build({"zn": 1.0})
    torch.nn.init.eye_(cell.weight_zy)

    y, z = step(cell, 0.0, 0.0)

    assert z == pytest.approx(0.5 * math.tanh(1.0))
    assert y == pytest.approx(0.5 * math.tanh(z))


def test_z_moves_by_the_first_step_size_and_y_by_the_second():
    slow_z = build({"d1": -50.0, "d2": 50.0, "zn": 1.0, "yn": 2.0})
    slow_y = build({"d1": 50.0, "d2": -50.0, "zn": 1.0, "yn": 2.0})

    assert step(slow_z, 0.25, 0.5) == pytest.approx((math.tanh(2.0), 0.5))
    assert step(slow_y, 0.25, 0.5) == pytest.approx((0.25, math.tanh(1.0)))


def test_the_time_step_scales_both():
    cell = build({"d1": 50.0, "d2": 50.0, "zn": 1.0, "yn": 2.0}, time_step=0.25)

    assert step(cell, 0.5, 0.5) == pytest.approx(
        (0.75 * 0.5 + 0.25 * math.tanh(2.0), 0.75 * 0.5 + 0.25 * math.tanh(1.0))
    )


def test_all_parameters_start_within_the_bound_of_the_hidden_size():
    torch.manual_seed(0)
    cell = LEMCell(90, 25)

    for name, parameter in cell.named_parameters():
        assert 0.18 < parameter.abs().max() <= 0.2, name


@pytest.mark.parametrize("time_step", [0.0, 1.5])
def test_a_time_step_outside_its_range_is_an_error(time_step):
    message = f"LEMCell expected time_step to be a number above 0 and of at most 1, got {time_step}"
    with pytest.raises(ArgumentError, match=message):
        LEMCell(3, 4, time_step=time_step)
