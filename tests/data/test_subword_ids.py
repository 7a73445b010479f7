from itertools import pairwise

import numpy as np
import pytest

from recurra.data import corpus_text, open_corpus, open_subwords, train_bpe
from recurra.data import subword_ids as module
from recurra.errors import ArgumentError, DataError

TEXT = "the cat sat on the mat\n\nthe caf\u00e9 \U0001f600  sat too\n" * 40
TOKENIZER = train_bpe([TEXT], 300)


@pytest.fixture
def corpus(cache, write):
    return open_corpus([write(TEXT)])


def texts_of(subwords):
    return [TOKENIZER.decode(subwords.ids.read(start, stop)) for start, stop in subwords.ranges]


@pytest.mark.parametrize("block_chars", [1, 7, 1 << 20])
def test_ids_are_those_of_the_text_of_each_range(corpus, monkeypatch, block_chars):
    monkeypatch.setattr(corpus_text, "_BLOCK_CHARS", block_chars)
    ranges = [(0, 1000), (1000, 1500), (1501, len(TEXT))]

    subwords = open_subwords(corpus, ranges, TOKENIZER)

    expected = [TOKENIZER.encode(TEXT[start:stop]) for start, stop in ranges]
    assert subwords.ids.read(0, len(subwords.ids)).tolist() == np.concatenate(expected).tolist()
    borders = np.cumsum([0, *map(len, expected)]).tolist()
    assert list(subwords.ranges) == list(pairwise(borders))
    assert subwords.ids.raw.dtype == np.uint16
    assert not subwords.ids.raw.flags.writeable


def test_no_subword_goes_across_the_border_of_a_range(corpus):
    middle = TEXT.index("sat") + 1

    subwords = open_subwords(corpus, [(0, middle), (middle, 100)], TOKENIZER)

    assert texts_of(subwords) == [TEXT[:middle], TEXT[middle:100]]


def test_ranges_may_be_empty(corpus):
    assert texts_of(open_subwords(corpus, [(5, 5), (0, 3)], TOKENIZER)) == ["", "the"]
    empty = open_subwords(corpus, [(5, 5)], TOKENIZER)
    assert (len(empty.ids), empty.ranges) == (0, ((0, 0),))
    assert open_subwords(corpus, [], TOKENIZER).ranges == ()


def test_the_cache_is_used_again(corpus, monkeypatch):
    first = open_subwords(corpus, [(0, 500)], TOKENIZER)

    monkeypatch.setattr(module, "_write_ids", None)
    again = open_subwords(corpus, [(0, 500)], TOKENIZER)

    assert again.ranges == first.ranges
    assert again.ids.raw.tolist() == first.ids.raw.tolist()


def test_other_ranges_tokenizers_and_texts_have_entries_of_their_own(corpus, write):
    other_tokenizer, other_corpus = train_bpe([TEXT], 290), open_corpus([write(TEXT[::-1], "other.txt")])

    opened = [
        (open_subwords(corpus, [(0, 500)], TOKENIZER), TOKENIZER, TEXT[:500]),
        (open_subwords(corpus, [(0, 501)], TOKENIZER), TOKENIZER, TEXT[:501]),
        (open_subwords(corpus, [(0, 500)], other_tokenizer), other_tokenizer, TEXT[:500]),
        (open_subwords(other_corpus, [(0, 500)], TOKENIZER), TOKENIZER, TEXT[::-1][:500]),
    ]

    for subwords, tokenizer, text in opened:
        assert subwords.ids.raw.tolist() == tokenizer.encode(text).tolist()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"borders": [0, 5, 3]}', b'{"borders": [0]}'])
def test_a_damaged_entry_is_made_anew(corpus, cache, content):
    open_subwords(corpus, [(0, 500)], TOKENIZER)
    (entry,) = cache.glob("subwords-*/*.json")
    entry.write_bytes(content)

    assert texts_of(open_subwords(corpus, [(0, 500)], TOKENIZER)) == [TEXT[:500]]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"abc")])
def test_damaged_ids_are_made_anew(corpus, cache, damage):
    open_subwords(corpus, [(0, 500)], TOKENIZER)
    (ids,) = cache.glob("subwords-*/*.bin")
    damage(ids)

    assert texts_of(open_subwords(corpus, [(0, 500)], TOKENIZER)) == [TEXT[:500]]


def test_nothing_else_is_left_in_the_cache(corpus, tmp_path):
    open_subwords(corpus, [(0, 500)], TOKENIZER, tmp_path / "here")

    assert sorted(path.suffix for path in (tmp_path / "here").rglob("*") if path.is_file()) == [".bin", ".json"]
    assert len(list((tmp_path / "here").rglob("*"))) == 3


def test_words_are_refused(cache, write):
    with pytest.raises(ArgumentError, match='open_subwords expected a corpus of rule "char", got one of rule "word"'):
        open_subwords(open_corpus([write(TEXT)], rule="word"), [(0, 5)], TOKENIZER)


@pytest.mark.parametrize("wrong", [(0, len(TEXT) + 1), (-1, 5), (5, 4)])
def test_ranges_lie_inside_the_text(corpus, wrong):
    with pytest.raises(ArgumentError, match=f"got start={wrong[0]}, stop={wrong[1]}"):
        open_subwords(corpus, [(0, 5), wrong], TOKENIZER)


def test_a_cache_that_cannot_be_written_is_reported(corpus, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DataError, match="expected to write to the cache folder"):
        open_subwords(corpus, [(0, 5)], TOKENIZER, tmp_path / "file")


def test_many_ids_take_a_wider_type(corpus, monkeypatch):
    monkeypatch.setattr(type(TOKENIZER), "__len__", lambda self: (1 << 16) + 1)

    assert open_subwords(corpus, [(0, 50)], TOKENIZER).ids.raw.dtype == np.uint32
