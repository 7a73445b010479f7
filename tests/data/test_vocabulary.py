import json
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import BOS_ID, EOS_ID, PAD_ID, SPECIAL_SYMBOLS, UNK_ID, Vocabulary, table_of
from recurra.errors import ArgumentError, VocabularyError

# every code point, lone surrogates too, but the line end
CHARACTERS = st.characters(exclude_categories=(), exclude_characters="\n")
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1).filter(
    lambda word: word not in SPECIAL_SYMBOLS
)
SYMBOLS = st.lists(CHARACTERS | WORDS, unique=True, max_size=40)


def test_the_special_symbols_come_first():
    vocabulary = Vocabulary(["be", "to"])

    assert vocabulary.symbols == ("<pad>", "<unk>", "<bos>", "<eos>", "be", "to")
    assert vocabulary.known == ("be", "to")
    assert (PAD_ID, UNK_ID, BOS_ID, EOS_ID) == (0, 1, 2, 3)
    assert [vocabulary.symbols[number] for number in (PAD_ID, UNK_ID, BOS_ID, EOS_ID)] == list(SPECIAL_SYMBOLS)
    assert len(vocabulary) == 6
    assert len(Vocabulary("")) == 4


@given(known=SYMBOLS, text=st.lists(CHARACTERS | WORDS))
def test_symbols_are_numbered_from_4_on_and_others_are_unknown(known, text):
    vocabulary = Vocabulary(known)

    expected = [known.index(symbol) + 4 if symbol in known else UNK_ID for symbol in known + text]

    indices = vocabulary.indices(known + text)
    assert indices.dtype == np.int64
    assert indices.tolist() == expected
    assert [vocabulary.index(symbol) for symbol in known + text] == expected
    assert [vocabulary.symbols[number] for number in vocabulary.indices(known)] == known


@pytest.mark.parametrize(
    ("symbol", "index"), [("\n", EOS_ID), ("<eos>", EOS_ID), ("<unk>", UNK_ID), ("<pad>", UNK_ID), ("<bos>", UNK_ID)]
)
def test_special_names_in_a_text_are_line_ends_or_unknown(symbol, index):
    vocabulary = Vocabulary(["a"])

    assert vocabulary.index(symbol) == index
    assert vocabulary.indices([symbol, "a"]).tolist() == [index, 4]


@given(known=SYMBOLS)
def test_a_vocabulary_survives_as_plain_content(known):
    vocabulary = Vocabulary(known, range(len(known) + 4))

    loaded = Vocabulary.from_content(json.loads(json.dumps(vocabulary.to_content())))

    assert loaded == vocabulary
    assert loaded.counts == vocabulary.counts == tuple(range(len(known) + 4))
    assert loaded.fingerprint == vocabulary.fingerprint


def test_counts_may_be_missing():
    vocabulary = Vocabulary("ab")

    assert vocabulary.counts is None
    assert Vocabulary.from_content(vocabulary.to_content()).counts is None


def test_vocabularies_are_compared_by_their_symbols_in_order():
    assert Vocabulary("ab") == Vocabulary(["a", "b"], [0, 1, 0, 2, 3, 4])
    assert hash(Vocabulary("ab")) == hash(Vocabulary(["a", "b"]))
    assert Vocabulary("ab") != Vocabulary("ba")


def test_fingerprints_tell_symbols_and_their_borders_apart():
    vocabularies = [Vocabulary(known) for known in (["a", "b"], ["b", "a"], ["ab"], ["a"], [], ["a", "b", "c"])]

    fingerprints = [vocabulary.fingerprint for vocabulary in vocabularies]

    assert len(set(fingerprints)) == len(fingerprints)
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)


def test_a_vocabulary_cannot_be_changed():
    with pytest.raises(AttributeError):
        Vocabulary("ab").known = ("c",)


def test_pickling_keeps_a_vocabulary():
    vocabulary = Vocabulary("ab", [0, 1, 0, 2, 3, 4])
    vocabulary.index("a")

    loaded = pickle.loads(pickle.dumps(vocabulary))

    assert loaded == vocabulary
    assert loaded.counts == vocabulary.counts


@given(own=SYMBOLS, other=SYMBOLS)
def test_match_agrees_with_a_search(own, other):
    expected = [0, 1, 2, 3] + [other.index(symbol) + 4 if symbol in other else -1 for symbol in own]

    assert Vocabulary(own).match(Vocabulary(other)).tolist() == expected


@given(
    symbols=st.lists(st.sampled_from(["a", "b", "c", "d", "e", "\n", *SPECIAL_SYMBOLS]), unique=True),
    data=st.data(),
    min_count=st.integers(1, 4),
    max_size=st.none() | st.integers(1, 6),
)
def test_select_keeps_the_most_frequent_symbols(symbols, data, min_count, max_size):
    counts = [data.draw(st.integers(0, 6)) for _ in symbols]

    vocabulary = Vocabulary.select(symbols, counts, min_count=min_count, max_size=max_size)

    count_of = dict(zip(symbols, counts, strict=True))
    proper = [s for s in symbols if s not in ("\n", *SPECIAL_SYMBOLS) and count_of[s] >= min_count]
    kept = sorted(proper, key=lambda s: -count_of[s])[:max_size]
    assert list(vocabulary.known) == kept
    ends = sum(count_of.get(symbol, 0) for symbol in ("\n", "<eos>"))
    left_out = sum(counts) - ends - sum(count_of[symbol] for symbol in kept)
    assert vocabulary.counts == (0, left_out, 0, ends, *(count_of[symbol] for symbol in kept))


