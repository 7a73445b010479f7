import re
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recurra.data import split_units, units
from recurra.data.units import RULES, iter_pieces, lowercase_chars, unit_ends
from recurra.errors import ChoiceError, DataError

# characters that the rules treat differently, and some of every kind
TEXTS = st.text(
    st.sampled_from("ab1Z\u0130\u03a3 \t\n\u2028\u00a0'\u2019-.,!_$\u0301\u00e9\u65e5\u3002\U0001f600\ud800")
)
every_rule = pytest.mark.parametrize("rule", RULES)
cutting_rule = pytest.mark.parametrize("rule", ["word", "whitespace"])


def units_of(chunks, rule, *, lowercase=False, origin="the text"):
    """The units of a text that comes in chunks."""
    pieces = iter_pieces(chunks, rule, origin=origin)
    return [unit for piece in pieces for unit in split_units(piece, rule, lowercase=lowercase)]


def kind(char):
    if char.isspace():
        return "space"
    return "mark" if unicodedata.category(char)[0] in "PS" else "inner"


def words_one_by_one(text):
    """The rule for words, character by character."""
    found, position = [], 0
    while position < len(text):
        begin, here = position, kind(text[position])
        position += 1
        if here == "inner":
            while position < len(text):
                before, char, behind = text[position - 1], text[position], text[position + 1 : position + 2]
                joins = char in "'\u2019-\u2010\u2011" and behind and kind(behind) == "inner"
                joins_digits = char in ".," and before.isdecimal() and behind.isdecimal()
                if kind(char) != "inner" and not joins and not joins_digits:
                    break
                position += 1
        if here != "space" or text[begin] == "\n":
            found.append(text[begin:position])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't we\u2019ll 'tis dogs'", ["don't", "we\u2019ll", "'", "tis", "dogs", "'"]),
        ("well-known state-of-the-art -x x-", ["well-known", "state-of-the-art", "-", "x", "x", "-"]),
        ("3.5 1,000.25 .5 5. a.b 1.a", ["3.5", "1,000.25", ".", "5", "5", ".", "a", ".", "b", "1", ".", "a"]),
        ("wait... (no) \u201cyes\u201d", ["wait", ".", ".", ".", "(", "no", ")", "\u201c", "yes", "\u201d"]),
        ("snake_case $5 a+b", ["snake", "_", "case", "$", "5", "a", "+", "b"]),
        ("a--b x'-y", ["a", "-", "-", "b", "x", "'", "-", "y"]),
        (
            "e\u0301t\u00e9 \u0939\u093f\u0928\u094d\u0926\u0940",
            ["e\u0301t\u00e9", "\u0939\u093f\u0928\u094d\u0926\u0940"],
        ),
        (
            "\u65e5\u672c\u3002\u8a9e \U0001f600\U0001f600",
            ["\u65e5\u672c", "\u3002", "\u8a9e", "\U0001f600", "\U0001f600"],
        ),
        ("a\u2010b a\u2011b v2.0-rc1", ["a\u2010b", "a\u2011b", "v2.0-rc1"]),
        ("<unk>", ["<", "unk", ">"]),
        ("a\n\n b \t\n", ["a", "\n", "\n", "b", "\n"]),
        (" \t\u3000", []),
        ("", []),
    ],
)
def test_words_and_punctuation_are_units(text, expected):
    assert split_units(text, "word") == expected


@settings(max_examples=300)
@given(TEXTS)
@example("1.,1")
@example("a'\n'b")
def test_words_are_those_of_the_rule(text):
    assert split_units(text, "word") == words_one_by_one(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the <unk> 's , n't\n", ["the", "<unk>", "'s", ",", "n't", "\n"]),
        ("a\u00a0b\u2028c\td", ["a", "b", "c", "d"]),
        ("\n\n  a", ["\n", "\n", "a"]),
        ("", []),
        ("  ", []),
    ],
)
def test_tokens_are_what_stands_between_white_space(text, expected):
    assert split_units(text, "whitespace") == expected


@given(TEXTS)
def test_tokens_are_those_of_the_rule(text):
    assert split_units(text, "whitespace") == re.findall(r"\S+|\n", text)


@given(TEXTS)
def test_characters_are_units(text):
    assert split_units(text, "char") == list(text)


def test_units_come_in_lower_case():
    assert split_units("Don't SHOUT, \u0130\u03a3\u03a3!", "word", lowercase=True) == [
        "don't",
        "shout",
        ",",
        "i\u0307\u03c3\u03c2",
        "!",
    ]
    assert split_units("A <UNK>", "whitespace", lowercase=True) == ["a", "<unk>"]
    assert split_units("A\u0130\u03a3", "char", lowercase=True) == ["a", "i", "\u03c3"]


