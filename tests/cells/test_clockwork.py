"""What is special to the clockwork network: who fires when, and who sees whom."""

import pytest
import torch

from recurra.cells import ClockworkCell, ElmanCell
from recurra.errors import ArgumentError
from recurra.loop import unroll

D = torch.float64


def build(**options):
    torch.manual_seed(0)
    return ClockworkCell(3, 6, dtype=D, **options)


def test_one_block_of_period_one_is_the_plain_recurrence():
    cell, plain = build(periods=(1,)), ElmanCell(3, 6, dtype=D)
    with torch.no_grad():
        plain.weight_ih.copy_(cell.weight_ih)
        plain.weight_hh.copy_(cell.weight_hh_1)
        plain.bias_ih.copy_(cell.bias_ih)
        plain.bias_hh.zero_()
    x = torch.randn(7, 2, 3, dtype=D)

    output, (h, _) = unroll(cell, x, engine="eager")

    wanted, last = unroll(plain, x, engine="eager")
    torch.testing.assert_close(output, wanted, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(h, last, rtol=1e-13, atol=1e-15)


def test_blocks_fire_at_their_periods_and_are_copied_between():
    cell = build(periods=(1, 2, 3))

    output, (_, t) = unroll(cell, torch.randn(13, 1, 3, dtype=D), engine="eager")

    before = torch.cat((torch.zeros(1, 1, 6, dtype=D), output[:-1]))
    changed = (output != before)[:, 0]
    for block, period in enumerate((1, 2, 3)):
        wanted = [step % period == 0 for step in range(13)]
        assert changed[:, 2 * block].tolist() == changed[:, 2 * block + 1].tolist() == wanted
    assert t.item() == 13 % 6


def test_a_block_sees_itself_and_slower_ones_only():
    cell = build(periods=(1, 2, 4))
    with torch.no_grad():
        for weight in (cell.weight_hh_1, cell.weight_hh_2, cell.weight_hh_3):
            weight.fill_(1.0)

    (product,) = cell.from_state(torch.eye(6, dtype=D))

    # row: the unit seen; column: the unit that sees it; the first two are the fastest
    seen_by = torch.tensor(
        [
            [1, 1, 0, 0, 0, 0],
            [1, 1, 0, 0, 0, 0],
            [1, 1, 1, 1, 0, 0],
            [1, 1, 1, 1, 0, 0],
            [1, 1, 1, 1, 1, 1],
            [1, 1, 1, 1, 1, 1],
        ],
        dtype=D,
    )
    assert torch.equal(product, seen_by)


def test_rows_of_a_block_start_at_its_own_units():
    cell = build(periods=(1, 2, 4))
    h = torch.randn(2, 6, dtype=D)

    (product,) = cell.from_state(h)

    wanted = [h @ cell.weight_hh_1.T, h[:, 2:] @ cell.weight_hh_2.T, h[:, 4:] @ cell.weight_hh_3.T]
    torch.testing.assert_close(product, torch.cat(wanted, -1), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("periods", [(1,), (1, 3), (1, 2, 4, 8)])
def test_there_is_a_recurrent_weight_a_period(periods):
    cell = ClockworkCell(3, 9, periods=periods)

    assert cell.recurrent_weights == tuple(f"weight_hh_{k + 1}" for k in range(len(periods)))
    assert all(getattr(cell, name).shape[1] >= getattr(cell, name).shape[0] for name in cell.recurrent_weights)


def test_units_are_split_evenly_with_the_larger_blocks_first():
    cell = ClockworkCell(3, 10)

    shapes = [tuple(weight.shape) for name, weight in cell.named_parameters() if name.startswith("weight_hh")]
    assert shapes == [(3, 10), (3, 7), (2, 4), (2, 2)]
    assert cell.unit_periods.tolist() == [1, 1, 1, 2, 2, 2, 4, 4, 8, 8]
    assert cell.weight_hh is None


def test_the_clock_of_a_carried_state_goes_on():
    cell = build(periods=(1, 2, 4))
    x = torch.randn(9, 2, 3, dtype=D)

    first, state = unroll(cell, x[:3], engine="eager")
    second, _ = unroll(cell, x[3:], state, engine="eager")

    whole, _ = unroll(cell, x, engine="eager")
    torch.testing.assert_close(torch.cat((first, second)), whole, rtol=1e-13, atol=1e-15)
    restarted, _ = unroll(cell, x[3:], (state[0], torch.zeros_like(state[1])), engine="eager")
    assert not torch.allclose(restarted, second)


def test_published_initialisation_draws_small_weights():
    torch.manual_seed(0)
    cell = ClockworkCell(40, 80)

    for weight in (cell.weight_ih, cell.weight_hh_1, cell.weight_hh_4):
        assert float(weight.detach().std()) == pytest.approx(0.1, rel=0.1)
    assert not cell.bias_ih.any()


def test_periods_of_a_saved_cell_are_no_parameters():
    assert "unit_periods" not in build().state_dict()


@pytest.mark.parametrize("periods", [(), (2, 1), (1, 1), (0, 2), (1, 2.0), (True, 2), 4, "12"])
def test_periods_are_rising_integers(periods):
    with pytest.raises(
        ArgumentError, match="ClockworkCell expected periods to be rising integers of at least 1, got"
    ) as error:
        ClockworkCell(3, 6, periods=periods)

    assert repr(periods) in str(error.value)


def test_every_period_has_a_unit():
    with pytest.raises(
        ArgumentError, match="ClockworkCell expected hidden_size to be at least the number of periods, 4, got 3"
    ):
        ClockworkCell(2, 3)
