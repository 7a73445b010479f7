"""Tokens as signs that can be seen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.inspection.reading.visible_tokens import isolated, marks_line, visible
from recurra.inspection.terminal_columns import columns, padded


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("chat", "chat"),
        (" noir\n", "␣noir⏎"),
        ("a\tb", "a⇥b"),
        ("\r", "\\r"),
        ("\x00", "\\x00"),
        ("\xa0", "\\xa0"),
        ("\u200b", "\\u200b"),
        ("\udc80", "\\udc80"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("日本", "日本"),
        ("\ufe0f", "\\ufe0f"),
        ("❤\ufe0f", "❤\\ufe0f"),
        ("\U000e0100", "\\U000e0100"),
        ("\u180b", "\\u180b"),
        ("\u20e3", "◌\u20e3"),
        ("1\u20e3", "1\u20e3"),
        ("\u093f", "◌\u093f"),  # a vowel sign that has room of its own
        ("\u0940", "◌\u0940"),
        ("\u0915\u093f", "\u0915\u093f"),
        ("\u1161", "◌\u1161"),  # the vowel of a syllable
        ("\u3164", "\\u3164"),
        ("\u115f", "\\u115f"),
        ("\u1160", "\\u1160"),
        ("\u2800", "\\u2800"),
        ("\u034f", "\\u034f"),
        ("שלום", "שלום"),
        ("", ""),
        ("<unk>", "<unk>"),
    ],
)
def test_every_character_can_be_seen(token, expected):
    assert visible(token) == expected


@settings(max_examples=30)
@given(st.text(max_size=12))
def test_nothing_that_is_shown_breaks_a_line_or_a_terminal(token):
    assert visible(token).isprintable()
    assert " " not in visible(token)


@settings(max_examples=30)
@given(st.characters())
def test_every_character_alone_takes_a_column(character):
    assert columns(visible(character)) >= 1


def test_only_texts_from_right_to_left_are_isolated():
    assert [isolated(text) for text in ("chat", "日本", "שלום", "a١")] == [
        "chat",
        "日本",
        "\u2068שלום\u2069",
        "\u2068a١\u2069",
    ]


def test_marks_are_explained_where_they_stand():
    assert marks_line(["le", " chat\n"]) == "␣ space, ⏎ line end"
    assert marks_line(["a\tb"]) == "⇥ tab"
    assert marks_line(["le"]) == ""


@settings(max_examples=30)
@given(st.text(max_size=12), st.integers(2, 30))
def test_a_padded_text_takes_exactly_its_columns(token, width):
    assert columns(padded(visible(token), width)) == width
