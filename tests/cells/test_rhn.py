"""What is special to the recurrent highway network: its levels."""

import pytest
import torch

from recurra.cells import RHNCell
from recurra.errors import ArgumentError, ChoiceError

D = torch.float64


def build(depth, **options):
    torch.manual_seed(0)
    cell = RHNCell(3, 4, depth=depth, dtype=D, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return cell, torch.randn(5, 3, dtype=D), torch.randn(5, 4, dtype=D)


def highway(h, parts, weight_n, weight_t, bias_n, bias_t):
    n = torch.tanh(parts[0] + h @ weight_n.T + bias_n)
    t = torch.sigmoid(parts[1] + h @ weight_t.T + bias_t)
    return t * n + (1 - t) * h


def test_one_level_is_a_coupled_highway_step():
    cell, x, h = build(depth=1)

    found = cell(x, h)

    weights, biases = cell.weight_hh.split(4), cell.bias_hh.split(4)
    wanted = highway(h, (x @ cell.weight_ih.T).split(4, -1), *weights, *biases)
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-15)


def test_deeper_levels_follow_without_the_input():
    cell, x, h = build(depth=3)

    found = cell(x, h)

    weights, biases = cell.weight_hh.split(4), cell.bias_hh.split(4)
    wanted = highway(h, (x @ cell.weight_ih.T).split(4, -1), *weights[:2], *biases[:2])
    for level in (1, 2):
        rows = slice(2 * level, 2 * level + 2)
        wanted = highway(wanted, (0.0, 0.0), *weights[rows], *biases[rows])
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("init", ["published", "orthogonal"])
def test_gates_start_closed_at_every_level(init):
    cell = RHNCell(3, 4, depth=2, init=init)

    assert torch.equal(cell.bias_hh, torch.tensor([0.0, -2.0, 0.0, -2.0]).repeat_interleave(4))


def test_the_start_of_one_levels_gate_can_be_chosen():
    cell = RHNCell(3, 4, depth=2, gate_biases={"t2": -4.0})

    assert torch.equal(cell.bias_hh, torch.tensor([0.0, -2.0, 0.0, -4.0]).repeat_interleave(4))
    with pytest.raises(ChoiceError, match="t3"):
        RHNCell(3, 4, depth=2, gate_biases={"t3": -4.0})


def test_published_initialisation_draws_within_its_bound():
    torch.manual_seed(0)
    cell = RHNCell(30, 40)

    for weight in (cell.weight_ih, cell.weight_hh):
        assert 0.039 < weight.abs().max() <= 0.04


@pytest.mark.parametrize("depth", [0, 1.5, None])
def test_depth_is_an_integer_of_at_least_one(depth):
    with pytest.raises(ArgumentError, match=f"RHNCell expected depth to be an integer of at least 1, got {depth}"):
        RHNCell(3, 4, depth=depth)
