import numpy as np
import pytest

from recurra.data.windows import varied_windows


def test_lengths_are_distributed_as_published():
    lengths = np.diff(varied_windows(70 * 20_000, 70, seed=1, epoch=0))[:-1]
    near, half = lengths[lengths > 52], lengths[lengths <= 52]

    # nineteen in twenty around 70, the others around 35, with a standard deviation of 5; a normal distribution that
    # is rounded has the variance 25 + 1/12
    assert len(half) / len(lengths) == pytest.approx(0.05, abs=0.005)
    assert near.mean() == pytest.approx(70, abs=0.15)
    assert half.mean() == pytest.approx(35, abs=0.6)
    assert near.std() == pytest.approx(5.008, abs=0.1)
    assert half.std() == pytest.approx(5.008, abs=0.5)
    within = np.abs(near - 70)
    assert (within <= 5).mean() == pytest.approx(0.7287, abs=0.01)  # P(|Z| < 5.5 / 5)


def test_seed_and_pass_determine_the_windows():
    def windows(seed, epoch):
        return varied_windows(5000, 30, seed, epoch).tolist()

    assert windows(1, 2) == windows(1, 2)
    assert len({tuple(windows(seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16


def test_the_windows_of_a_seed_never_change():
    # a run that was begun with an earlier version goes on with the same windows
    assert varied_windows(300, 30, seed=7, epoch=3).tolist() == [
        0,
        14,
        37,
        60,
        91,
        128,
        162,
        194,
        215,
        240,
        263,
        289,
        300,
    ]


def test_lengths_are_drawn_one_after_the_other_however_many_there_are():
    long = varied_windows(10_000, 30, seed=5, epoch=1)
    short = varied_windows(700, 30, seed=5, epoch=1)

    assert short[:-1].tolist() == long[: len(short) - 1].tolist()
    assert short[-1] == 700


@pytest.mark.parametrize(("bptt", "least"), [(1, 1), (3, 3), (5, 5), (10, 5)])
def test_small_windows_stay_inside_their_bounds(bptt, least):
    lengths = np.diff(varied_windows(20_000, bptt, seed=0, epoch=0))[:-1]

    assert lengths.min() == least
    assert lengths.max() <= bptt + 20


def test_a_stream_of_one_step_has_one_window():
    assert varied_windows(1, 70, seed=0, epoch=0).tolist() == [0, 1]
