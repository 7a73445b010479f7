"""What the units keep, fixed and learned."""

import math
import re

import pytest
import torch

from recurra.cells import ElmanCell, LeakyCell, LearnedLeakyCell
from recurra.errors import ArgumentError


def step(batch_size=4, input_size=3, hidden_size=5):
    return torch.randn(batch_size, input_size).double(), torch.randn(batch_size, hidden_size).double()


def test_without_retention_it_is_the_plain_recurrence():
    torch.manual_seed(0)
    cell = LeakyCell(3, 5, retain=0, init="torch", dtype=torch.float64)
    plain = ElmanCell(3, 5, dtype=torch.float64)
    plain.load_state_dict({**cell.state_dict(), "bias_hh": torch.zeros(5)})
    x, h = step()

    torch.testing.assert_close(cell(x, h), plain(x, h), rtol=1e-14, atol=1e-15)


def test_retain_is_what_is_kept_and_not_what_leaks():
    cell = LeakyCell(3, 5, retain=0.75, init="zeros", dtype=torch.float64)
    x, h = step()

    torch.testing.assert_close(cell(x, h), 0.75 * h)


def test_a_learned_part_equals_a_fixed_one():
    torch.manual_seed(0)
    learned = LearnedLeakyCell(3, 5, init="torch", dtype=torch.float64)
    fixed = LeakyCell(3, 5, retain=0.8, dtype=torch.float64)
    with torch.no_grad():
        learned.weight_retain.fill_(math.log(0.8 / 0.2))
    fixed.load_state_dict({key: value for key, value in learned.state_dict().items() if key != "weight_retain"})
    x, h = step()

    torch.testing.assert_close(learned(x, h), fixed(x, h), rtol=1e-14, atol=1e-15)


def test_every_unit_learns_its_own_part():
    cell = LearnedLeakyCell(3, 2, init="zeros", dtype=torch.float64)
    with torch.no_grad():
        cell.weight_retain.copy_(torch.tensor([0.0, math.log(9)]))

    h = cell(torch.zeros(1, 3).double(), torch.ones(1, 2).double())

    torch.testing.assert_close(h, torch.tensor([[0.5, 0.9]]).double())


@pytest.mark.parametrize("init", ["published", "torch", "orthogonal", "zeros", torch.nn.init.ones_])
def test_time_constants_start_log_uniform_in_every_initialisation(init):
    torch.manual_seed(0)
    cell = LearnedLeakyCell(3, 500, horizon=50.0, init=init, dtype=torch.float64)

    logs = (1 / (1 - torch.sigmoid(cell.weight_retain.detach()))).log()

    assert math.log(2) - 1e-9 <= float(logs.min()) < math.log(2.1)
    assert math.log(48) < float(logs.max()) <= math.log(50) + 1e-9
    assert float(logs.mean()) == pytest.approx((math.log(2) + math.log(50)) / 2, rel=0.03)
    assert float(logs.std()) == pytest.approx((math.log(50) - math.log(2)) / math.sqrt(12), rel=0.05)


@pytest.mark.parametrize("retain", [1.0, -0.1, float("nan"), None, False])
def test_a_part_outside_zero_to_one_is_an_error(retain):
    with pytest.raises(
        ArgumentError, match=f"^LeakyCell expected retain to be a number of at least 0 and below 1, got {retain!r}$"
    ):
        LeakyCell(3, 5, retain=retain)


@pytest.mark.parametrize("horizon", [2, 1.5, float("inf"), "long"])
def test_a_horizon_of_two_steps_or_less_is_an_error(horizon):
    message = f"LearnedLeakyCell expected horizon to be a number above 2, got {horizon!r}"

    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        LearnedLeakyCell(3, 5, horizon=horizon)


def test_repr_names_the_options():
    assert repr(LeakyCell(3, 5, retain=0.5)) == "LeakyCell(3, 5, retain=0.5)"
    assert repr(LearnedLeakyCell(3, 5, horizon=10)) == "LearnedLeakyCell(3, 5, horizon=10.0)"
