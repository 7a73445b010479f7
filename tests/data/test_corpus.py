import gzip
import hashlib
import pickle

import numpy as np
import pytest

from recurra.data import Columns, corpus, open_corpus
from recurra.errors import ArgumentError, ChoiceError, DataError

TABLE = "text,kind\nOne two,a\nthree  four!,b\nFIVE,a\n"


def stored(opened):
    return opened.ids(0, opened.num_units).tolist()


def text_of(opened, *bounds):
    symbols = ("", *opened.symbols)
    return "".join(symbols[number] for number in opened.ids(*bounds or (0, opened.num_units)))


def units_of(opened):
    return [opened.symbols[number - 1] for number in stored(opened)]


def test_one_character_is_a_corpus(write, cache):
    opened = open_corpus([write("\U0001f600")])

    assert stored(opened) == [1]
    assert opened.symbols == ("\U0001f600",)
    assert (opened.num_units, opened.borders, opened.newline_id) == (1, (1,), None)
    assert (opened.rule, opened.lowercase, opened.columns) == ("char", False, None)
    assert (opened.line_labels, opened.label_names, opened.num_joined) == (None, (), 0)


def test_characters_and_their_counts(write, cache):
    opened = open_corpus([write("abca\nb", "a.txt"), write("cc\n", "b.txt")])

    assert stored(opened) == [1, 2, 3, 1, 4, 2, 3, 3, 4]
    assert opened.symbols == ("a", "b", "c", "\n")
    assert (opened.newline_id, opened.borders) == (4, (6, 9))
    assert opened.num_chars(2, 7) == 5
    assert opened.counts(0, 9).tolist() == [0, 2, 2, 3, 2]
    assert opened.counts(3, 6).tolist() == [0, 1, 1, 0, 1]
    assert opened.counts(3, 3).tolist() == [0] * 5
    assert opened.counts(0, 9).dtype == np.int64


def test_counts_are_those_of_the_range_however_long_it_is(write, cache, monkeypatch):
    monkeypatch.setattr(corpus, "_COUNTED_AT_ONCE", 3)
    opened = open_corpus([write("a b c a b a \n c c a")], rule="whitespace")

    for start in range(11):
        for stop in range(start, 11):
            expected = [opened.raw[start:stop].tolist().count(number) for number in range(5)]
            assert opened.counts(start, stop).tolist() == expected


def test_words_know_their_characters(write, cache):
    text = "  It\u2019s  late, \u0130t is.\n\n Go!  "
    opened = open_corpus([write(text)], rule="word")

    assert units_of(opened) == ["It\u2019s", "late", ",", "\u0130t", "is", ".", "\n", "\n", "Go", "!"]
    assert opened.num_chars(0, 10) == len(text)
    assert opened.num_chars(0, 2) == len("  It\u2019s  late")
    assert opened.num_chars(3, 4) == len(" \u0130t")
    assert opened.num_chars(9, 10) == len("!  ")
    assert opened.num_chars(4, 4) == opened.num_chars(0, 0) == opened.num_chars(10, 10) == 0
    assert (opened.newline_id, opened.num_units, opened.rule) == (7, 10, "word")


@pytest.mark.parametrize("rule", ["char", "word"])
def test_the_characters_of_several_ranges_count_together(write, cache, rule):
    opened = open_corpus([write("  It\u2019s  late, \u0130t is.\n\n Go!  ")], rule=rule)
    starts, stops = np.array([0, 3, 5, 9]), np.array([2, 4, 5, 10])

    expected = sum(opened.num_chars(start, stop) for start, stop in zip([0, 3, 5, 9], [2, 4, 5, 10], strict=True))
    assert opened.num_chars(starts, stops) == expected
    assert opened.num_chars(starts[:0], stops[:0]) == 0
    with pytest.raises(ArgumentError, match=r"got start=3, stop=1"):
        opened.num_chars(starts, stops[[0, 0, 2, 3]] - np.array([0, 1, 0, 0]))


