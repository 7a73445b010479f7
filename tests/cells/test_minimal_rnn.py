"""The minimal recurrence: its gate reads the z of its own step."""

import torch

from recurra.cells import MinimalRNNCell


def test_the_gate_reads_the_new_z():
    torch.manual_seed(0)
    cell = MinimalRNNCell(3, 5, dtype=torch.float64)
    torch.nn.init.normal_(cell.weight_zu, std=3.0)
    x = torch.randn(2, 3, dtype=torch.float64)

    found = cell(x)

    z = torch.tanh(x @ cell.weight_ih.T)
    u = torch.sigmoid(z @ cell.weight_zu.T)
    torch.testing.assert_close(found, (1 - u) * z)
    assert (u - 0.5).abs().max() > 0.3


def test_an_open_gate_keeps_the_state():
    cell = MinimalRNNCell(3, 5, gate_biases={"u": 100.0})
    h = torch.randn(2, 5)

    assert torch.equal(cell(torch.randn(2, 3), h), h)


def test_there_is_one_bias_for_each_of_z_and_u():
    cell = MinimalRNNCell(3, 5, gate_biases={"z": 0.25, "u": 0.5})

    assert torch.equal(cell.bias_ih, torch.full((5,), 0.25))
    assert torch.equal(cell.bias_hh, torch.full((5,), 0.5))
    assert sum(p.numel() for p in cell.parameters()) == 3 * 5 + 2 * 5 * 5 + 2 * 5
