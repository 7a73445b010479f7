import itertools
import math
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ArgumentError
from recurra.models import ngram
from recurra.models.ngram import KneserNey, Unigram

BOS = "<bos>"


class SlowKneserNey:
    """Interpolated modified Kneser-Ney from the equations of Chen and Goodman (1999), with dictionaries.

    A text is a list of sequences; those that have a beginning start with BOS.
    """

    def __init__(self, order, vocab_size, sequences):
        self.vocab_size = vocab_size
        self.order = min(order, max(map(len, sequences)))
        self.counts = {length: self.count(sequences, length) for length in range(1, self.order + 1)}
        self.discounts = {length: self.estimate(counts) for length, counts in self.counts.items()}

    def count(self, sequences, length):
        def grams(length):
            return [tuple(s[i : i + length]) for s in sequences for i in range(len(s) - length + 1)]

        plain = Counter(gram for gram in grams(length) if gram[-1] != BOS)
        if length == self.order:
            return plain
        # N1+(. g): how many distinct symbols stand before g
        left = Counter(gram[1:] for gram in set(grams(length + 1)))
        return Counter({gram: plain[gram] if gram[0] == BOS else left[gram] for gram in plain})

    @staticmethod
    def estimate(counts):
        n = Counter(counts.values())
        if all(n[k] for k in (1, 2, 3, 4)):
            y = n[1] / (n[1] + 2 * n[2])
            found = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
            if all(0 < discount <= k for k, discount in enumerate(found, start=1)):
                return found
        return [0.5, 1.0, 1.5]

    def prob(self, context, symbol):
        return self._prob(tuple(context)[max(0, len(context) - self.order + 1) :], symbol)

    def _prob(self, context, symbol):
        lower = self._prob(context[1:], symbol) if context else 1 / self.vocab_size
        counts, discounts = self.counts[len(context) + 1], self.discounts[len(context) + 1]
        following = {w: counts[(*context, w)] for w in range(self.vocab_size) if counts[(*context, w)]}
        total = sum(following.values())
        if not total:
            return lower
        taken = sum(discounts[min(count, 3) - 1] for count in following.values())
        count = following.get(symbol, 0)
        rest = count - discounts[min(count, 3) - 1] if count else 0
        return rest / total + taken / total * lower


