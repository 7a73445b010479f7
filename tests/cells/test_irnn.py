"""The start as the identity, and what follows from it."""

import pytest
import torch

from recurra.cells import ElmanReLUCell, IRNNCell
from recurra.errors import ArgumentError


def test_the_published_start_is_the_identity_with_small_input_weights():
    torch.manual_seed(0)
    cell = IRNNCell(200, 100)

    assert torch.equal(cell.weight_hh, torch.eye(100))
    assert float(cell.weight_ih.detach().std()) == pytest.approx(0.001, rel=0.02)
    assert abs(float(cell.weight_ih.detach().mean())) < 1e-4
    assert not cell.bias_ih.any()


def test_the_identity_is_scaled():
    cell = IRNNCell(3, 5, scale=0.01)

    assert torch.equal(cell.weight_hh, 0.01 * torch.eye(5))


def test_another_initialisation_is_not_the_identity():
    cell = IRNNCell(3, 5, init="orthogonal", scale=0.01)

    assert float(cell.weight_hh.detach().norm()) == pytest.approx(5**0.5)


def test_a_positive_state_lasts_without_input():
    cell = IRNNCell(3, 5)
    h = torch.tensor([[0.5, 1.0, 7.0, 0.0, 100.0]])  # beyond what tanh could hold

    assert torch.equal(cell(torch.zeros(1, 3), h), h)


def test_a_negative_sum_gives_zero():
    cell = IRNNCell(3, 5)

    assert not cell(torch.zeros(1, 3), -torch.ones(1, 5)).any()


def test_it_is_the_plain_recurrence_of_rectified_units():
    torch.manual_seed(0)
    cell, plain = IRNNCell(3, 5, init="torch"), ElmanReLUCell(3, 5, bias=False)
    plain.load_state_dict({key: cell.state_dict()[key] for key in ("weight_ih", "weight_hh")})
    x, h = torch.randn(4, 3), torch.randn(4, 5)
    with torch.no_grad():
        cell.bias_ih.zero_()

    torch.testing.assert_close(cell(x, h), plain(x, h), rtol=0, atol=0)


@pytest.mark.parametrize("scale", [0, -1.0, float("inf"), "1", True])
def test_a_scale_that_is_no_number_above_zero_is_an_error(scale):
    with pytest.raises(ArgumentError, match=f"^IRNNCell expected scale to be a number above 0, got {scale!r}$"):
        IRNNCell(3, 5, scale=scale)


def test_repr_names_the_scale():
    assert repr(IRNNCell(3, 5)) == "IRNNCell(3, 5)"
    assert repr(IRNNCell(3, 5, scale=0.01)) == "IRNNCell(3, 5, scale=0.01)"
