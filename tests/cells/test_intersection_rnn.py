"""The two gates of the intersection recurrence: which of them blends what."""

import pytest
import torch

from recurra.cells import IntersectionRNNCell


def step(input_size=5, **gates):
    """A cell whose gates are as good as constant, one step's arguments, and what it would write."""
    torch.manual_seed(0)
    cell = IntersectionRNNCell(input_size, 5, gate_biases=gates)
    x, h = torch.randn(4, input_size), torch.randn(4, 5)
    yn, hn, _, _ = (a + b for a, b in zip(cell.from_input(x), cell.from_state(h), strict=True))
    return cell, x, h, torch.relu(yn), torch.tanh(hn)


def test_the_outputs_gate_and_not_the_states_lets_the_new_output_through():
    cell, x, h, yn, _ = step(gy=-200.0, gh=200.0)

    y, new_h = cell(x, h)

    assert yn.any()
    torch.testing.assert_close(y, yn)
    assert torch.equal(new_h, h)


def test_the_states_gate_and_not_the_outputs_lets_the_new_state_through():
    cell, x, h, _, hn = step(gy=200.0, gh=-200.0)

    y, new_h = cell(x, h)

    assert torch.equal(y, x)
    torch.testing.assert_close(new_h, hn)


def test_an_input_of_another_width_is_projected():
    cell, x, h, _, _ = step(input_size=3, gy=200.0)

    y, _ = cell(x, h)

    assert cell.weight_xy.shape == (5, 3)
    torch.testing.assert_close(y, x @ cell.weight_xy.T)


def test_both_gates_biases_start_at_one():
    cell = IntersectionRNNCell(3, 5)

    assert torch.equal(cell.bias_ih, torch.tensor([0.0] * 10 + [1.0] * 10))


@pytest.mark.parametrize(("input_size", "projection"), [(5, 0), (3, 15)])
def test_the_projection_is_counted_only_where_the_input_has_another_width(input_size, projection):
    cell = IntersectionRNNCell(input_size, 5)

    assert sum(p.numel() for p in cell.parameters()) == 4 * 5 * (input_size + 5 + 1) + projection
    assert ("weight_xy" in cell.state_dict()) == bool(projection)
