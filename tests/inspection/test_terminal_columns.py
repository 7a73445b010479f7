"""Texts in the columns of a terminal."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.inspection.terminal_columns import columns, iter_clusters, padded, shortened, wrapped

LETTERS = st.text(st.sampled_from("ab -日本é\u0301\u093f❤"), max_size=40)


def test_wide_letters_take_two_columns_and_marks_none():
    assert [columns(text) for text in ("循環", "e\u0301", "\u0915\u093f", "⏎", "")] == [4, 1, 1, 1, 0]


def test_marks_stay_with_the_character_they_lie_on():
    assert list(iter_clusters("e\u0301日b")) == [("e\u0301", 1), ("日", 2), ("b", 1)]
    assert list(iter_clusters("\u0301a")) == [("\u0301", 0), ("a", 1)]


@settings(max_examples=50)
@given(LETTERS)
def test_clusters_are_the_text_and_take_its_columns(text):
    clusters = list(iter_clusters(text))

    assert "".join(cluster for cluster, _ in clusters) == text
    assert sum(width for _, width in clusters) == columns(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chat", "chat"),
        ("chats", "chats"),
        ("maison", "mais…"),
        ("日本語", "日本…"),
        ("a日本語", "a日…"),
        ("循環 environs", "循環…"),
        ("abcde\u0301f", "abcd…"),
    ],
)
def test_long_texts_are_shortened_to_the_columns_there_are(text, expected):
    assert shortened(text, 5) == expected
    assert columns(padded(text, 5)) == 5
    assert padded(text, 5).rstrip() == expected


def test_lines_are_broken_between_words_and_by_columns():
    assert list(wrapped("one two three", 7)) == ["one two", "three"]
    assert list(wrapped("one two three", 7, "  ")) == ["one two", "  three"]
    assert list(wrapped("日本 語 x", 6)) == ["日本", "語 x"]
    assert list(wrapped(" ", 6)) == []


def test_a_word_wider_than_a_line_is_cut():
    assert list(wrapped("日本語日本語", 5)) == ["日本", "語日", "本語"]
    assert list(wrapped("a bcdefgh", 4, " ")) == ["a", " bcd", " efg", " h"]


@settings(max_examples=50)
@given(LETTERS, st.integers(4, 12))
def test_no_line_is_wider_than_asked_and_no_letter_is_lost(text, width):
    lines = list(wrapped(text, width, "  "))

    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@settings(max_examples=50)
@given(st.text("ab ", max_size=40), st.integers(4, 12))
def test_narrow_letters_are_broken_as_the_standard_library_breaks_them(text, width):
    words = " ".join(word[:width] for word in text.split())

    assert list(wrapped(words, width)) == textwrap.wrap(words, width)
