import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import UNK_ID
from recurra.data.tokenizer_building import build_tokenizer
from recurra.errors import DataError
from recurra.tasks.classify.config import DataConfig
from recurra.tasks.classify.encoding import encode, fit_and_encode, settled_kind

TEXTS = ["A b, a-b c's 3.5!", "", "  \u00a0b  ÉTÉ\u0085été ", "c c c zzz \u2019", "<unk> <eos> x"]


def config(kind, **options):
    return DataConfig(tokenizer=kind, **options)


@pytest.mark.parametrize("kind", ["char", "word", "whitespace"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_ids_are_those_of_the_tokeniser_text_by_text(kind, lowercase):
    tokenizer, ids = fit_and_encode(TEXTS, np.array([0, 1, 3]), config(kind, lowercase=lowercase, min_count=1))

    expected = [tokenizer.encode(text) for text in TEXTS]
    assert all(np.array_equal(one, other) for one, other in zip(ids, expected, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(encode(TEXTS, tokenizer), expected, strict=True))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12), min_size=1))
def test_any_text_has_the_ids_of_the_tokeniser(texts):
    tokenizer = build_tokenizer(["a b c", *TEXTS], "word", lowercase=True, min_count=1)

    ids = encode(texts, tokenizer)

    assert all(np.array_equal(one, tokenizer.encode(text)) for one, text in zip(ids, texts, strict=True))


@pytest.mark.parametrize("kind", ["char", "word", "whitespace"])
def test_the_vocabulary_is_that_of_the_chosen_texts_alone(kind):
    tokenizer, ids = fit_and_encode(["a b b", "c"], np.array([0]), config(kind, min_count=1))

    expected = build_tokenizer(["a b b"], kind, min_count=1)
    assert tokenizer.vocabulary == expected.vocabulary
    assert tokenizer.vocabulary.counts == expected.vocabulary.counts
    assert ids[1].tolist() == [UNK_ID]


def test_subwords_are_made_of_the_chosen_texts():
    texts = ["low lower lowest"] * 3

    tokenizer, ids = fit_and_encode(texts, np.array([0, 1]), config("bpe", max_vocab_size=270))

    assert tokenizer.kind == "bpe"
    assert [tokenizer.decode(each) for each in ids] == texts


def test_without_a_frequent_token_there_is_nothing_to_learn():
    with pytest.raises(DataError, match="tokens that occur at least 2 times in the training part, got none"):
        fit_and_encode(["a b c"], np.array([0]), config("word", min_count=2))


def test_short_texts_are_cut_into_characters():
    assert settled_kind("auto", ["Schmidt", "Nakamura"]) == "char"
    assert settled_kind("auto", ["a sentence that goes on for quite a while, as most do"]) == "word"
    assert settled_kind("bpe", ["Schmidt"]) == "bpe"
