import gzip
import lzma
import struct
import tracemalloc

import numpy as np
import pytest

from recurra.data import read_vectors, word_vectors
from recurra.errors import ArgumentError, DataError, DataNotFoundError, EncodingError, VocabularyError

GLOVE = "the 0.5 -1.25 2\n, 1e-3 0 7\nof 3 4 5\n"


def test_vectors_come_in_the_order_of_the_symbols(write):
    vectors = read_vectors(write(GLOVE), ["<unk>", "of", "missing", "the"])

    assert vectors.matrix.dtype == np.float32
    np.testing.assert_array_equal(vectors.matrix, [[0, 0, 0], [3, 4, 5], [0, 0, 0], [0.5, -1.25, 2]])
    assert vectors.found.tolist() == [False, True, False, True]
    assert (vectors.width, vectors.num_rows, vectors.num_exact, vectors.num_lowered) == (3, 3, 2, 0)


def test_the_format_of_word2vec_has_a_line_in_front(write):
    path = write("3 3\n" + GLOVE.replace("\n", " \n"))  # its own program ends rows with a space

    vectors = read_vectors(path, ["of", "the", "3"])

    np.testing.assert_array_equal(vectors.matrix, [[3, 4, 5], [0.5, -1.25, 2], [0, 0, 0]])
    assert vectors.num_rows == 3


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_packed_files_are_unpacked(write, suffix, pack):
    vectors = read_vectors(write(pack(GLOVE.encode()), f"vectors.txt{suffix}"), ["of"])

    np.testing.assert_array_equal(vectors.matrix, [[3, 4, 5]])


def test_what_is_missing_is_looked_for_in_lower_case(write):
    path = write("paris 1\nLondon 2\nlondon 3\nÉCOLE 4\nécole 5\n")

    vectors = read_vectors(path, ["Paris", "PARIS", "London", "LONDON", "École", "Rome", "paris"])

    assert vectors.matrix[:, 0].tolist() == [1, 1, 2, 3, 5, 0, 1]
    assert (vectors.num_exact, vectors.num_lowered) == (2, 4)


def test_the_exact_word_counts_even_where_the_lower_case_comes_first(write):
    assert read_vectors(write("us 1\nUS 2\n"), ["US", "us"]).matrix[:, 0].tolist() == [2, 1]


def test_of_several_rows_for_a_word_the_first_counts(write):
    vectors = read_vectors(write("a 1\nb 2\na 3\nA 4\n"), ["a", "A", "b"])

    assert vectors.matrix[:, 0].tolist() == [1, 4, 2]
    assert vectors.num_rows == 4


def test_a_symbol_that_is_asked_for_twice_is_given_twice(write):
    vectors = read_vectors(write(GLOVE), ["of", "of"])

    assert vectors.matrix.tolist() == [[3, 4, 5], [3, 4, 5]]
    assert vectors.num_exact == 2


def test_words_may_hold_spaces_and_what_others_take_for_white_space(write):
    rows = ["a 1 2", ". . . 3 4", "at name@domain.com 5 6", "x\u0085y 7 8", "\u2028 9 10", "n\u00a0b 11 12", "1 13 14"]
    words = ["a", ". . .", "at name@domain.com", "x\u0085y", "\u2028", "n\u00a0b", "1"]

    vectors = read_vectors(write("\n".join(rows)), words)

    assert vectors.found.all()
    np.testing.assert_array_equal(vectors.matrix.ravel(), np.arange(1, 15))
    assert vectors.num_rows == 7


def test_a_word_with_spaces_may_come_first(write):
    vectors = read_vectors(write(". . . 3 4\na 1 2\n"), ["a", ". . ."])

    assert vectors.matrix.tolist() == [[1, 2], [3, 4]]


def test_other_separators_and_line_ends_are_read(write):
    vectors = read_vectors(write("\ufeffa\t1\t2\r\nb  3  4 \r\n\r\nc 5 6"), ["a", "b", "c"])

    assert vectors.matrix.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert vectors.num_rows == 3


def test_the_borders_of_what_is_read_at_once_make_no_difference(write, monkeypatch):
    path = write(GLOVE)
    monkeypatch.setattr(word_vectors, "iter_text", lambda paths: iter(paths[0].read_text(encoding="utf-8")))

    vectors = read_vectors(path, ["the", ",", "of"])

    np.testing.assert_array_equal(vectors.matrix, np.array([[0.5, -1.25, 2], [1e-3, 0, 7], [3, 4, 5]], np.float32))


