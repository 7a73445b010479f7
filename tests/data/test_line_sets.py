from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import LineSet, TokenIds, find_lines, line_sets
from recurra.data.line_sets import line_hashes

NEWLINE = 9
many = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple), max_size=25)


def lines_of(lines, table=None):
    raw = np.array([number for line in lines for number in (*line, NEWLINE)], np.uint8)
    found, _ = find_lines(raw, NEWLINE)
    return replace(found, ids=TokenIds(raw, table))


@pytest.fixture(params=["good hashes", "equal hashes"])
def hashes(request, monkeypatch):
    """Hashes as they are, or the worst there could be: the answers must not depend on them."""
    if request.param == "equal hashes":
        monkeypatch.setattr(line_sets, "line_hashes", lambda lines: np.full(len(lines), 3, np.uint64))


@settings(max_examples=60)
@given(lines=many, others=many)
@pytest.mark.usefixtures("hashes")
def test_a_set_holds_its_lines_and_no_other(lines, others):
    some, asked = LineSet(lines_of(lines)), lines_of(others)

    assert some.holds(asked).tolist() == [line in lines for line in others]
    assert [line in some for line in others] == [line in lines for line in others]
    assert () not in some


def test_a_set_is_asked_for_ids_of_the_vocabulary():
    some = LineSet(lines_of([(1, 2)], table=np.array([1, 4, 5, 6])))

    assert np.array([4, 5]) in some
    assert [1, 2] not in some


def test_stored_ids_tell_unknown_symbols_apart_and_those_of_a_vocabulary_do_not():
    all_unknown = np.ones(10, np.int64)
    lines, others = [(1, 2)], [(1, 3), (1, 2)]

    assert LineSet(lines_of(lines)).holds(lines_of(others)).tolist() == [False, True]
    assert LineSet(lines_of(lines, all_unknown)).holds(lines_of(others, all_unknown)).tolist() == [True, True]


def test_hashes_depend_on_ids_and_their_order_only():
    one, other, turned, longer = line_hashes(lines_of([(1, 2), (3,), (2, 1), (1, 2, 3)]))[[0, 1, 2, 3]]
    again = line_hashes(lines_of([(3, 3, 3), (1, 2)]))[1]

    assert one == again
    assert len({one, other, turned, longer}) == 4


def test_hashes_do_not_depend_on_how_many_tokens_are_read_at_a_time(monkeypatch):
    lines = lines_of([(1, 2, 3, 1, 2), (2,), (1, 1), (3, 2, 1, 3)] * 3)
    whole = line_hashes(lines)

    for count in (1, 2, 3, 7):
        monkeypatch.setattr("recurra.data.lines._TOKENS_AT_A_TIME", count)
        assert line_hashes(lines).tolist() == whole.tolist()


def test_the_hash_of_a_line_is_the_sum_of_a_random_number_for_each_token_at_its_place():
    # it determines the parts of a run, and must never change
    def splitmix(number):
        z = (number + 0x9E3779B97F4A7C15) % 2**64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        return z ^ (z >> 31)

    lines = [(1,), (1, 2), (3, 1, 1)]
    expected = [sum(splitmix(token + place * 2**32) for place, token in enumerate(line)) % 2**64 for line in lines]

    assert line_hashes(lines_of(lines)).tolist() == expected


def test_many_lines_have_distinct_hashes():
    lines = [(a, b, c) for a in range(10, 60) for b in range(10, 60) for c in range(10, 30)]

    assert len(np.unique(line_hashes(lines_of(lines)))) == len(lines)
