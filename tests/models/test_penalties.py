import numpy as np
import pytest
import torch

from recurra.models.penalties import activation_penalty


def by_numpy(output, dropped, lengths, activation, temporal):
    squares, changes = [], []
    for row, length in enumerate(lengths):
        squares += [dropped[t, row] ** 2 for t in range(length)]
        changes += [(output[t, row] - output[t - 1, row]) ** 2 for t in range(1, length)]
    return activation * np.mean(squares) + (temporal * np.mean(changes) if changes else 0.0)


@pytest.mark.parametrize("weights", [(2.0, 0.0), (0.0, 3.0), (2.0, 3.0)])
@pytest.mark.parametrize("lengths", [None, [6, 4, 1], [6, 0, 5], [1, 1, 1]])
def test_it_is_the_mean_over_valid_steps(lengths, weights):
    torch.manual_seed(1)
    output, dropped = torch.randn(2, 6, 3, 4, dtype=torch.float64)
    expected = by_numpy(output.numpy(), dropped.numpy(), lengths or [6, 6, 6], *weights)

    found = activation_penalty(output, dropped, lengths, activation=weights[0], temporal=weights[1])

    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_a_single_step_has_no_change_and_no_nan():
    output = torch.ones(1, 2, 3)

    assert activation_penalty(output, output, None, activation=0.0, temporal=1.0).item() == 0
    assert activation_penalty(output, output, [1, 0], activation=0.0, temporal=1.0).item() == 0
