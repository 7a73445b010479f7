from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.decoding import StopString
from recurra.errors import ArgumentError

quick = settings(deadline=None, max_examples=400)
# two letters only, so that stop strings occur, overlap themselves and nearly occur
few = st.text(alphabet="ab", max_size=12)
pieces = st.lists(few, max_size=8)
stops = st.text(alphabet="ab", min_size=1, max_size=6)


def longest_possible_beginning(text: str, stop: str) -> int:
    return max(k for k in range(len(stop)) if text.endswith(stop[:k]))


@quick
@given(pieces, stops)
def test_what_is_shown_ends_where_find_finds_the_stop_string(pieces, stop):
    stream = StopString(stop)

    shown = "".join(stream.feed(piece) for piece in pieces) + stream.flush()

    text = "".join(pieces)
    at = text.find(stop)
    assert shown == (text if at < 0 else text[:at])
    assert stream.finished == (at >= 0)


@quick
@given(pieces, stops)
def test_only_a_possible_beginning_is_held_back(pieces, stop):
    stream = StopString(stop)
    text = shown = ""

    for piece in pieces:
        text += piece
        shown += stream.feed(piece)

        assert stream.finished == (stop in text)
        if stream.finished:
            break
        assert shown == text[: len(text) - longest_possible_beginning(text, stop)]


@quick
@given(st.text(max_size=40), st.text(min_size=1, max_size=3), st.integers(1, 5))
def test_any_unicode_text_comes_through_piece_borders(text, stop, width):
    stream = StopString(stop)

    shown = "".join(stream.feed(text[i : i + width]) for i in range(0, len(text), width)) + stream.flush()

    assert shown == text.split(stop)[0]
    assert stream.finished == (stop in text)


def test_a_beginning_that_repeats_is_found():
    stream = StopString("aab")

    assert [stream.feed(character) for character in "aaab"] == ["", "", "a", ""]
    assert stream.finished


def test_a_stop_string_inside_one_piece_hides_what_follows():
    stream = StopString("\n\n")

    assert stream.feed("one\ntwo\n\nthree") == "one\ntwo"
    assert stream.feed("four") == ""
    assert stream.flush() == ""


def test_a_stop_string_over_several_pieces_is_not_shown():
    stream = StopString("<|end|>")

    assert [stream.feed(piece) for piece in ("a <", "|en", "d", "|", "> b")] == ["a ", "", "", "", ""]
    assert stream.finished


def test_flush_gives_what_was_held_back_once():
    stream = StopString("END")
    stream.feed("the EN")

    assert stream.flush() == "EN"
    assert stream.flush() == ""
    assert not stream.finished


def test_text_after_flush_does_not_continue_what_was_flushed():
    stream = StopString("END")
    stream.feed("EN")
    stream.flush()

    assert stream.feed("D") == "D"
    assert not stream.finished


def test_combined_characters_are_compared_code_point_by_code_point():
    composed, decomposed = "\u00e9", "e\u0301"
    stream = StopString(composed)

    assert stream.feed(decomposed) == decomposed
    assert not stream.finished
    assert stream.feed("\U0001f469\u200d" + composed) == "\U0001f469\u200d"
    assert stream.finished


def test_a_long_self_similar_stop_string_costs_linear_time():
    stream = StopString("a" * 5000 + "b")

    shown = stream.feed("a" * 200_000)  # quadratic work would take minutes here

    assert len(shown) == 195_000
    assert len(stream.flush()) == 5000


@pytest.mark.parametrize("stop", ["", None, b"END"])
def test_a_stop_string_without_characters_is_refused(stop):
    with pytest.raises(ArgumentError) as caught:
        StopString(stop)

    assert str(caught.value) == (f"StopString expected stop to be a string of at least one character, got {stop!r}")
