import itertools

import numpy as np
import pytest

from recurra.data import Cursor, ExampleOrder, iter_in_order
from recurra.errors import ArgumentError, DataTooShortError

LENGTHS = np.random.default_rng(1).integers(0, 30, 1000)


def first_pass(order, cursor=None):
    return list(itertools.islice(order.iter_batches(cursor), order.batches_per_epoch))


def test_a_pass_holds_every_example_once():
    batches = first_pass(ExampleOrder(LENGTHS, batch_size=7))

    assert sorted(np.concatenate([indices for indices, _ in batches]).tolist()) == list(range(1000))


def test_examples_of_a_batch_are_about_equally_long_and_the_longest_first():
    batches = [indices for indices, _ in first_pass(ExampleOrder(LENGTHS, batch_size=10))]

    spread = [int(np.ptp(LENGTHS[indices])) for indices in batches]
    assert all((np.diff(LENGTHS[indices]) <= 0).all() for indices in batches)
    assert np.mean(spread) < np.ptp(LENGTHS) / 5


def test_a_stream_goes_on_from_any_cursor():
    order = ExampleOrder(LENGTHS, batch_size=64, seed=3)
    whole = list(itertools.islice(order.iter_batches(), 40))

    for start in (0, 5, order.batches_per_epoch - 1, order.batches_per_epoch + 2):
        rest = itertools.islice(order.iter_batches(whole[start][1]), 5)
        expected = whole[start + 1 : start + 6]
        for (indices, cursor), (expected_indices, expected_cursor) in zip(rest, expected, strict=True):
            np.testing.assert_array_equal(indices, expected_indices)
            assert cursor == expected_cursor


def test_passes_seeds_and_names_have_their_own_orders():
    first, second = (
        [indices.tolist() for indices, _ in itertools.islice(ExampleOrder(LENGTHS, batch_size=64).iter_batches(), 32)][
            part
        ]
        for part in (slice(0, 16), slice(16, 32))
    )
    other_seed = [indices.tolist() for indices, _ in first_pass(ExampleOrder(LENGTHS, batch_size=64, seed=1))]
    other_name = [indices.tolist() for indices, _ in first_pass(ExampleOrder(LENGTHS, batch_size=64, name="pairs"))]

    assert first != second
    assert first != other_seed
    assert first != other_name


def test_evaluation_takes_the_longest_first():
    indices = np.concatenate([indices for indices, _ in iter_in_order(LENGTHS, batch_size=64)])

    assert sorted(indices.tolist()) == list(range(1000))
    assert (np.diff(LENGTHS[indices]) <= 0).all()


def test_wrong_arguments_are_refused():
    with pytest.raises(DataTooShortError, match="ExampleOrder expected at least 1 example, got none"):
        ExampleOrder(np.zeros(0, np.int64), batch_size=1)
    with pytest.raises(DataTooShortError, match="iter_in_order expected at least 1 example, got none"):
        iter_in_order(np.zeros(0, np.int64), batch_size=1)
    with pytest.raises(ArgumentError, match="iter_in_order expected max_steps to be at least 1, got 0"):
        iter_in_order(LENGTHS, batch_size=1, max_steps=0)
    with pytest.raises(ArgumentError, match="expected batch_size to be at least 1, got 0"):
        ExampleOrder(LENGTHS, batch_size=0)
    with pytest.raises(ArgumentError, match=r"ExampleOrder expected cursor\.window to be below 16, got 16"):
        ExampleOrder(LENGTHS, batch_size=64).iter_batches(Cursor(0, 16))


def test_batches_with_too_many_padded_steps_are_split():
    lengths = np.array([2, 900, 1, 3, 40, 3, 0])

    batches = [
        (indices.tolist(), cursor.window) for indices, cursor in iter_in_order(lengths, batch_size=5, max_steps=100)
    ]

    # 900 steps stand alone, 2 * 40 fit and 3 * 40 do not
    assert batches == [([1], 1), ([4, 3], 2), ([5, 0], 3), ([2, 6], 4)]


def test_padded_steps_are_those_of_the_longest_example_where_the_order_is_another():
    keys, steps = np.array([5, 4, 3, 2, 1]), np.array([1, 1, 30, 30, 30])

    batches = [indices.tolist() for indices, _ in iter_in_order(keys, batch_size=5, max_steps=90, steps=steps)]

    assert batches == [[0, 1, 2], [3, 4]]


def test_a_wide_enough_bound_changes_no_batch():
    bounded, free = (
        [indices.tolist() for indices, _ in iter_in_order(LENGTHS, batch_size=64, max_steps=max_steps)]
        for max_steps in (64 * 30, None)
    )

    assert bounded == free
