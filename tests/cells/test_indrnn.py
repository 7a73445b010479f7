"""What is special to the independently recurrent cells: a vector of recurrent weights, and its bound."""

import pytest
import torch
from torch.nn.utils import parametrize

from recurra.cells import IndRNNCell, IndRNNTanhCell
from recurra.errors import ArgumentError
from recurra.loop import unroll

both = pytest.mark.parametrize("cell_class", [IndRNNCell, IndRNNTanhCell])


@both
def test_a_unit_sees_no_other(cell_class):
    torch.manual_seed(0)
    cell = cell_class(2, 4, dtype=torch.float64)
    x = torch.ones(2, dtype=torch.float64)

    jacobian = torch.autograd.functional.jacobian(lambda h: cell(x, h), torch.full((4,), 0.5, dtype=torch.float64))

    assert torch.equal(jacobian, torch.diag(jacobian.diagonal()))
    assert jacobian.diagonal().any()


@both
@pytest.mark.parametrize("init", ["published", "torch", "orthogonal", "xavier_normal"])
def test_recurrent_weights_start_alike_in_every_initialisation(cell_class, init):
    torch.manual_seed(0)
    low, high = (0.0, 1.0) if cell_class is IndRNNCell else (-0.5, 0.5)

    weight = cell_class(2, 4000, init=init).weight_hh.detach()

    assert low <= weight.min() < low + 0.01
    assert high - 0.01 < weight.max() <= high
    assert float(weight.mean()) == pytest.approx((low + high) / 2, abs=0.02)


@both
def test_clamping_bounds_what_a_sequence_multiplies_to(cell_class):
    cell = cell_class(2, 4, dtype=torch.float64)
    bound = 2 ** (1 / 10)
    with torch.no_grad():
        cell.weight_hh.copy_(torch.tensor([1.5, -1.5, 1.05, -0.2], dtype=torch.float64))
    before = cell.weight_hh

    cell.clamp_weights(10)

    assert cell.weight_hh is before
    assert cell.weight_hh.tolist() == pytest.approx([bound, -bound, 1.05, -0.2], rel=1e-15)
    cell.clamp_weights(10, magnitude=1.0)
    assert cell.weight_hh.tolist() == pytest.approx([1.0, -1.0, 1.0, -0.2], rel=1e-15)


def test_a_clamped_memory_grows_by_the_magnitude_at_most():
    cell = IndRNNCell(1, 3, bias=False, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_hh.fill_(5.0)
    cell.clamp_weights(20, magnitude=3.0)

    _, last = unroll(cell, torch.zeros(20, 1, 1, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64))

    torch.testing.assert_close(last, torch.full((1, 3), 3.0, dtype=torch.float64))


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return 2 * weight

    def right_inverse(self, weight):
        return weight / 2


def test_a_parametrised_weight_is_clamped_as_it_is_used():
    cell = IndRNNCell(1, 2)
    with torch.no_grad():
        cell.weight_hh.copy_(torch.tensor([3.0, 0.25]))
    parametrize.register_parametrization(cell, "weight_hh", Doubled())

    cell.clamp_weights(1, magnitude=1.5)

    assert cell.weight_hh.tolist() == [1.5, 0.25]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "IndRNNCell.clamp_weights expected num_steps to be an integer of at least 1, got 0"),
        ((5, 0.0), "IndRNNCell.clamp_weights expected magnitude to be a number above 0, got 0.0"),
    ],
)
def test_a_bound_that_means_nothing_is_an_error(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        IndRNNCell(2, 3).clamp_weights(*arguments)


def test_after_an_update_weights_are_brought_within_the_bound_asked_for():
    bounded, free = IndRNNCell(3, 5, num_steps=10), IndRNNCell(3, 5)
    with torch.no_grad():
        bounded.weight_hh.fill_(-3.0)
        free.weight_hh.fill_(3.0)

    bounded.after_update()
    free.after_update()

    torch.testing.assert_close(bounded.weight_hh.detach(), torch.full((5,), -(2**0.1)))
    assert (free.weight_hh == 3).all()
    assert repr(bounded) == "IndRNNCell(3, 5, num_steps=10)"
