import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import IGNORE_INDEX, PAD_ID, UNK_ID, Cursor
from recurra.tasks.tag.encoding import MAX_CHARS, Encoder

TRAIN = [["The", "dog"], ["a", "Dog", "the"]], [["D", "N"], ["D", "N", "D"]]


def encoder(**options):
    return Encoder.of(*TRAIN, **{"lowercase": True, "min_count": 1, "max_vocab_size": None, **options})


def test_words_are_known_in_lower_case_and_characters_as_they_are():
    known = encoder()

    assert set(known.words.known) == {"the", "dog", "a"}
    assert set(known.chars.known) == set("ThetDdoga")
    assert known.tags == ("D", "N")


def test_rare_words_have_no_embedding_of_their_own():
    assert set(encoder(min_count=2).words.known) == {"the", "dog"}
    assert encoder(max_vocab_size=1).words.known == ("the",)
    assert "The" in encoder(lowercase=False).words.known


def test_sentences_become_numbers_and_back():
    known = encoder()

    encoded = known.encode([["DOG", "cat"], ["the", "DOG", "a"]])

    assert [encoded.words(index) for index in range(2)] == [["DOG", "cat"], ["the", "DOG", "a"]]
    ids = encoded.word_ids[encoded.forms]
    assert ids.tolist() == [known.words.index(word) for word in ("dog", "cat", "the", "dog", "a")]
    assert ids[1] == UNK_ID
    assert encoded.tags is None


def test_tags_that_are_not_known_are_numbered_behind_the_others():
    encoded = encoder().encode([["a", "dog", "runs", "off"]], [["D", "N", "V", "P"]])

    assert encoded.tags.tolist() == [0, 1, 2, 3]
    assert encoded.unknown_tags == ("V", "P")


def test_very_long_words_are_read_by_their_beginning():
    encoded = encoder().encode([["a" * 1000]])

    assert len(encoded.char_ids[0]) == MAX_CHARS


words = st.text("abc", min_size=1, max_size=4)


@given(st.lists(st.lists(words, max_size=5), min_size=1, max_size=6).filter(any), st.randoms(use_true_random=False))
def test_a_batch_holds_each_word_with_its_characters_and_tag(sentences, random):
    tags = [["DN"[len(word) % 2] for word in sentence] for sentence in sentences]
    known = encoder()
    encoded = known.encode(sentences, tags)
    order = random.sample(range(len(sentences)), len(sentences))

    batch = encoded.batch(np.array(order), Cursor(1, 2), with_chars=True)

    assert batch.cursor == {"epoch": 1, "window": 2}
    assert batch.lengths.tolist() == [len(sentences[index]) for index in order]
    for column, index in enumerate(order):
        length = len(sentences[index])
        assert batch.tags[:length, column].tolist() == [known.tags.index(tag) for tag in tags[index]]
        assert (batch.tags[length:, column] == IGNORE_INDEX).all()
        assert batch.words[:length, column].tolist() == [known.words.index(word) for word in sentences[index]]
        assert (batch.words[length:, column] == PAD_ID).all()
        for step, word in enumerate(sentences[index]):
            place = batch.word_index[step, column]
            assert batch.char_lengths[place] == len(word)
            assert batch.chars[: len(word), place].tolist() == [known.chars.index(char) for char in word]
    assert batch.chars.shape[1] == len({word for sentence in sentences for word in sentence})


def test_a_batch_without_characters_has_none_and_moves_to_a_device():
    batch = encoder().encode(*TRAIN).batch(np.arange(2), Cursor(), with_chars=False)

    moved = batch.to(torch.device("meta"))

    assert moved.chars is None
    assert moved.words.is_meta
    assert moved.tags.is_meta
    assert not moved.lengths.is_meta
