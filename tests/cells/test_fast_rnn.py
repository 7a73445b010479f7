"""What is special to FastRNN and FastGRNN: their learned numbers, and the weights that gate and candidate share."""

import math

import pytest
import torch

from recurra.cells import ElmanCell, FastGRNNCell, FastRNNCell

D = torch.float64


def test_a_share_of_the_plain_recurrence_is_added_to_a_share_of_the_state():
    torch.manual_seed(0)
    cell, plain = FastRNNCell(3, 4, dtype=D), ElmanCell(3, 4, bias=True, dtype=D)
    with torch.no_grad():
        plain.weight_ih.copy_(cell.weight_ih)
        plain.weight_hh.copy_(cell.weight_hh)
        plain.bias_ih.copy_(cell.bias_ih)
        plain.bias_hh.zero_()
        # sigmoids of 0.2 and 0.75
        cell.alpha.fill_(math.log(0.25))
        cell.beta.fill_(math.log(3.0))
    x, h = torch.randn(5, 3, dtype=D), torch.randn(5, 4, dtype=D)

    torch.testing.assert_close(cell(x, h), 0.2 * plain(x, h) + 0.75 * h, rtol=1e-13, atol=1e-15)


def test_gate_and_candidate_share_their_product():
    torch.manual_seed(0)
    cell = FastGRNNCell(3, 4, dtype=D)
    with torch.no_grad():
        # sigmoids of 0.2 and 0.75
        cell.nu.fill_(math.log(0.25))
        cell.zeta.fill_(math.log(3.0))
        cell.bias_z.fill_(0.5)
        cell.bias_n.fill_(-0.25)
    x, h = torch.randn(5, 3, dtype=D), torch.randn(5, 4, dtype=D)

    found = cell(x, h)

    shared = x @ cell.weight_ih.T + h @ cell.weight_hh.T
    z = torch.sigmoid(shared + 0.5)
    wanted = (0.75 * (1 - z) + 0.2) * torch.tanh(shared - 0.25) + z * h
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)


def test_nu_writes_where_the_gate_keeps():
    cell = FastGRNNCell(1, 1, dtype=D)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.bias_z.fill_(1e9)
        cell.bias_n.fill_(1e9)
        cell.nu.fill_(1e9)

    # z = n = 1: all of h is kept, and n is written besides
    assert cell(torch.zeros(1, 1, dtype=D), torch.full((1, 1), 3.0, dtype=D)).item() == 4.0


@pytest.mark.parametrize(
    ("cell_class", "biases", "starts"),
    [
        (FastRNNCell, ["bias_ih"], {"alpha": -3.0, "beta": 3.0}),
        (FastGRNNCell, ["bias_z", "bias_n"], {"zeta": 1.0, "nu": -4.0}),
    ],
)
def test_published_initialisation_draws_small_weights_and_biases_of_one(cell_class, biases, starts):
    torch.manual_seed(0)
    cell = cell_class(50, 60)

    assert float(cell.weight_ih.detach().std()) == pytest.approx(0.1, rel=0.05)
    assert float(cell.weight_hh.detach().std()) == pytest.approx(0.1, rel=0.05)
    for name in biases:
        assert torch.equal(getattr(cell, name), torch.ones(60))
    for name, value in starts.items():
        assert getattr(cell, name).tolist() == [value]
        assert getattr(cell_class(3, 4, init="torch"), name).tolist() == [value]
