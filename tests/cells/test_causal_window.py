"""Windows of inputs."""

import pytest
import torch

from recurra.cells import causal_window
from recurra.errors import ArgumentError, ShapeError


def test_each_step_comes_with_those_before_it():
    x = torch.arange(1.0, 5.0).reshape(4, 1, 1)

    lags = [lag.flatten().tolist() for lag in causal_window(x, 3)]

    assert lags == [[1, 2, 3, 4], [0, 1, 2, 3], [0, 0, 1, 2]]


def test_previous_inputs_stand_before_the_first_with_the_newest_first():
    x = torch.tensor([[[1.0, 10.0]], [[2.0, 20.0]]])
    previous = torch.tensor([[0.5, 5.0, 0.25, 2.5]])

    _, one, two = causal_window(x, 3, previous)

    assert one[:, 0].tolist() == [[0.5, 5.0], [1.0, 10.0]]
    assert two[:, 0].tolist() == [[0.25, 2.5], [0.5, 5.0]]


def test_a_sequence_without_steps_has_windows_without_steps():
    assert [tuple(lag.shape) for lag in causal_window(torch.zeros(0, 2, 3), 2)] == [(0, 2, 3), (0, 2, 3)]


@pytest.mark.parametrize("window", [1, 0, 2.0, True])
def test_a_window_is_an_integer_of_at_least_two(window):
    with pytest.raises(
        ArgumentError, match=f"causal_window expected window to be an integer of at least 2, got {window}"
    ):
        causal_window(torch.zeros(4, 2, 3), window)


def test_inputs_have_three_axes():
    with pytest.raises(
        ShapeError, match=r"causal_window expected x of shape \(time, batch, input_size\), got \(4, 3\)"
    ):
        causal_window(torch.zeros(4, 3), 2)


def test_previous_inputs_fit_the_window():
    with pytest.raises(
        ShapeError,
        match=r"expected previous of shape \(batch=2, \(window - 1\) \* input_size=6\), got \(2, 3\)",
    ):
        causal_window(torch.zeros(4, 2, 3), 3, torch.zeros(2, 3))
