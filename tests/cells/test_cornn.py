"""Coupled oscillators: the order of the two updates, options, and the start."""

import math

import pytest
import torch

from recurra.cells import CoRNNCell
from recurra.errors import ArgumentError


def silent(**options):
    """A cell without any weights: oscillators that nothing drives."""
    cell = CoRNNCell(3, 2, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
    return cell


def test_position_moves_with_the_new_velocity_and_damping_acts_on_the_old():
    cell = silent(time_step=0.5, stiffness=2.0, damping=1.0)
    h = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    z = torch.tensor([[4.0, 0.0]], dtype=torch.float64)

    new_h, new_z = cell(torch.zeros(1, 3, dtype=torch.float64), (h, z))

    assert new_z.tolist() == [[4 + 0.5 * (-2 - 4), 0.5 * 4]]
    assert new_h.tolist() == [[1 + 0.5 * 1, -2 + 0.5 * 2]]


def test_each_matrix_acts_on_its_own_state():
    cell = silent(time_step=1.0, stiffness=0.0, damping=0.0)
    with torch.no_grad():
        cell.weight_hh.copy_(torch.eye(2))
        cell.weight_zh.copy_(10 * torch.eye(2))
    h, z = torch.tensor([[0.1, 0.2]]).double(), torch.tensor([[0.03, -0.05]]).double()

    _, new_z = cell(torch.zeros(1, 3, dtype=torch.float64), (h, z))

    torch.testing.assert_close(new_z, z + torch.tanh(h + 10 * z))


def test_all_parameters_start_within_the_bound_of_the_joint_map():
    torch.manual_seed(0)
    cell = CoRNNCell(20, 40)

    bound = 1 / math.sqrt(20 + 2 * 40)
    for name, parameter in cell.named_parameters():
        assert 0.8 * bound < parameter.abs().max() <= bound, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_step": 0.0}, "time_step to be a number above 0, got 0.0"),
        ({"stiffness": -1.0}, "stiffness to be a number of at least 0, got -1.0"),
        ({"damping": math.inf}, "damping to be a number of at least 0, got inf"),
    ],
)
def test_an_option_outside_its_range_is_an_error(options, message):
    with pytest.raises(ArgumentError, match=f"^CoRNNCell expected {message}"):
        CoRNNCell(3, 4, **options)