def test_lower_case_joins_symbols_and_keeps_the_characters(write, cache):
    path = write("The the \u0130 THE\n")

    opened = open_corpus([path], rule="word", lowercase=True)

    assert opened.symbols == ("the", "i\u0307", "\n")
    assert opened.counts(0, 5).tolist() == [0, 3, 1, 1]
    assert opened.num_chars(0, 5) == 14
    assert opened.lowercase
    assert text_of(open_corpus([path], lowercase=True)) == "the the i the\n"


def test_tokenised_text_keeps_its_tokens(write, cache):
    opened = open_corpus([write(" the <unk> 's N\n no it\n")], rule="whitespace")

    assert opened.symbols == ("the", "<unk>", "'s", "N", "\n", "no", "it")
    assert stored(opened) == [1, 2, 3, 4, 5, 6, 7, 5]


@pytest.mark.parametrize("rule", ["word", "whitespace"])
def test_lines_of_two_files_never_join_where_words_are_read(write, cache, rule):
    paths = [write("one two ", "a.txt"), write("three\n", "b.txt"), write("four", "c.txt"), write("five", "d.txt")]

    opened = open_corpus(paths, rule=rule)

    assert units_of(opened) == ["one", "two", "\n", "three", "\n", "four", "\n", "five"]
    assert opened.borders == (3, 5, 7, 8)
    assert opened.num_chars(0, 3) == len("one two \n")
    assert opened.num_chars(0, 8) == len("one two \nthree\nfour\nfive")


def test_characters_of_files_are_joined_as_they_stand_unless_they_are_records(write, cache):
    paths = [write("one", "a.txt"), write("two", "b.txt")]

    assert text_of(open_corpus(paths)) == "onetwo"
    assert text_of(open_corpus(paths, columns=Columns())) == "one\ntwo\n"


def test_columns_give_text_and_labels(write, cache):
    paths = [write(TABLE, "a.csv"), write('text,kind\n"x\ny",c\n', "b.csv")]
    columns = Columns("text", "kind")

    chars, words = open_corpus(paths, columns=columns), open_corpus(paths, rule="word", lowercase=True, columns=columns)

    assert text_of(chars) == "One two\nthree  four!\nFIVE\nx y\n"
    assert units_of(words) == ["one", "two", "\n", "three", "four", "!", "\n", "five", "\n", "x", "y", "\n"]
    assert words.borders == (9, 12)
    for opened in (chars, words):
        assert opened.columns == columns
        assert opened.label_names == ("a", "b", "c")
        assert opened.line_labels.tolist() == [0, 1, 0, 2]
        assert opened.num_joined == 1


def test_files_can_be_labels(write, cache):
    paths = [write("Rossi\nBianchi", "Italian.txt"), write(gzip.compress(b"Dubois\n"), "French.txt.gz")]

    opened = open_corpus(paths, columns=Columns(label="file"))

    assert text_of(opened) == "Rossi\nBianchi\nDubois\n"
    assert opened.label_names == ("Italian", "French")
    assert opened.line_labels.tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="read-only"):
        opened.line_labels[0] = 1


def test_more_labels_than_a_byte_holds(write, cache):
    path = write("".join(f"x,{number}\n" for number in range(1000)) + "x,0\n", "t.csv")

    opened = open_corpus([path], columns=Columns("1", "2"))

    assert opened.line_labels.tolist() == [*range(1000), 0]
    assert opened.label_names == tuple(map(str, range(1000)))


