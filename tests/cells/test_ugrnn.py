"""The update gate: where it starts, and what it is when it is constant."""

import torch

from recurra.cells import LeakyCell, UGRNNCell
from recurra.loop import unroll


def test_the_gates_bias_starts_at_one_and_is_stored():
    cell = UGRNNCell(3, 5)

    assert torch.equal(cell.bias_ih, torch.tensor([1.0] * 5 + [0.0] * 5))


def test_nothing_is_added_to_the_gate_besides_its_bias():
    cell = UGRNNCell(3, 5, gate_biases={"g": 0.0})
    torch.nn.init.zeros_(cell.weight_ih)
    torch.nn.init.zeros_(cell.weight_hh)
    h = torch.randn(2, 5)

    torch.testing.assert_close(cell(torch.randn(2, 3), h), h / 2)


def test_with_a_constant_gate_it_is_a_leaky_recurrence():
    torch.manual_seed(0)
    leaky = LeakyCell(3, 5, retain=0.8, dtype=torch.float64)
    cell = UGRNNCell(3, 5, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.cat((torch.zeros(5, 3), leaky.weight_ih)))
        cell.weight_hh.copy_(torch.cat((torch.zeros(5, 5), leaky.weight_hh)))
        cell.bias_ih.copy_(torch.cat((torch.full((5,), 0.8, dtype=torch.float64).logit(), leaky.bias_ih)))
    x = torch.randn(6, 2, 3, dtype=torch.float64)

    found, wanted = (unroll(c, x, engine="eager")[0] for c in (cell, leaky))

    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-14)
