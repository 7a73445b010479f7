import itertools

import pytest

from recurra.training.evaluation import Stopwatch


@pytest.fixture
def watch(monkeypatch):
    """Return what an evaluation whose batches begin and end at given moments took."""

    def read(*moments):
        clock = itertools.chain(moments)
        monkeypatch.setattr("time.perf_counter", lambda: next(clock))
        stopwatch = Stopwatch()
        for _ in moments[1:]:
            stopwatch.observe_batch()
        return stopwatch.seconds

    return read


def test_what_only_the_first_batch_took_does_not_count(watch):
    assert watch(0, 1, 9, 11, 13, 15) == 8  # four batches of 2 s each, 6 s of compiling in the first


def test_a_quick_first_batch_counts_as_it_is(watch):
    assert watch(0, 0, 1, 4, 7) == 7


def test_a_single_batch_counts_whole(watch):
    assert watch(0, 1, 9) == 9
    assert watch(0, 1) == 1
