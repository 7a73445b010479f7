import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import EOS_ID, UNK_ID, CharTokenizer, Vocabulary
from recurra.errors import VocabularyError

# every code point, lone surrogates too
CHARACTERS = st.characters(exclude_categories=())
ALPHABETS = st.lists(st.characters(exclude_categories=(), exclude_characters="\n"), unique=True, max_size=40)


@given(alphabet=ALPHABETS, data=st.data())
def test_text_of_known_characters_comes_back(alphabet, data):
    tokenizer = CharTokenizer(Vocabulary(alphabet))
    text = "".join(data.draw(st.lists(st.sampled_from([*alphabet, "\n"]))))

    ids = tokenizer.encode(text)

    assert ids.dtype == np.int64
    assert ids.tolist() == [EOS_ID if c == "\n" else alphabet.index(c) + 4 for c in text]
    assert tokenizer.decode(ids) == text


@given(alphabet=ALPHABETS, text=st.text(CHARACTERS))
def test_unknown_characters_get_the_unknown_id_and_are_listed_once(alphabet, text):
    tokenizer = CharTokenizer(Vocabulary(alphabet))
    known = {*alphabet, "\n"}

    ids = tokenizer.encode(text)

    assert tokenizer.unknown_in(text) == list(dict.fromkeys(c for c in text if c not in known))
    assert [number == UNK_ID for number in ids] == [c not in known for c in text]
    assert tokenizer.decode(ids) == "".join(c if c in known else "\ufffd" for c in text)


def test_an_empty_alphabet_knows_line_ends():
    tokenizer = CharTokenizer(Vocabulary(""))

    assert tokenizer.encode("a\n\U0010ffff").tolist() == [UNK_ID, EOS_ID, UNK_ID]
    assert len(tokenizer) == 4


def test_text_is_put_in_lower_case_character_by_character():
    tokenizer = CharTokenizer(Vocabulary("ab\u00e9i"), lowercase=True)

    # the lower case of the last but one has two characters
    assert tokenizer.encode("AB\u00c9\u0130\n").tolist() == [4, 5, 6, 7, 3]
    assert tokenizer.unknown_in("XxA") == ["x"]


def test_padding_and_beginnings_leave_nothing():
    tokenizer = CharTokenizer(Vocabulary("ab"))

    assert tokenizer.decode([2, 4, 3, 0, 5, 1, 0, 0]) == "a\nb\ufffd"
    assert tokenizer.decode([]) == ""


def test_special_names_are_characters_one_by_one():
    tokenizer = CharTokenizer(Vocabulary("<>unk"))

    assert tokenizer.encode("<unk>").tolist() == [4, 6, 7, 8, 5]


def test_symbols_are_single_characters():
    with pytest.raises(VocabularyError, match="CharTokenizer expected symbols of one character each, got 'ab'"):
        CharTokenizer(Vocabulary(["a", "ab"]))
