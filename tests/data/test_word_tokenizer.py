import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import EOS_ID, UNK_ID, Vocabulary, WordTokenizer
from recurra.errors import ChoiceError

KNOWN = ["the", "cat", "sat", ",", ".", "don't", "(", ")", "3.5"]
# white space as Unicode has it only, on which Python and everyone else agree
PLAIN = st.text("abc.,<unk>eos\n\t ")


def test_text_is_cut_into_words_and_punctuation():
    tokenizer = WordTokenizer(Vocabulary(KNOWN), "word")

    ids = tokenizer.encode("the cat, don't (3.5) purr.\n")

    assert ids.dtype == np.int64
    assert ids.tolist() == [4, 5, 7, 9, 10, 12, 11, UNK_ID, 8, EOS_ID]
    assert tokenizer.decode(ids) == "the cat, don't (3.5) <unk>.\n"


def test_tokens_are_cut_at_white_space_only():
    tokenizer = WordTokenizer(Vocabulary(["the", "cat,", "<s>"]), "whitespace")

    ids = tokenizer.encode("  the cat, <s>\tcat \n")

    assert ids.tolist() == [4, 5, 6, UNK_ID, EOS_ID]
    assert tokenizer.decode(ids) == "the cat, <s> <unk>\n"


@given(text=PLAIN)
def test_tokens_agree_with_a_plain_split(text):
    tokenizer = WordTokenizer(Vocabulary(["a", "b", "ab", "c,"]), "whitespace")

    units = text.replace("\n", " \n ").split(" ")
    units = [part for unit in units for part in ([unit] if unit == "\n" else unit.split())]
    number = {"a": 4, "b": 5, "ab": 6, "c,": 7, "\n": EOS_ID, "<eos>": EOS_ID}
    assert tokenizer.encode(text).tolist() == [number.get(unit, UNK_ID) for unit in units]
    unknown = [unit for unit in units if unit not in number and unit != "<unk>"]
    assert tokenizer.unknown_in(text) == list(dict.fromkeys(unknown))


def test_special_names_in_tokenised_text_are_what_they_say():
    tokenizer = WordTokenizer(Vocabulary(["a"]), "whitespace")

    assert tokenizer.encode("<unk> a <eos> <bos> <pad>").tolist() == [UNK_ID, 4, EOS_ID, UNK_ID, UNK_ID]
    assert tokenizer.unknown_in("<unk> a <eos> <bos> b b") == ["<bos>", "b"]


def test_text_can_be_put_in_lower_case():
    tokenizer = WordTokenizer(Vocabulary(["the", "cat"]), "word", lowercase=True)

    assert tokenizer.encode("The CAT").tolist() == [4, 5]
    assert tokenizer.unknown_in("The DOG") == ["dog"]
    assert WordTokenizer(Vocabulary(["the", "cat"]), "word").encode("The cat").tolist() == [UNK_ID, 5]


def test_padding_and_beginnings_leave_no_space():
    tokenizer = WordTokenizer(Vocabulary(["a", "b"]), "word")

    assert tokenizer.decode([2, 4, 0, 5, 3, 2, 4, 0, 0]) == "a b\na"


def test_another_rule_is_refused():
    with pytest.raises(ChoiceError, match="expected rule of WordTokenizer to be one of word, whitespace; got 'words'"):
        WordTokenizer(Vocabulary([]), "words")
