import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import split_units
from recurra.data.corpus_builder import build_corpus
from recurra.data.corpus_description import Description, Reading

# text as it comes out of a file
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff\0")
SPACED = st.text(st.one_of(st.sampled_from("aA \n,.\u0130"), LETTERS), min_size=1, max_size=200)


def numbered(symbols):
    """Number symbols by first occurrence, the slow way."""
    numbers = {}
    return [numbers.setdefault(symbol, len(numbers) + 1) for symbol in symbols], tuple(numbers)


def read(folder, description, name):
    array = description.arrays[name]
    numbers = np.fromfile(folder / f"{name}.bin", array.dtype).tolist()
    assert len(numbers) == array.length
    return numbers


@settings(max_examples=100, deadline=None)
@given(text=st.text(LETTERS, min_size=1, max_size=400), chunk_bytes=st.integers(1, 50), lowercase=st.booleans())
def test_characters_are_numbered_by_first_occurrence(tmp_path_factory, text, chunk_bytes, lowercase):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "text.txt").write_bytes(text.encode())

    description = build_corpus([folder / "text.txt"], folder, Reading(lowercase=lowercase), chunk_bytes=chunk_bytes)

    expected, symbols = numbered(split_units(text, "char", lowercase=lowercase))
    assert read(folder, description, "ids") == expected
    assert description.symbols == symbols
    assert (description.num_chars, description.borders) == (len(text), (len(text),))
    if not lowercase:
        assert description.fingerprint == hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(SPACED, min_size=1, max_size=3),
    chunk_bytes=st.integers(1, 50),
    rule=st.sampled_from(["word", "whitespace"]),
    lowercase=st.booleans(),
)
def test_words_are_numbered_and_know_where_they_end(tmp_path_factory, texts, chunk_bytes, rule, lowercase):
    folder = tmp_path_factory.mktemp("corpus")
    texts[-1] += "a"  # not white space alone
    paths = [folder / f"{number}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())

    description = build_corpus(paths, folder, Reading(rule, lowercase), chunk_bytes=chunk_bytes)

    ended = [text if text.endswith("\n") else text + "\n" for text in texts[:-1]] + texts[-1:]
    whole = "".join(ended)
    found, ends, position = split_units(whole, rule), [], 0
    for unit in found:
        position = whole.index(unit, position) + len(unit)
        ends.append(position)
    expected, symbols = numbered([unit.lower() for unit in found] if lowercase else found)
    assert read(folder, description, "ids") == expected
    assert description.symbols == symbols
    assert read(folder, description, "ends") == [*ends[:-1], len(whole)]
    assert description.num_chars == len(whole)
    assert description.borders == tuple(
        len(split_units("".join(ended[: number + 1]), rule)) for number in range(len(ended))
    )


@pytest.mark.parametrize(
    ("distinct", "dtype"), [(255, "|u1"), (256, "<u2"), (300, "<u2"), (65535, "<u2"), (65536, "<u4")]
)
@pytest.mark.parametrize("rule", ["char", "whitespace"])
def test_ids_are_as_wide_as_the_symbols_need(write, tmp_path, distinct, dtype, rule):
    symbols = list(map(chr, range(0x10000, 0x10000 + distinct)))
    path = write(("" if rule == "char" else " ").join(symbols * 2))

    description = build_corpus([path], tmp_path, Reading(rule), chunk_bytes=4000)

    assert description.arrays["ids"].dtype == dtype
    assert read(tmp_path, description, "ids") == [*range(1, distinct + 1)] * 2
    assert not (tmp_path / "ids.wider").exists()


def test_white_space_behind_the_last_word_counts_to_it_wherever_it_is_read(write, tmp_path):
    path = write("one two" + " " * 3000)

    description = build_corpus([path], tmp_path, Reading("word"), chunk_bytes=100)

    assert read(tmp_path, description, "ends") == [3, 3007]


def test_a_description_comes_back_from_json(write, tmp_path):
    description = build_corpus([write("one \u20ac\n")], tmp_path, Reading("word", lowercase=True))

    assert Description.from_json(description.to_json()) == description


def test_what_is_no_description_is_refused():
    for data in (b"3", b"[]", b'{"format": "other", "version": 2}', b"{"):
        with pytest.raises(ValueError, match=r"another format|Expecting"):
            Description.from_json(data)
