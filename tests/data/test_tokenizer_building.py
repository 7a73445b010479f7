import pytest

from recurra.data import build_tokenizer, build_vocabulary
from recurra.errors import ArgumentError, ChoiceError, DataError

TEXTS = ["The cat sat on the mat.", "The dog sat", "a cat"]


def test_words_that_occur_once_are_unknown():
    tokenizer = build_tokenizer(TEXTS, "word", lowercase=True)

    assert tokenizer.kind == "word"
    assert tokenizer.vocabulary.known == ("the", "cat", "sat")
    assert tokenizer.encode("The CAT ran").tolist() == [4, 5, 1]


def test_all_characters_are_known():
    tokenizer = build_tokenizer(TEXTS, "char")

    assert not tokenizer.unknown_in("".join(TEXTS))
    assert tokenizer.vocabulary.known[0] == " "  # of the most frequent the first


def test_white_space_parts_tokens():
    assert build_tokenizer(TEXTS, "whitespace").vocabulary.index("mat.") > 3


def test_subwords_bring_the_text_back():
    tokenizer = build_tokenizer(TEXTS, "bpe", max_vocab_size=300)

    assert tokenizer.decode(tokenizer.encode("Ünknown cat")) == "Ünknown cat"
    assert len(tokenizer) <= 300


def test_a_vocabulary_has_a_size():
    assert build_vocabulary("abcabab", max_size=2).known == ("a", "b")


def test_wrong_arguments_are_refused():
    with pytest.raises(ChoiceError, match="kind of build_tokenizer"):
        build_tokenizer(TEXTS, "words")
    with pytest.raises(ArgumentError, match="expected no lowercase with kind='bpe'"):
        build_tokenizer(TEXTS, "bpe", lowercase=True)
    with pytest.raises(ArgumentError, match="expected no min_count with kind='bpe'"):
        build_tokenizer(TEXTS, "bpe", min_count=2)
    with pytest.raises(DataError, match="expected tokens that occur at least 9 times in the training part, got none"):
        build_tokenizer(TEXTS, "word", min_count=9)