@given(TEXTS)
def test_lower_case_changes_no_length(text):
    lowered = lowercase_chars(text)

    assert lowered == "".join(char.lower()[0] for char in text)


def test_all_that_the_rules_look_at_lies_in_the_first_planes_of_unicode():
    beyond = [chr(code) for code in range(units._PLANES_0_AND_1, sys.maxunicode + 1)]

    assert not any(unicodedata.category(char)[0] in "PS" for char in beyond)
    assert "".join(beyond).lower() == "".join(beyond)
    assert not any(chr(code).isspace() for code in range(units._LAST_SPACE + 1, sys.maxunicode + 1))


@every_rule
@settings(max_examples=100)
@given(text=TEXTS, lowercase=st.booleans(), data=st.data())
def test_borders_of_chunks_change_nothing(rule, text, lowercase, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    found = units_of(chunks, rule, lowercase=lowercase)

    assert found == split_units(text, rule, lowercase=lowercase)
    assert "".join(iter_pieces(chunks, rule)) == text


@cutting_rule
@given(text=TEXTS)
def test_every_unit_ends_where_it_stands_in_the_text(rule, text):
    found = split_units(text, rule)
    expected, position = [], 0
    for unit in found:
        position = text.index(unit, position) + len(unit)
        expected.append(position)

    ends = unit_ends(text, found)

    assert ends.tolist() == expected
    assert ends.dtype == np.int64


@pytest.mark.parametrize(("rule", "noun"), [("word", "words"), ("whitespace", "tokens")])
@pytest.mark.parametrize("size", [7, 10, 25, 1000])
def test_a_run_without_a_border_is_refused_wherever_chunks_end(monkeypatch, rule, noun, size):
    monkeypatch.setattr(units, "MAX_RUN", 10)
    longest, longer = f"ab\ncd\n{'x' * 10} yz", f"ab\ncd\n{'x' * 11} yz"

    def chunks(text):
        return (text[begin : begin + size] for begin in range(0, len(text), size))

    assert units_of(chunks(longest), rule) == split_units(longest, rule)
    with pytest.raises(
        DataError, match=f"expected a border between {noun} within 10 characters, got a longer run in line 3 of a.txt"
    ) as caught:
        units_of(chunks(longer), rule, origin="a.txt")
    assert caught.value.hint == 'use tokenizer = "char" or "bpe"'


def test_a_run_at_the_end_of_the_text_is_refused_when_it_is_too_long():
    assert len(units_of(["x" * 500_000] * 2, "word")) == 1
    with pytest.raises(DataError, match="within 1,000,000 characters, got a longer run in line 1 of the text"):
        units_of([*["x" * 500_000] * 2, "x"], "word")


def test_punctuation_that_joins_nothing_is_a_border_for_words(monkeypatch):
    monkeypatch.setattr(units, "MAX_RUN", 10)
    text = "\u65e5\u672c\u3002" * 20

    found = units_of([text], "word")

    assert found == ["\u65e5\u672c", "\u3002"] * 20
    with pytest.raises(DataError, match="longer run in line 1"):
        units_of([text], "whitespace")


def test_text_of_characters_may_be_of_any_form():
    chunks = ["x" * 1_500_000]

    assert list(map(len, iter_pieces(chunks, "char"))) == [1_500_000]


@cutting_rule
def test_text_is_handed_on_before_it_has_all_come(rule):
    def chunks():
        yield "one two thr"
        raise RuntimeError("asked for more")

    found = iter_pieces(chunks(), rule)

    assert next(found) == "one two "
    with pytest.raises(RuntimeError, match="asked for more"):
        next(found)


def test_the_store_of_known_runs_stays_small(monkeypatch):
    monkeypatch.setattr(units._Runs, "_MAX_RUNS", 4)
    runs = units._Runs(re.compile(r"[a-z]+|,"))

    parts = [runs[f"{'abcdefgh'[number]},x"] for number in range(8)]

    assert parts == [["abcdefgh"[number], ",", "x"] for number in range(8)]
    assert len(runs) <= 4
    assert runs["a" * 65] == ["a" * 65]
    assert "a" * 65 not in runs


@pytest.mark.parametrize("call", [split_units, lambda text, rule: units_of([text], rule)])
def test_an_unknown_rule_is_refused(call):
    with pytest.raises(ChoiceError, match="expected rule to be one of char, word, whitespace; got 'words'") as caught:
        call("text", "words")
    assert caught.value.hint == "did you mean 'word'?"
