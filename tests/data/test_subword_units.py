import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.subword_units import MAX_UNIT_CHARS, iter_subword_units

CHARACTERS = st.sampled_from("ab \t\n\u3000\u00a0\u2028\x1c\ud800,1") | st.characters(exclude_categories=())


def units_of(*texts):
    return [unit for units in iter_subword_units(texts) for unit in units]


@given(text=st.text(CHARACTERS))
def test_units_joined_are_the_text(text):
    assert "".join(units_of(text)) == text


@given(texts=st.lists(st.text(CHARACTERS)))
def test_how_a_text_is_parted_changes_nothing(texts):
    assert units_of(*texts) == units_of("".join(texts))


@given(text=st.text("ab,1 \t\n"))
def test_units_are_words_with_one_space_before_them(text):
    # the pattern of GPT-2 with its classes of characters joined, line by line
    expected = []
    for line in re.split("(\n)", text):
        expected += [line] if line == "\n" else re.findall(r" ?\S+|\s+(?!\S)|\s+", line)

    assert units_of(text) == expected


@pytest.mark.parametrize("character", ["a", " ", "\u3000"])
@pytest.mark.parametrize("length", [MAX_UNIT_CHARS - 1, MAX_UNIT_CHARS, MAX_UNIT_CHARS + 1, 3 * MAX_UNIT_CHARS + 1])
def test_long_runs_are_cut(character, length):
    text = character * length + "b \n"

    units = units_of(text)

    assert "".join(units) == text
    assert max(map(len, units)) <= MAX_UNIT_CHARS + 1
    assert units == units_of(*text) == units_of(text[:MAX_UNIT_CHARS], text[MAX_UNIT_CHARS:])


def test_lone_surrogates_stand_alone():
    assert units_of("a\ud800\udc00 b") == ["a", "\ud800", "\udc00", " b"]
