from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import Lines, TokenIds, find_lines, iter_tokens, num_cut, num_targets
from recurra.data import lines as lines_module
from recurra.errors import ArgumentError

NEWLINE = 9
ids = st.lists(st.sampled_from([1, 2, NEWLINE]), max_size=60)


def split(raw):
    """The lines of a list of ids, and where each begins, in plain Python."""
    lines, line, start = [], [], 0
    for place, number in enumerate(raw):
        if number == NEWLINE:
            lines.append((start, line))
            line, start = [], place + 1
        else:
            line.append(number)
    return [*lines, (start, line)] if line else lines


def lines_of(*lengths):
    """Lines of some lengths that lie one after the other; the id at place p is p."""
    lengths = np.array(lengths, np.int64)
    return Lines(TokenIds(np.arange(lengths.sum() + len(lengths))), np.cumsum(lengths + 1) - lengths - 1, lengths)


@pytest.fixture(params=[1, 3, 1 << 20], autouse=True)
def at_a_time(request, monkeypatch):
    monkeypatch.setattr(lines_module, "_TOKENS_AT_A_TIME", request.param)


@given(raw=ids, start=st.integers(0, 5), dtype=st.sampled_from([np.uint8, np.uint32]), is_labelled=st.booleans())
def test_every_line_is_found_and_empty_ones_are_counted(raw, start, dtype, is_labelled):
    array = np.array([7] * start + raw + [NEWLINE, 7], dtype)
    expected = split(raw)
    labels = np.arange(len(expected)) * 10 if is_labelled else None

    lines, num_empty = find_lines(array, NEWLINE, start, start + len(raw), labels)

    assert lines.starts.tolist() == [start + place for place, line in expected if line]
    assert [lines.read(index).tolist() for index in range(len(lines))] == [line for _, line in expected if line]
    assert num_empty == sum(not line for _, line in expected)
    if is_labelled:
        assert lines.labels.tolist() == [10 * index for index, (_, line) in enumerate(expected) if line]
        assert lines.labels.dtype == np.int64
    else:
        assert lines.labels is None
    assert lines.starts.dtype == lines.lengths.dtype == np.int64
    assert lines.ids.raw is array


def test_the_whole_text_is_searched_unless_a_range_is_given():
    lines, num_empty = find_lines(np.array([1, NEWLINE, NEWLINE, 2, 2]), NEWLINE)

    assert (lines.starts.tolist(), lines.lengths.tolist(), num_empty) == ([0, 3], [1, 2], 1)


def test_a_text_that_never_ends_a_line_is_one():
    lines, num_empty = find_lines(np.array([1, 2, 3]), None)

    assert (lines.starts.tolist(), lines.lengths.tolist(), num_empty) == ([0], [3], 0)


def test_labels_are_copied():
    labels = np.array([1, 2])

    lines, _ = find_lines(np.array([1, NEWLINE, 2]), NEWLINE, labels=labels)
    lines.labels[:] = 0

    assert labels.tolist() == [1, 2]


@pytest.mark.parametrize("count", [1, 3])
def test_there_is_one_label_for_each_line(count):
    with pytest.raises(ArgumentError, match=f"find_lines expected as many labels as lines, 2, got {count}"):
        find_lines(np.array([1, NEWLINE, 2]), NEWLINE, labels=np.zeros(count))


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 1), (0, 4), (4, None)])
def test_lines_are_looked_for_inside_the_text(start, stop):
    with pytest.raises(ArgumentError, match=r"find_lines expected 0 <= start <= stop <= 3, got start="):
        find_lines(np.arange(3), NEWLINE, start, stop)


def test_lines_are_taken_in_any_order_with_their_labels():
    lines = replace(lines_of(3, 1, 2), labels=np.array([5, 6, 7]))

    taken = lines.take(np.array([2, 0, 2]))

    assert len(taken) == 3
    assert [taken.read(index).tolist() for index in range(3)] == [[6, 7], [0, 1, 2], [6, 7]]
    assert taken.labels.tolist() == [7, 5, 7]
    assert lines_of(3).take(np.array([0])).labels is None


def test_a_line_is_read_through_the_vocabulary_and_up_to_a_length():
    lines = replace(lines_of(3, 2), ids=TokenIds(np.arange(7), np.arange(7) * 2))

    assert lines.read(0).tolist() == [0, 2, 4]
    assert lines.read(0, 2).tolist() == [0, 2]
    assert lines.read(1, 5).tolist() == [8, 10]


@given(lengths=st.lists(st.integers(1, 9), max_size=8), seed=st.integers(0, 5))
def test_all_tokens_are_passed_line_by_line(lengths, seed):
    order = np.random.default_rng(seed).permutation(len(lengths))
    lines = lines_of(*lengths).take(order)
    expected = [
        (index, within, int(start) + within)
        for index, (start, length) in enumerate(zip(lines.starts, lines.lengths, strict=True))
        for within in range(length)
    ]

    chunks = list(iter_tokens(lines))

    got = [triple for chunk in chunks for triple in zip(*(part.tolist() for part in chunk), strict=True)]
    assert got == expected
    assert all(len(owners) <= lines_module._TOKENS_AT_A_TIME for owners, _, _ in chunks)


def test_a_target_follows_each_token_and_the_last_is_the_end_unless_the_line_is_cut():
    lines = lines_of(1, 3, 4, 9)

    assert num_targets(lines).tolist() == [2, 4, 5, 10]
    assert num_targets(lines, 3).tolist() == [2, 4, 3, 3]


def test_what_is_cut_is_counted():
    assert num_cut(lines_of(1, 3, 4, 9), 3) == (2, 1 + 6)
    assert num_cut(lines_of(1, 3), 3) == (0, 0)
