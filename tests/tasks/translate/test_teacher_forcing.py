import itertools
import math

import pytest
import torch

from recurra.tasks.translate import TranslateTraining
from recurra.tasks.translate.teacher_forcing import draw_forced, forcing_ratio


def training(**options):
    return TranslateTraining(**{f"teacher_forcing_{name}": value for name, value in options.items()})


@pytest.mark.parametrize("decay", ["linear", "exponential", "inverse-sigmoid"])
def test_a_ratio_goes_from_its_first_to_its_final_value_and_stays(decay):
    config = training(ratio=0.9, final_ratio=0.2, decay=decay, epochs=4)

    ratios = [forcing_ratio(config, epochs / 10) for epochs in range(60)]

    assert ratios[0] == pytest.approx(0.9)
    assert ratios[40:] == pytest.approx([0.2] * 20)
    assert all(before > after for before, after in itertools.pairwise(ratios[:41]))


def test_halfway_values_are_those_of_the_curves():
    options = {"ratio": 0.8, "final_ratio": 0.2, "epochs": 10}

    assert forcing_ratio(training(**options, decay="linear"), 5) == pytest.approx(0.5)
    assert forcing_ratio(training(**options, decay="exponential"), 5) == pytest.approx(math.sqrt(0.8 * 0.2))
    assert forcing_ratio(training(**options, decay="inverse-sigmoid"), 5) == pytest.approx(0.5)
    assert forcing_ratio(training(**options, decay="constant"), 5) == 0.8


def test_the_inverse_sigmoid_is_steepest_in_the_middle():
    config = training(ratio=1.0, final_ratio=0.0, decay="inverse-sigmoid", epochs=1)

    falls = [forcing_ratio(config, n / 10) - forcing_ratio(config, (n + 1) / 10) for n in range(10)]

    assert max(falls) == pytest.approx(falls[4])
    assert falls[0] < falls[2] < falls[4]


def test_a_ratio_of_one_draws_nothing():
    state = torch.get_rng_state()

    assert draw_forced(training(ratio=1.0), 3.0, torch.zeros(5, 4)) is None
    assert torch.equal(torch.get_rng_state(), state)


def test_steps_are_drawn_by_themselves_or_whole_sequences():
    torch.manual_seed(0)
    targets = torch.zeros(40, 500)

    steps = draw_forced(training(ratio=0.3, unit="step"), 0.0, targets)
    sequences = draw_forced(training(ratio=0.3, unit="sequence"), 0.0, targets)

    assert steps.shape == sequences.shape == (40, 500)
    assert float(steps.float().mean()) == pytest.approx(0.3, abs=0.02)
    assert 0 < float(steps.float().mean(0).std()) < 0.1
    assert bool((sequences == sequences[:1]).all())
    assert float(sequences[0].float().mean()) == pytest.approx(0.3, abs=0.06)


def test_a_ratio_of_zero_feeds_no_true_token():
    assert not draw_forced(training(ratio=0.0), 0.0, torch.zeros(3, 2)).any()
