import itertools
import math

import numpy as np
import pytest
import torch

from recurra.decoding import beam_search
from recurra.errors import ArgumentError, ShapeError

BOS, EOS = 0, 1


class TableModel:
    """Logits of the next id, random for each row and all ids before: a tree in a table."""

    def __init__(self, batch_size, vocab_size, max_length, seed=0, scale=1.5):
        generator = np.random.default_rng(seed)
        prefixes = [p for n in range(max_length) for p in itertools.product(range(vocab_size), repeat=n)]
        self.vocab_size, self.batch_size = vocab_size, batch_size
        self.logits = {
            (row, prefix): generator.normal(scale=scale, size=vocab_size)
            for row in range(batch_size)
            for prefix in prefixes
        }
        self.row_steps = []

    def log_probs(self, row, prefix):
        logits = self.logits[row, prefix]
        return logits - math.log(sum(math.exp(logit) for logit in logits))

    def start(self):
        return [(row, None) for row in range(self.batch_size)]

    def step(self, ids, state):
        after = [(row, () if p is None else (*p, int(i))) for (row, p), i in zip(state, ids, strict=True)]
        self.row_steps.append(len(after))
        logits = torch.tensor(np.array([self.logits[place] for place in after]))
        # so that each hypothesis can be told by its weights
        weights = torch.tensor([[row, len(p), p[-1] if p else BOS] for row, p in after], dtype=torch.float32)
        return logits, after, weights

    def select(self, state, rows, sentences):
        chosen = [state[place] for place in rows.tolist()]
        num_rows = len({row for row, _ in state}) if sentences is None else len(sentences)
        # hypotheses come first, rows second
        assert [row for row, _ in chosen] == [row for row, _ in chosen[:num_rows]] * (len(chosen) // num_rows)
        return chosen

    def search(self, **options):
        return beam_search(
            self.step, self.start(), self.select, batch_size=self.batch_size, bos_id=BOS, eos_id=EOS, **options
        )


def all_sequences(model, row, max_length, length_penalty, banned=()):
    """Every sequence with what it scores, complete ones first and then by their scores."""
    drawn = [i for i in range(model.vocab_size) if i != EOS and i not in banned]
    found = []
    for length in range(max_length + 1):
        for tokens in itertools.product(drawn, repeat=length):
            log_prob = sum(model.log_probs(row, tokens[:k])[token] for k, token in enumerate(tokens))
            if length < max_length:
                log_prob += model.log_probs(row, tokens)[EOS]
            num_drawn = min(length + 1, max_length)
            score = log_prob / ((5 + num_drawn) / 6) ** length_penalty
            found.append((length < max_length, score, log_prob, list(tokens)))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_as_many_beams_as_sequences_it_finds_the_best_ones(length_penalty, seed):
    model = TableModel(2, 3, 4, seed=seed)

    found = model.search(num_beams=3**4, num_best=9, max_length=4, length_penalty=length_penalty)

    for row in range(2):
        expected = all_sequences(model, row, 4, length_penalty)[:9]
        assert [hypothesis.tokens for hypothesis in found[row]] == [tokens for *_, tokens in expected]
        assert [hypothesis.is_complete for hypothesis in found[row]] == [complete for complete, *_ in expected]
        np.testing.assert_allclose([h.score for h in found[row]], [score for _, score, *_ in expected], rtol=1e-9)
        np.testing.assert_allclose([h.log_prob for h in found[row]], [p for *_, p, _ in expected], rtol=1e-9)


def test_sequences_that_do_not_end_come_behind_those_that_do():
    model = TableModel(1, 3, 2, seed=4)

    [found] = model.search(num_beams=9, num_best=9, max_length=2)

    expected = all_sequences(model, 0, 2, 0.0)
    assert [hypothesis.tokens for hypothesis in found] == [tokens for *_, tokens in expected]
    assert [hypothesis.is_complete for hypothesis in found] == [True] * 3 + [False] * 4


def plain_beam_search(model, row, num_beams, max_length):
    """The search of one row by its description, with lists."""
    beams, ended = [(0.0, ())], []
    for _ in range(max_length):
        candidates = sorted(
            (
                (log_prob + step, (*tokens, token))
                for log_prob, tokens in beams
                for token, step in enumerate(model.log_probs(row, tokens))
            ),
            reverse=True,
        )
        ended += [(log_prob, tokens[:-1]) for log_prob, tokens in candidates[:num_beams] if tokens[-1] == EOS]
        beams = [candidate for candidate in candidates if candidate[1][-1] != EOS][:num_beams]
        if len(ended) >= num_beams or (ended and beams[0][0] <= max(ended)[0]):
            break
    return max(ended) if ended else beams[0]


@pytest.mark.parametrize("num_beams", [1, 2, 3, 5])
def test_narrow_beams_find_what_a_plain_search_of_each_row_finds(num_beams):
    model = TableModel(12, 4, 5, seed=5)

    found = model.search(num_beams=num_beams, max_length=5)

    for row in range(12):
        log_prob, tokens = plain_beam_search(model, row, num_beams, 5)
        assert found[row][0].tokens == list(tokens)
        assert found[row][0].log_prob == pytest.approx(log_prob)


def test_one_beam_takes_the_likeliest_id_at_every_step():
    model = TableModel(8, 4, 5, seed=6)

    found = model.search(num_beams=1, max_length=5)

    for row in range(8):
        prefix = ()
        while len(prefix) < 5 and (token := int(model.logits[row, prefix].argmax())) != EOS:
            prefix = (*prefix, token)
        assert found[row][0].tokens == list(prefix)
        assert found[row][0].is_complete == (len(prefix) < 5)


def test_each_row_has_its_own_longest_length():
    model = TableModel(3, 3, 4, seed=7)

    found = model.search(num_beams=81, num_best=3, max_length=torch.tensor([4, 1, 2]))

    for row, limit in enumerate([4, 1, 2]):
        expected = all_sequences(model, row, limit, 0.0)[:3]
        assert [hypothesis.tokens for hypothesis in found[row]] == [tokens for *_, tokens in expected]


def test_finished_rows_take_no_more_steps():
    model = TableModel(3, 3, 4, seed=7)

    model.search(num_beams=2, max_length=torch.tensor([4, 1, 2]), num_best=2, banned=(EOS + 1,))

    assert model.row_steps[0] == 3
    assert model.row_steps[1] <= 2 * 2
    assert all(count <= 2 for count in model.row_steps[2:])


def test_banned_ids_are_not_drawn_and_others_keep_their_probability():
    model = TableModel(2, 4, 3, seed=8)

    found = model.search(num_beams=64, num_best=4, max_length=3, banned=(BOS, 3))

    for row in range(2):
        expected = all_sequences(model, row, 3, 0.0, banned=(BOS, 3))[:4]
        assert [hypothesis.tokens for hypothesis in found[row]] == [tokens for *_, tokens in expected]
        np.testing.assert_allclose([h.log_prob for h in found[row]], [p for *_, p, _ in expected], rtol=1e-9)


def test_hypotheses_come_with_the_weights_of_each_step():
    model = TableModel(3, 3, 4, seed=9)

    found = model.search(num_beams=3, num_best=3, max_length=4, keep_weights=True)

    for row, hypotheses in enumerate(found):
        for hypothesis in hypotheses:
            read = [BOS, *hypothesis.tokens][: len(hypothesis.tokens) + hypothesis.is_complete]
            assert hypothesis.attention.tolist() == [[row, k, token] for k, token in enumerate(read)]
    assert all(hypothesis.attention is None for [hypothesis] in model.search(num_beams=3, max_length=4))


def test_no_rows_give_no_hypotheses():
    assert beam_search(None, None, None, batch_size=0, num_beams=2, max_length=3, bos_id=0, eos_id=1) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beams": 0}, "num_beams to be an integer at least 1, got 0"),
        ({"num_beams": 2, "num_best": 3}, "num_best to be an integer in 1 to num_beams=2, got 3"),
        ({"length_penalty": -1.0}, "length_penalty to be a number of at least 0, got -1.0"),
        ({"length_penalty": math.nan}, "length_penalty to be a number of at least 0, got nan"),
        ({"max_length": 0}, "max_length to be at least 1, got 0"),
        ({"banned": (1,)}, r"banned ids without eos_id=1, got \(1,\)"),
    ],
)
def test_numbers_outside_their_range_are_refused(options, message):
    model = TableModel(2, 3, 2)

    with pytest.raises(ArgumentError, match=f"beam_search expected {message}"):
        model.search(**{"num_beams": 2, "max_length": 2, **options})


def test_longest_lengths_of_another_number_of_rows_are_refused():
    with pytest.raises(ShapeError, match=r"one for each of 2 rows, got \(3,\) of torch.int64"):
        TableModel(2, 3, 2).search(num_beams=2, max_length=torch.tensor([1, 2, 2]))


def test_logits_of_another_shape_or_without_value_are_refused():
    def search(logits):
        def step(ids, state):
            return logits, state, None

        beam_search(step, None, None, batch_size=2, num_beams=2, max_length=2, bos_id=BOS, eos_id=EOS)

    with pytest.raises(ShapeError, match=r"logits of shape \(2, vocab_size\), got \(3, 4\)"):
        search(torch.zeros(3, 4))
    with pytest.raises(ArgumentError, match="expected logits to be numbers, got nan at step 1"):
        search(torch.full((2, 4), math.nan))