def test_the_counts_of_select_are_those_of_the_ids_of_the_text():
    text = ["the", "cat", "<unk>", "on", "the", "mat", "\n", "a", "cat", "<eos>", "the", "end", "\n"]
    symbols = list(dict.fromkeys(text))

    vocabulary = Vocabulary.select(symbols, [text.count(symbol) for symbol in symbols], min_count=2)

    by_id = Counter(vocabulary.indices(text).tolist())
    assert vocabulary.counts == tuple(by_id[number] for number in range(len(vocabulary)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"counts": [1]}, r"Vocabulary.select expected counts of shape \(len\(symbols\),\) = \(2,\), got \(1,\)"),
        ({"min_count": 0}, "Vocabulary.select expected min_count to be at least 1, got 0"),
        ({"max_size": 0}, "Vocabulary.select expected max_size to be at least 1, or None, got 0"),
    ],
)
def test_select_refuses_arguments_outside_their_range(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Vocabulary.select(["a", "b"], **({"counts": [1, 2]} | arguments))


def test_the_table_leads_from_raw_ids_to_ids():
    table = table_of(Vocabulary(["b", "a"]), ["a", "\n", "c", "<unk>", "b"])

    assert table.dtype == np.int64
    assert table.tolist() == [UNK_ID, 5, EOS_ID, UNK_ID, UNK_ID, 4]
    assert table_of(Vocabulary("a"), []).tolist() == [UNK_ID]


@pytest.mark.parametrize("symbol", ["<pad>", "<unk>", "<bos>", "<eos>", "", "\n", "a\nb", 7, None])
def test_other_symbols_are_refused(symbol):
    with pytest.raises(VocabularyError, match=r"not empty, without line ends and none of <pad>, .*; got ") as error:
        Vocabulary(["a", symbol])

    assert error.value.message.endswith(f"got {symbol!r}")


def test_halves_of_characters_are_refused_within_a_word():
    Vocabulary(["\ud83d", "\ude00"])

    with pytest.raises(VocabularyError, match=r"characters that UTF-8 can hold, got '\\ud83d\\ude00'"):
        Vocabulary(["\ud83d\ude00"])


def test_symbols_are_distinct():
    with pytest.raises(VocabularyError, match="expected distinct symbols, got 'b' twice"):
        Vocabulary("abcb")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], "expected counts of one number for each of 5 ids, got 2"),
        ([0, 0, 0, 0, -1], "expected counts that are integers from 0 on, got -1"),
        ([0, 0, 0, 0, 1.5], "expected counts that are integers from 0 on, got 1.5"),
    ],
)
def test_other_counts_are_refused(counts, message):
    with pytest.raises(VocabularyError, match=message):
        Vocabulary("a", counts)


def test_counts_of_numpy_become_plain_numbers():
    counts = Vocabulary("a", np.arange(5)).counts

    assert counts == (0, 1, 2, 3, 4)
    assert {type(count) for count in counts} == {int}


@pytest.mark.parametrize("wrong", [-1, 6])
def test_ids_outside_the_vocabulary_are_refused(wrong):
    with pytest.raises(VocabularyError, match=f"expected ids from 0 to 5, got {wrong}"):
        Vocabulary("ab").checked_ids([1, wrong])


def test_ids_are_integers():
    vocabulary = Vocabulary("ab")

    assert vocabulary.checked_ids(iter([4, 5])).tolist() == [4, 5]
    assert vocabulary.checked_ids(np.array([1, 0], np.uint8)).tolist() == [1, 0]
    assert vocabulary.checked_ids([]).dtype == np.int64
    with pytest.raises(VocabularyError, match="expected integer ids, got float64"):
        vocabulary.checked_ids([1.0])


HEAD = {"format": "recurra-vocabulary", "version": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected a vocabulary in vocab.json, got other JSON"),
        ({}, "expected a vocabulary in vocab.json, got other JSON"),
        (HEAD | {"version": 3}, "of version 2 in vocab.json, got version 3"),
        (HEAD, "a list of symbols in vocab.json, got None"),
        (HEAD | {"symbols": 3}, "a list of symbols in vocab.json, got 3"),
        (HEAD | {"symbols": [], "counts": 3}, "a list of counts in vocab.json, got 3"),
        (HEAD | {"symbols": ["a", 7]}, "; got 7"),
    ],
)
def test_other_content_is_refused(content, message):
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.from_content(content, origin="vocab.json")


def test_content_of_earlier_versions_says_what_to_do():
    with pytest.raises(VocabularyError, match="got one written by an earlier version") as error:
        Vocabulary.from_content(HEAD | {"version": 1, "symbols": ["a"]})

    assert error.value.hint == "train anew: its ids mean other symbols now"