def test_the_corpus_tells_where_it_comes_from(write, cache):
    first, second = write("\ufeffab\r\n", "a.txt"), write(gzip.compress(b"cab"), "b.gz")

    opened = open_corpus([first, str(second)])

    assert stored(opened) == [1, 2, 3, 4, 1, 2]
    assert [source.path for source in opened.sources] == [str(first), str(second)]
    assert [source.size_bytes for source in opened.sources] == [first.stat().st_size, second.stat().st_size]
    for source, path in zip(opened.sources, (first, second), strict=True):
        assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_ranges_outside_the_text_are_refused(write, cache):
    opened = open_corpus([write("text")])

    for start, stop in [(-1, 2), (0, 5), (3, 2)]:
        for method in (opened.ids, opened.num_chars, opened.counts):
            with pytest.raises(ArgumentError, match=f"0 <= start <= stop <= 4, got start={start}, stop={stop}"):
                method(start, stop)
    assert opened.ids(4, 4).tolist() == []


def test_ids_are_a_read_only_view_of_the_file(write, cache):
    opened = open_corpus([write("text")])

    ids = opened.ids(1, 3)

    assert isinstance(opened.raw.base, np.memmap)
    assert np.shares_memory(ids, opened.raw)
    assert opened.raw.tolist() == [1, 2, 3, 1]
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 1


def test_a_pickled_corpus_carries_no_text(write, cache):
    path = write("text,kind\n" + "ab cd,x\n" * 10_000, "t.csv")
    opened = open_corpus([path], rule="word", columns=Columns("text", "kind"))
    assert opened.num_chars(0, 30_000) == 60_000
    assert len(opened.line_labels) == 10_000

    pickled = pickle.dumps(opened)

    assert len(pickled) < 3000
    again = pickle.loads(pickled)
    assert stored(again) == stored(opened)
    assert again.line_labels.tolist() == opened.line_labels.tolist()


def test_a_corpus_shows_its_size(write, cache):
    assert repr(open_corpus([write("text")])) == "Corpus(rule='char', 4 units, 3 distinct)"


def test_an_unknown_rule_is_refused_before_anything_is_read(cache):
    with pytest.raises(ChoiceError, match="expected rule to be one of char, word, whitespace; got 'bpe'"):
        open_corpus(["missing.txt"], rule="bpe")


def test_white_space_alone_has_no_words(write, cache):
    with pytest.raises(DataError, match=r"expected text in .*text\.txt, got white space only"):
        open_corpus([write(" \t ")], rule="word")
    assert open_corpus([write(" \t ")]).num_units == 3


def test_text_without_borders_names_file_and_line(write, cache):
    paths = [write("fine\n", "a.txt"), write("one\ntwo\n" + "x" * 1_000_001, "b.txt")]

    with pytest.raises(DataError, match=r"within 1,000,000 characters, got a longer run in line 3 of .*b\.txt"):
        open_corpus(paths, rule="whitespace")
    assert list((cache / "corpora-2").iterdir()) == []


def test_no_files_are_refused(cache):
    with pytest.raises(DataError, match="open_corpus expected at least one file, got none"):
        open_corpus([])


@pytest.mark.realdata
def test_real_text_comes_back(real_data, cache):
    paths = [real_data / "books/book_EN_grimms_fairy_tails.txt", real_data / "eng-fra/eng-fra.txt"]
    text = "".join(path.read_text(encoding="utf-8-sig") for path in paths)

    opened = open_corpus(paths)

    assert opened.num_units == len(text)
    assert np.count_nonzero(opened.counts(0, 540_240)) == 86
    assert text_of(opened) == text


@pytest.mark.realdata
def test_the_treebank_has_its_known_sizes(real_data, cache):
    paths = [real_data / f"ptb/ptb.{part}.txt" for part in ("train", "valid", "test")]

    opened = open_corpus(paths, rule="whitespace")

    # Mikolov et al. 2010 and all after them: 930k, 74k and 82k tokens with line ends, of 10,000 kinds
    assert np.diff([0, *opened.borders]).tolist() == [929_589, 73_760, 82_430]
    assert len(opened.symbols) == 10_000
    assert np.count_nonzero(opened.counts(0, opened.borders[0])) == 10_000
    assert opened.num_chars(0, opened.num_units) == sum(path.stat().st_size for path in paths)