def skewed(length, vocab_size, seed):
    """Ids with some structure: each depends on the one before."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(vocab_size, 0.3), vocab_size)
    ids = [0]
    for _ in range(length - 1):
        ids.append(int(rng.choice(vocab_size, p=table[ids[-1]])))
    return np.array(ids)


def joined(sequences):
    """The ids of sequences one after the other, and where each starts."""
    lengths = [len(sequence) for sequence in sequences]
    ids = [symbol for sequence in sequences for symbol in sequence]
    return np.array(ids, np.int64), np.cumsum([0, *lengths[:-1]])[: len(sequences)]


def with_bos(sequences):
    return [[BOS, *sequence] for sequence in sequences]


@settings(max_examples=150, deadline=None)
@given(
    train=st.lists(st.integers(0, 3), min_size=1, max_size=80),
    test=st.lists(st.integers(0, 4), max_size=30),
    order=st.integers(1, 6),
)
def test_probabilities_equal_those_of_the_equations(train, test, order):
    model = KneserNey(order, 5).fit(np.array(train))
    oracle = SlowKneserNey(order, 5, [train])

    expected = [math.log(oracle.prob(test[:i], symbol)) for i, symbol in enumerate(test)]

    np.testing.assert_allclose(model.log_probs(np.array(test, np.int64)), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_longer_texts_with_estimated_discounts_equal_the_equations(seed):
    ids = skewed(3000, 12, seed)
    train, test = ids[:2700], ids[2700:].tolist()

    model = KneserNey(5, 13).fit(train)
    oracle = SlowKneserNey(5, 13, [train.tolist()])

    estimated = [discounts for discounts in model.discounts if discounts != (0.5, 1.0, 1.5)]
    assert len(estimated) >= 2
    for length, discounts in enumerate(model.discounts, start=1):
        assert discounts == pytest.approx(oracle.discounts[length])
    expected = [math.log(oracle.prob(test[:i], symbol)) for i, symbol in enumerate(test)]
    np.testing.assert_allclose(model.log_probs(np.array(test)), expected, rtol=1e-10)


texts_of_sequences = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=14)


@settings(max_examples=150, deadline=None)
@given(train=texts_of_sequences, test=texts_of_sequences, order=st.integers(1, 6))
def test_sequences_have_the_probabilities_of_the_equations(train, test, order):
    model = KneserNey(order, 5).fit(*joined(train))
    oracle = SlowKneserNey(order, 5, with_bos(train))

    log_probs = model.log_probs(*joined(test))

    expected = [math.log(oracle.prob([BOS, *s[:i]], symbol)) for s in test for i, symbol in enumerate(s)]
    np.testing.assert_allclose(log_probs, expected, rtol=1e-12)
    assert model.num_used == sum(map(len, train))


def test_long_texts_of_sequences_equal_the_equations():
    ids = skewed(3000, 12, 3).tolist()
    cuts = np.sort(np.random.default_rng(0).choice(np.arange(1, 3000), 400, replace=False)).tolist()
    sequences = [ids[start:stop] for start, stop in itertools.pairwise([0, *cuts, 3000])]
    train, test = sequences[:350], sequences[350:]

    model = KneserNey(5, 13).fit(*joined(train))
    oracle = SlowKneserNey(5, 13, with_bos(train))

    estimated = [discounts for discounts in model.discounts if discounts != (0.5, 1.0, 1.5)]
    assert len(estimated) >= 2
    for length, discounts in enumerate(model.discounts, start=1):
        assert discounts == pytest.approx(oracle.discounts[length])
    expected = [math.log(oracle.prob([BOS, *s[:i]], symbol)) for s in test for i, symbol in enumerate(s)]
    np.testing.assert_allclose(model.log_probs(*joined(test)), expected, rtol=1e-10)


def test_no_context_reaches_across_a_start():
    ids, starts = np.array([0, 1, 2, 3, 3, 2, 1, 0]), np.array([0, 4])
    model = KneserNey(4, 4).fit(skewed(300, 4, 0), np.arange(0, 300, 6))

    together = model.log_probs(ids, starts)

    apart = [model.log_probs(ids[:4], np.array([0])), model.log_probs(ids[4:], np.array([0]))]
    np.testing.assert_array_equal(together, np.concatenate(apart))
    assert abs(model.log_probs(ids)[4] - together[4]) > 1e-3


def test_the_first_symbol_is_predicted_from_what_begins_sequences():
    ids, starts = joined([[2, 0, 1], [2, 1, 1], [2, 0, 0]] * 20)
    model = KneserNey(3, 3).fit(ids, starts)

    first = math.exp(model.log_probs(np.array([2]), np.array([0]))[0])

    # 2 stands behind <bos> only, so its continuation count is 1 of the 7 distinct pairs
    assert first > 0.95
    assert math.exp(model.log_probs(np.array([2]))[0]) < 0.3


def test_a_model_may_be_asked_another_way_than_it_was_fitted():
    ids, starts = skewed(300, 4, 0), np.arange(0, 300, 6)
    streamed, sequenced = KneserNey(3, 4).fit(ids), KneserNey(3, 4).fit(ids, starts)

    # a stream has no <bos>, so the first symbol of a sequence has no context
    firsts = streamed.log_probs(ids, starts)[starts]
    np.testing.assert_array_equal(firsts, [streamed.log_probs(ids[[start]])[0] for start in starts])
    assert np.isfinite(sequenced.log_probs(ids)).all()


@pytest.mark.parametrize("train", [[0], [1, 1, 1, 1], [0, 1, 2, 0, 1, 2, 0, 1], skewed(60, 3, 0).tolist()])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_probabilities_after_every_context_sum_to_1(train, order):
    model = KneserNey(order, 4).fit(np.array(train))

    for length in range(order + 1):
        for context in itertools.product(range(4), repeat=length):
            probs = [math.exp(model.log_probs(np.array([*context, symbol]))[-1]) for symbol in range(4)]
            assert sum(probs) == pytest.approx(1, abs=1e-12)
            assert min(probs) > 0


@pytest.mark.parametrize("train", [[[0]], [[1], [1, 1]], [[0, 1, 2], [0, 1], [2], [0, 1, 2, 0]] * 3])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_probabilities_within_sequences_sum_to_1(train, order):
    # all the mass lies on the vocabulary, so none is left for <bos>
    model = KneserNey(order, 4).fit(*joined(train))

    for length in range(order):
        for context in itertools.product(range(4), repeat=length):
            for starts in (np.array([0]), None):
                probs = [math.exp(model.log_probs(np.array([*context, w]), starts)[-1]) for w in range(4)]
                assert sum(probs) == pytest.approx(1, abs=1e-12)
                assert min(probs) > 0


def test_counts_that_fall_out_of_range_use_the_default_discounts():
    # n1 .. n4 = 1, 1, 4, 1 would make D2 = 2 - 3 (1/3) 4 negative
    counts = [1, 2, 3, 3, 3, 3, 4]
    train = np.repeat(np.arange(7), counts)

    assert KneserNey(1, 7).fit(train).discounts == ((0.5, 1.0, 1.5),)
    # n1 .. n4 = 4, 2, 1, 1: Y = 1/2, D1 = 1/2, D2 = 2 - 3/4, D3 = 3 - 2
    assert KneserNey(1, 8).fit(np.repeat(np.arange(8), [1, 1, 1, 1, 2, 2, 3, 4])).discounts == ((0.5, 1.25, 1.0),)


def test_blocks_do_not_change_the_result(monkeypatch):
    ids = skewed(500, 5, 0)
    model = KneserNey(4, 5).fit(ids)
    whole = model.log_probs(ids)

    for size in (1, 2, 3, 7, 499, 500):
        monkeypatch.setattr(ngram, "_CHUNK", size)
        np.testing.assert_array_equal(model.log_probs(ids), whole)


def test_blocks_do_not_change_the_result_of_sequences(monkeypatch):
    ids = skewed(500, 5, 0)
    starts = np.flatnonzero(np.random.default_rng(0).random(500) < 0.25)
    starts[0] = 0
    model = KneserNey(4, 5).fit(ids, starts)
    whole = model.log_probs(ids, starts)

    for size in (1, 2, 3, 7, 499, 500):
        monkeypatch.setattr(ngram, "_CHUNK", size)
        np.testing.assert_array_equal(model.log_probs(ids, starts), whole)


def test_only_the_last_symbols_are_used_and_counted():
    ids = skewed(500, 5, 0)

    limited, exact = KneserNey(3, 5, max_train=100).fit(ids), KneserNey(3, 5).fit(ids[-100:])

    assert (limited.num_used, exact.num_used) == (100, 100)
    np.testing.assert_array_equal(limited.log_probs(ids), exact.log_probs(ids))
    assert Unigram(5, max_train=100).fit(ids).num_used == 100


def test_a_sequence_that_is_cut_has_no_beginning():
    sequences = [[0, 1, 2, 0, 1], [1, 2, 2], [0, 2, 1, 1]]
    ids, starts = joined(sequences)
    test = [[0, 1], [2, 0, 1]]

    cut = KneserNey(3, 4, max_train=10).fit(ids, starts)
    whole = KneserNey(3, 4, max_train=7).fit(ids, starts)

    cut_oracle = SlowKneserNey(3, 4, [sequences[0][-3:], *with_bos(sequences[1:])])
    whole_oracle = SlowKneserNey(3, 4, with_bos(sequences[1:]))
    for model, oracle, num_used in [(cut, cut_oracle, 10), (whole, whole_oracle, 7)]:
        expected = [math.log(oracle.prob([BOS, *s[:i]], symbol)) for s in test for i, symbol in enumerate(s)]
        np.testing.assert_allclose(model.log_probs(*joined(test)), expected, rtol=1e-12)
        assert model.num_used == num_used


def test_a_model_can_be_fitted_again():
    first, second = skewed(300, 4, 0), skewed(300, 4, 1)

    again = KneserNey(3, 4).fit(first).fit(second)

    np.testing.assert_array_equal(again.log_probs(first), KneserNey(3, 4).fit(second).log_probs(first))


def test_keys_of_large_vocabularies_do_not_overflow():
    vocab_size = 1_114_112  # its fifth power is far above 2^63
    small = skewed(400, 6, 0)
    spread = np.array([0, 5, 70_000, 500_000, 1_000_000, vocab_size - 1])

    large = KneserNey(5, vocab_size).fit(spread[small])
    oracle = KneserNey(5, 6).fit(small)

    # the larger vocabulary differs in the share of symbols never seen only, which reaches every order
    uniform = oracle.log_probs(small)
    assert large.discounts == oracle.discounts
    assert (large.log_probs(spread[small]) <= uniform + 1e-12).all()
    assert large.cross_entropy(spread[small]) == pytest.approx(oracle.cross_entropy(small), rel=0.05)


def test_narrow_ids_do_not_overflow():
    ids = skewed(400, 6, 0) + 200

    narrow = KneserNey(5, 206).fit(ids.astype(np.uint8))

    np.testing.assert_array_equal(narrow.log_probs(ids.astype(np.uint8)), KneserNey(5, 206).fit(ids).log_probs(ids))


def test_structure_lowers_the_cross_entropy():
    ids = skewed(20_000, 10, 0)
    train, test = ids[:18_000], ids[18_000:]

    unigram, bigram = Unigram(10).fit(train).cross_entropy(test), KneserNey(2, 10).fit(train).cross_entropy(test)

    table = np.random.default_rng(0).dirichlet(np.full(10, 0.3), 10)
    true = -np.log(table[test[:-1], test[1:]]).mean()
    assert bigram == pytest.approx(true, rel=0.02)
    assert unigram > bigram + 0.2


def test_the_unigram_model_adds_one_count():
    model = Unigram(4).fit(np.array([1, 1, 2]))

    np.testing.assert_allclose(np.exp(model.log_probs(np.array([0, 1, 2, 3]))), [1 / 7, 3 / 7, 2 / 7, 1 / 7])
    assert model.cross_entropy(np.array([1, 2])) == pytest.approx(-(math.log(3 / 7) + math.log(2 / 7)) / 2)
    assert Unigram(4).fit(np.array([], int)).cross_entropy(np.array([3])) == pytest.approx(math.log(4))


def test_no_ids_have_no_probabilities():
    model = KneserNey(3, 4).fit(np.array([1, 2]))

    assert model.log_probs(np.array([], int)).shape == (0,)
    assert model.log_probs(np.array([], int), np.array([], int)).shape == (0,)


def test_where_sequences_begin_makes_no_difference_to_single_symbols():
    ids, starts = skewed(60, 4, 0), np.array([0, 20])

    model = Unigram(4).fit(ids, starts)

    np.testing.assert_array_equal(model.log_probs(ids, starts), Unigram(4).fit(ids).log_probs(ids))
    assert model.cross_entropy(ids, starts) == model.cross_entropy(ids)


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ([], "KneserNey expected starts to begin with 0, got none"),
        ([1, 2], "KneserNey expected starts to begin with 0, got 1 as the first"),
        ([0, 2, 2], "KneserNey expected starts to ascend, got 2 after 2"),
        ([0, 2, 1], "KneserNey expected starts to ascend, got 1 after 2"),
        ([0, 2, 4], "KneserNey expected starts to be below the 4 symbols, got 4"),
    ],
)
def test_starts_that_cannot_be_are_refused(starts, message):
    ids = np.array([0, 1, 2, 3])

    with pytest.raises(ArgumentError, match=message):
        KneserNey(3, 4).fit(ids, np.array(starts, int))
    with pytest.raises(ArgumentError, match=message):
        KneserNey(3, 4).fit(ids).log_probs(ids, np.array(starts, int))


@pytest.mark.parametrize("wrong", [-1, 4])
@pytest.mark.parametrize(("build", "who"), [(Unigram, "Unigram"), (lambda size: KneserNey(3, size), "KneserNey")])
def test_ids_outside_the_vocabulary_are_refused(build, who, wrong):
    with pytest.raises(ArgumentError, match=f"{who} expected ids from 0 to 3, got {wrong}"):
        build(4).fit(np.array([1, wrong]))
    with pytest.raises(ArgumentError, match=f"{who} expected ids from 0 to 3, got {wrong}"):
        build(4).fit(np.array([1])).log_probs(np.array([1, wrong]))


@pytest.mark.parametrize(("build", "who"), [(Unigram, "Unigram"), (lambda size: KneserNey(3, size), "KneserNey")])
def test_a_model_is_fitted_before_it_is_asked(build, who):
    with pytest.raises(ArgumentError, match=f"{who} expected fit to be called before log_probs"):
        build(4).log_probs(np.array([1]))
    with pytest.raises(ArgumentError, match="expected at least one symbol in ids, got none"):
        build(4).fit(np.array([1])).cross_entropy(np.array([], int))


def test_nothing_cannot_be_counted():
    with pytest.raises(ArgumentError, match="KneserNey expected at least one symbol to fit ids to, got none"):
        KneserNey(3, 4).fit(np.array([], int))


@pytest.mark.parametrize(("arguments", "name"), [((0, 4), "order"), ((3, 0), "vocab_size")])
def test_sizes_have_a_range(arguments, name):
    with pytest.raises(ArgumentError, match=f"KneserNey expected {name} to be at least 1, got 0"):
        KneserNey(*arguments)
    with pytest.raises(ArgumentError, match="KneserNey expected max_train to be at least 1, got 0"):
        KneserNey(3, 4, max_train=0)
    with pytest.raises(ArgumentError, match="Unigram expected vocab_size to be at least 1, got 0"):
        Unigram(0)


@pytest.fixture
def real_data():
    """The folder of real files."""
    root = os.environ.get("RECURRA_DATA")
    if not root:
        pytest.skip("RECURRA_DATA names no folder with real files")
    return Path(root)


@pytest.mark.realdata
def test_real_text_is_predicted_as_well_as_five_characters_allow(real_data):
    text = (real_data / "tinyshakespeare/input.txt").read_text(encoding="utf-8")
    num_test = round(len(text) * 0.05)
    train_text, test_text = text[: -2 * num_test], text[-2 * num_test : -num_test]
    numbers = {symbol: number for number, symbol in enumerate(dict.fromkeys(train_text), start=1)}  # 0: unknown
    train, test = (np.array([numbers.get(symbol, 0) for symbol in part]) for part in (train_text, test_text))
    vocab_size = len(numbers) + 1

    entropies = [KneserNey(order, vocab_size).fit(train).cross_entropy(test) for order in (1, 2, 3, 5)]

    assert entropies == sorted(entropies, reverse=True)
    assert entropies[0] == pytest.approx(Unigram(vocab_size).fit(train).cross_entropy(test), abs=1e-3)
    assert 3.2 < entropies[0] < 3.5
    assert entropies[3] == pytest.approx(1.503, abs=0.005)  # as measured when the equations were checked


@pytest.mark.realdata
def test_the_penn_treebank_is_predicted_as_well_as_published(real_data):
    # T. Mikolov et al., "Empirical evaluation and combination of advanced language modeling techniques", Interspeech
    # 2011, report 141.2 for 5-grams (KN5) and 148.3 for 3-grams (KN3) on the test part, sentence by sentence
    numbers: dict[str, int] = {}
    parts = {}
    for part in ("train", "valid", "test"):
        lines = (real_data / f"ptb/ptb.{part}.txt").read_text(encoding="utf-8").splitlines()
        words = [[*line.split(), "<eos>"] for line in lines]
        parts[part] = joined([[numbers.setdefault(word, len(numbers)) for word in line] for line in words])

    model = KneserNey(5, len(numbers)).fit(*parts["train"])
    short = KneserNey(3, len(numbers)).fit(*parts["train"])

    assert len(numbers) == 10_000
    assert math.exp(model.cross_entropy(*parts["test"])) == pytest.approx(141.2, abs=0.05)
    assert math.exp(short.cross_entropy(*parts["test"])) == pytest.approx(148.3, abs=0.05)
    stream = KneserNey(5, len(numbers)).fit(parts["train"][0]).cross_entropy(parts["test"][0])
    assert math.exp(stream) == pytest.approx(141.06, abs=0.05)  # as measured, no figure is published
