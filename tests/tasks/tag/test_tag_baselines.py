from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.tag.baselines import MOST_FREQUENT, baseline_figures, predict_most_frequent
from recurra.tasks.tag.encoding import Encoder

tagged = st.lists(st.lists(st.tuples(st.sampled_from("abcAB"), st.sampled_from("XYZ")), min_size=1), min_size=1)


def columns(sentences):
    return [[word for word, _ in one] for one in sentences], [[tag for _, tag in one] for one in sentences]


@given(tagged, tagged)
def test_each_word_gets_the_tag_that_it_has_most_often(train, other):
    encoder = Encoder.of(*columns(train), lowercase=True, min_count=1, max_vocab_size=None)
    counts = defaultdict(Counter)
    for sentence in train:
        for word, tag in sentence:
            counts[word][tag] += 1
    overall = sum(counts.values(), Counter())

    predicted = predict_most_frequent(
        encoder.encode(*columns(train)), encoder.encode(*columns(other)), len(encoder.tags)
    )

    words = [word for sentence in other for word, _ in sentence]
    for word, tag in zip(words, predicted.tolist(), strict=True):
        seen = counts.get(word, overall)
        assert encoder.tags[tag] == min(tag for tag, count in seen.items() if count == max(seen.values()))


def test_the_figures_stand_under_the_name_of_the_baseline():
    encoder = Encoder.of([["a", "b", "a"]], [["B-x", "O", "O"]], lowercase=True, min_count=1, max_vocab_size=None)
    train, other = encoder.encode([["a", "b"]], [["B-x", "O"]]), encoder.encode([["a"], ["b"]], [["B-x"], ["B-x"]])

    figures = baseline_figures(train, other, encoder.tags)

    assert figures == {MOST_FREQUENT: {"f1": pytest.approx(2 / 3), "precision": 1.0, "recall": 0.5, "accuracy": 0.5}}
