from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recurra.data import TokenIds, find_lines, split_lines
from recurra.errors import ArgumentError, DataTooShortError

NEWLINE = 0


def lines_of(numbers):
    """Lines of one token each."""
    raw = np.array([token for number in numbers for token in (number, NEWLINE)], np.uint32)
    return find_lines(raw, NEWLINE)[0]


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.lists(st.integers(1, 40), min_size=1, max_size=200),
    validation=st.floats(0.02, 0.5),
    test=st.one_of(st.just(0.0), st.floats(0.02, 0.4)),
    seed=st.integers(0, 9),
)
def test_equal_lines_fall_into_one_part_and_parts_have_their_shares(numbers, validation, test, seed):
    try:
        parts = split_lines(lines_of(numbers), validation, test, seed)
    except DataTooShortError:
        assume(False)
    contents = [[numbers[index] for index in part] for part in parts]

    assert sorted(np.concatenate(parts).tolist()) == list(range(len(numbers)))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert all(part.dtype == np.int64 for part in parts)
    assert not set(contents[0]) & set(contents[1])
    assert not set(contents[0]) & set(contents[2])
    assert not set(contents[1]) & set(contents[2])
    assert contents[0]
    copies = max(Counter(numbers).values())
    for content, share in ((contents[1], validation), (contents[2], test)):
        wanted = round(len(numbers) * share)
        assert wanted <= len(content) <= max(wanted + copies - 1, 0)


def test_without_repetitions_shares_are_exact():
    train, validation, test = split_lines(lines_of(range(1, 1001)), 0.05, 0.1, seed=3)

    assert (len(train), len(validation), len(test)) == (850, 50, 100)


def test_seeds_share_out_differently_and_the_same_again():
    lines = lines_of(range(1, 301))

    parts = {seed: split_lines(lines, 0.2, 0.2, seed)[1].tolist() for seed in range(5)}

    assert len({tuple(part) for part in parts.values()}) == 5
    assert split_lines(lines, 0.2, 0.2, 3)[1].tolist() == parts[3]


def test_the_parts_of_a_seed_never_change():
    # a run that was begun with an earlier version goes on with the same parts
    _, validation, test = split_lines(lines_of(range(1, 21)), 0.2, 0.1, seed=7)

    assert (validation.tolist(), test.tolist()) == ([3, 6, 9, 15], [11, 16])


def test_the_part_of_a_line_depends_on_its_content_and_not_on_its_place():
    numbers = list(range(1, 101))

    one = split_lines(lines_of(numbers), 0.2, 0.2, seed=1)
    other = split_lines(lines_of(numbers[::-1]), 0.2, 0.2, seed=1)

    for indices, turned in zip(one, other, strict=True):
        assert {numbers[index] for index in indices} == {numbers[::-1][index] for index in turned}


def test_every_line_can_come_into_every_part():
    counts = np.zeros((3, 50))

    for seed in range(200):
        for part, indices in enumerate(split_lines(lines_of(range(1, 51)), 0.3, 0.3, seed)):
            counts[part, indices] += 1

    assert abs(counts / 200 - np.array([[0.4], [0.3], [0.3]])).max() < 0.15


@pytest.mark.parametrize(
    ("numbers", "validation", "test", "distinct"),
    [
        (range(1, 10), 0.05, 0.05, 9),  # round(9 * 0.05) lines are none
        (range(1, 30), 0.05, 0.01, 29),
        ([1, 1, 1, 1, 2, 2, 2, 2], 0.25, 0.25, 2),
        ([1] * 100, 0.05, 0.0, 1),
        ([], 0.05, 0.05, 0),
    ],
)
def test_too_few_lines_for_all_parts_are_refused(numbers, validation, test, distinct):
    with pytest.raises(DataTooShortError) as caught:
        split_lines(lines_of(numbers), validation, test, seed=0)

    assert caught.value.message == (
        f"split_lines expected lines for training, for validation={validation} and for test={test}, "
        f"got {len(numbers)} lines, {distinct} of them distinct"
    )
    assert caught.value.hint == "use more lines, or other fractions"


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (0.0, 0.1, "split_lines expected validation to be above 0 and below 1, got 0.0"),
        (0.1, -0.1, "split_lines expected test to be at least 0 and below 1, got -0.1"),
        (0.5, 0.5, r"split_lines expected validation \+ test to be below 1, got 0.5 \+ 0.5"),
    ],
)
def test_shares_have_a_range(validation, test, message):
    with pytest.raises(ArgumentError, match=message):
        split_lines(lines_of(range(1, 100)), validation, test, seed=0)


def test_the_vocabulary_does_not_change_the_parts():
    lines = lines_of(range(1, 101))
    all_unknown = replace(lines, ids=TokenIds(lines.ids.raw, np.ones(101, np.int64)))

    for indices, same in zip(split_lines(lines, 0.2, 0.2, 1), split_lines(all_unknown, 0.2, 0.2, 1), strict=True):
        assert indices.tolist() == same.tolist()
