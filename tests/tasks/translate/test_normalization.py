import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import ArgumentError
from recurra.tasks.translate import DataConfig
from recurra.tasks.translate.normalization import prepare, to_ascii


def tutorial(text):
    """What the PyTorch tutorial does, written from it."""
    text = "".join(c for c in unicodedata.normalize("NFD", text.lower().strip()) if unicodedata.category(c) != "Mn")
    text = re.sub(r"([.!?])", r" \1", text)
    return re.sub(r"[^a-z.!?]+", " ", text).strip()


@given(st.lists(st.text(st.characters(exclude_characters="\n")), max_size=5))
def test_ascii_is_what_the_tutorial_does(texts):
    assert to_ascii(texts) == [tutorial(text) for text in texts]


def test_ascii_of_french():
    assert to_ascii(["Où es-tu\u202f?", "C'est l'Élan…", "Cœur!!", " 12 "]) == [
        "ou es tu ?",
        "c est l elan",
        "c ur ! !",
        "",
    ]


def test_text_is_in_lower_case_or_as_it_is():
    texts = [" Die Straße ", ""]

    assert prepare(texts, DataConfig()) == ["die straße", ""]
    assert prepare(texts, DataConfig(lowercase=False)) == ["Die Straße", ""]
    assert prepare(texts, DataConfig(lowercase=False, normalization="ascii")) == ["die stra e", ""]


@pytest.mark.parametrize("normalization", ["none", "ascii"])
def test_a_sentence_with_a_line_break_is_an_error(normalization):
    with pytest.raises(ArgumentError, match=r"expected sentences without line breaks, got 'a\\nb'"):
        prepare(["x", "a\nb"], DataConfig(normalization=normalization))
