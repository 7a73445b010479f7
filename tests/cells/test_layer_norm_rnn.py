"""The plain recurrence with layer normalisation."""

import pytest
import torch

from recurra.cells import LayerNormRNNCell


def build():
    torch.manual_seed(2)
    return LayerNormRNNCell(3, 4, dtype=torch.float64)


def test_one_norm_acts_on_the_sum_of_both_products():
    cell = build()
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    before = cell(x, h)

    # the norm takes a common factor out; a norm of each product would take out two that differ
    assert torch.allclose(cell(1000 * x, 1000 * h), before, atol=1e-4)
    assert not torch.allclose(cell(1000 * x, h), before, atol=1e-2)


@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
def test_gains_start_at_one_and_shifts_at_zero(init):
    cell = LayerNormRNNCell(3, 4, init=init)

    assert (cell.gain == 1).all()
    assert not cell.shift.any()


def test_a_row_without_variance_stays_finite():
    cell = build()

    h = cell(torch.zeros(2, 3, dtype=torch.float64))
    h.sum().backward()

    assert not h.any()
    assert all(parameter.grad.isfinite().all() for parameter in cell.parameters())


def test_there_is_nothing_for_bias_to_leave_out():
    assert [name for name, _ in LayerNormRNNCell(3, 4, bias=False).named_parameters()] == [
        "weight_ih",
        "weight_hh",
        "gain",
        "shift",
    ]