def test_memory_holds_the_wanted_rows_only(write):
    numbers = " ".join(["0.123456"] * 50)
    path = write("".join(f"w{k} {numbers}\n" for k in range(40_000)))  # 18 MB
    symbols = [f"w{k}" for k in range(0, 40_000, 4000)]

    tracemalloc.start()
    vectors = read_vectors(path, symbols)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert vectors.found.all()
    assert peak < 8e6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1 2\nb 1\n", r"expected 2 numbers behind the word in line 2 of .*, got 1"),
        ("a 1 2\n\nb 1 2 3\n", r"expected 2 numbers behind the word in line 3 of .*, got 3"),
        ("a 1 2\nb 1 \n", r"expected 2 numbers behind the word in line 2 of .*, got 1"),
        ("a 1 2\nb\n", r"expected 2 numbers behind the word in line 2 of .*, got 0"),
        ("2 3\na 1 2 3\nb 1 2\n", r"expected 3 numbers behind the word in line 3 of .*, got 2"),
        ("a 1 2\nb 1 2c 3 4\n", r"expected 2 numbers behind the word in line 2 of .*, got 4"),
    ],
)
def test_rows_of_another_width_are_refused_wanted_or_not(write, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_vectors(write(content), ["a"])
    assert caught.value.hint == "the file may be torn: copy or download it again"


@pytest.mark.parametrize("value", ["x", "nan", "-inf", "1e39", "0,5"])
def test_values_that_are_no_finite_numbers_are_refused(write, value):
    with pytest.raises(DataError, match=rf"expected finite numbers in line 3 of .*, got '{value}'"):
        read_vectors(write(f"a 1 2\nb 1 2\nc 3 {value}\n"), ["c"])


def test_the_first_row_is_read_whether_wanted_or_not(write):
    with pytest.raises(DataError, match=r"expected finite numbers in line 1 of .*, got 'verses'"):
        read_vectors(write("Chapter 1 verses\nmore 2 verses\n"), ["more"])


def test_text_that_holds_no_vectors_is_refused(write):
    with pytest.raises(
        DataError, match=r"expected a word and its numbers in line 1 of .*, got 'Call me Ishmael.'"
    ) as e:
        read_vectors(write("Call me Ishmael.\n"), ["me"])
    assert e.value.hint == "word vectors are read from text in the format of GloVe or word2vec"


@pytest.mark.parametrize("num_rows", [2, 4])
def test_files_with_another_number_of_rows_than_they_say_are_refused(write, num_rows):
    with pytest.raises(DataError, match=rf"expected {num_rows} rows in .*, as its first line says, got 3") as caught:
        read_vectors(write(f"{num_rows} 3\n{GLOVE}"), ["the"])
    assert caught.value.hint == "copy or download the file again"


def test_files_without_rows_are_refused(write):
    with pytest.raises(DataError, match="got an empty file"):
        read_vectors(write(""), ["the"])
    with pytest.raises(DataError, match=r"expected rows of word vectors in .*, got none behind the first line"):
        read_vectors(write("0 50\n"), ["the"])
    with pytest.raises(DataError, match=r"vectors of at least one number in .*, got a width of 0 in line 1"):
        read_vectors(write("3 0\na\nb\nc\n"), ["the"])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"vectors\.txt"):
        read_vectors(tmp_path / "vectors.txt", ["the"])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_binary_format_of_word2vec_is_named(write, suffix):
    rows = b"".join(word + b" " + struct.pack("<4f", 1, 2, 3, 4) for word in (b"the", b"of"))
    content = b"2 4\n" + rows
    path = write(gzip.compress(content) if suffix else content, f"vectors.bin{suffix}")

    with pytest.raises(DataError, match=r"word vectors as text in .*, got the binary format of word2vec") as caught:
        read_vectors(path, ["the"])
    assert "save_word2vec_format" in caught.value.hint


def test_other_files_that_are_not_text_are_said_to_be_none(write):
    with pytest.raises(EncodingError, match="got a binary file"):
        read_vectors(write(b"\x93NUMPY\x00\x00"[1:]), ["the"])
    with pytest.raises(EncodingError, match="got byte 0xe9 in line 2"):
        read_vectors(write("the 1 2\ncafé 1 2\n".encode("latin1")), ["the"])


def test_rows_without_an_end_are_refused(write, monkeypatch):
    monkeypatch.setattr(word_vectors, "_MAX_ROW_CHARS", 1000)

    with pytest.raises(DataError, match=r"expected lines of at most 1,000 characters in .*, got a longer one: line 2"):
        read_vectors(write("a 1\nb " + "1" * 2000), ["a"])


def test_a_file_that_knows_none_of_the_symbols_is_refused_with_examples_of_both(write):
    symbols = ["<pad>", "<unk>", "e", "t", "a" * 50, "q"]

    with pytest.raises(VocabularyError) as caught:
        read_vectors(write(GLOVE), symbols)

    assert "some of the 6 symbols, such as 'e', 't', 'aaaaaaaaaa" in caught.value.message
    assert "aaa…'; got rows for others, such as 'the', ',', 'of'" in caught.value.message
    assert caught.value.hint == "vectors of words need a vocabulary of words, in the same language and spelling"
    with pytest.raises(VocabularyError, match="such as '<pad>', '<unk>'; got"):
        read_vectors(write(GLOVE), symbols[:2])


def test_vectors_of_nothing_are_not_asked_for(write):
    with pytest.raises(ArgumentError, match="read_vectors expected at least one symbol, got none"):
        read_vectors(write(GLOVE), [])


@pytest.mark.realdata
def test_real_vectors_are_read(real_data):
    path = real_data / "glove/glove.6B.50d.first9163.txt"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    expected = {line.split(" ")[0]: np.array(line.split(" ")[1:], float) for line in lines[::97]}

    vectors = read_vectors(path, ["<unk>", "The", *expected])

    assert (vectors.num_rows, vectors.width, vectors.num_lowered) == (9163, 50, 1)
    assert vectors.found.tolist() == [False, *[True] * (len(expected) + 1)]
    np.testing.assert_array_equal(vectors.matrix[2:], np.array(list(expected.values()), np.float32))
    np.testing.assert_array_equal(vectors.matrix[1], vectors.matrix[2])
