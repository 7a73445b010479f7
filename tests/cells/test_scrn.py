"""What is special to the structurally constrained network: its slow units."""

import math

import pytest
import torch

from recurra.cells import SCRNCell
from recurra.errors import ArgumentError
from recurra.loop import unroll

D = torch.float64


def test_the_new_slow_state_feeds_the_fast_units():
    cell = SCRNCell(1, 1, retain=0.75, context_size=1, dtype=D)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.weight_hh.zero_()
        cell.weight_xs.fill_(2.0)
        cell.weight_sh.fill_(1.0)
    h, s = torch.zeros(1, 1, dtype=D), torch.full((1, 1), 4.0, dtype=D)

    output, (new_h, new_s) = cell(torch.ones(1, 1, dtype=D), (h, s))

    assert new_s.item() == 0.25 * 2.0 + 0.75 * 4.0
    assert new_h.item() == pytest.approx(1 / (1 + math.exp(-3.5)), rel=1e-14)
    assert output[0].tolist() == [new_h.item(), new_s.item()]


def test_slow_units_average_the_input_whatever_the_fast_ones_do():
    torch.manual_seed(0)
    cell = SCRNCell(3, 4, retain=0.9, context_size=2, dtype=D)
    x = torch.randn(8, 2, 3, dtype=D)

    _, (_, s) = unroll(cell, x, engine="eager")

    weights = 0.1 * 0.9 ** torch.arange(7, -1, -1, dtype=D)
    wanted = torch.einsum("t,tbi,qi->bq", weights, x, cell.weight_xs)
    torch.testing.assert_close(s, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("hidden_size", "context_size", "wanted"), [(5, None, 2), (1, None, 1), (5, 7, 7)])
def test_the_output_is_both_states_side_by_side(hidden_size, context_size, wanted):
    cell = SCRNCell(3, hidden_size, context_size=context_size)

    output, _ = unroll(cell, torch.zeros(2, 1, 3))

    assert cell.context_size == wanted
    assert cell.state_size == (hidden_size, wanted)
    assert cell.output_size == output.shape[-1] == hidden_size + wanted
    # what is newly written is as wide as the slow units
    assert cell.gate_size("n") == wanted


def test_the_output_is_made_of_the_states_alone():
    cell = SCRNCell(3, 4)

    output, state = cell(torch.randn(2, 3))

    assert torch.equal(cell.output_from(*state), output)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retain": 1.0}, "SCRNCell expected retain to be a number of at least 0 and below 1, got 1.0"),
        ({"retain": -0.1}, "SCRNCell expected retain to be a number of at least 0 and below 1, got -0.1"),
        ({"context_size": 0}, "SCRNCell expected context_size to be an integer of at least 1, got 0"),
    ],
)
def test_an_option_out_of_range_is_an_error(options, message):
    with pytest.raises(ArgumentError, match=message):
        SCRNCell(3, 4, **options)
