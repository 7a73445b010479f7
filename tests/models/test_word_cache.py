import math
from decimal import Decimal

import numpy as np
import pytest
import torch

from recurra.errors import ArgumentError, ShapeError
from recurra.models import WordCache, word_cache

IGNORED = -100


def slow_mixture(states, nll, targets, size, weight, flatness):
    """The definition for one whole stream, step by step: states (T, H), nll (T,), targets (T,).

    Decimal numbers have room for any exponent, so nothing needs to be done for stability.
    """
    mixed = []
    for t, target in enumerate(targets):
        shares = {}
        for i in range(max(0, t - size), t):
            if targets[i] != IGNORED:
                similarity = Decimal(flatness * float(states[t] @ states[i]))
                shares[targets[i]] = shares.get(targets[i], Decimal(0)) + similarity.exp()
        if shares and target != IGNORED:
            p_cache = shares.get(target, Decimal(0)) / sum(shares.values())
            p = Decimal(1 - weight) * Decimal(-nll[t]).exp() + Decimal(weight) * p_cache
            mixed.append(float(-p.ln()))
        else:
            mixed.append(nll[t])
    return np.array(mixed)


def streams(num_steps, num_streams, seed=0, num_words=6, hidden_size=5):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(num_steps, num_streams, hidden_size))
    nll = rng.exponential(2.0, (num_steps, num_streams))
    return states, nll, rng.integers(0, num_words, (num_steps, num_streams))


def run(cache, states, nll, targets, borders, dtype=torch.float64):
    parts = []
    for start, stop in zip([0, *borders], [*borders, len(states)], strict=True):
        parts.append(
            cache.mix(
                torch.tensor(states[start:stop], dtype=dtype),
                torch.tensor(nll[start:stop], dtype=dtype),
                torch.tensor(targets[start:stop]),
                starts_anew=start == 0,
            )
        )
    return torch.cat(parts).double().numpy()


def slow_run(states, nll, targets, size, weight, flatness):
    columns = [
        slow_mixture(states[:, b], nll[:, b], targets[:, b], size, weight, flatness) for b in range(states.shape[1])
    ]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("size", [1, 3, 10, 100])
@pytest.mark.parametrize("borders", [[], [1, 2], [7, 14, 21, 28], [30, 31]])
def test_mixtures_equal_the_definition(size, borders):
    states, nll, targets = streams(40, 2)

    mixed = run(WordCache(size, 0.3, 0.7), states, nll, targets, borders)

    np.testing.assert_allclose(mixed, slow_run(states, nll, targets, size, 0.3, 0.7), rtol=1e-12)


@pytest.mark.parametrize(("num_rows", "num_similarities"), [(1, 1 << 23), (4, 1 << 23), (128, 40)])
def test_blocks_of_rows_do_not_change_the_result(monkeypatch, num_rows, num_similarities):
    states, nll, targets = streams(40, 3)
    whole = run(WordCache(6, 0.3, 0.7), states, nll, targets, [15])

    monkeypatch.setattr(word_cache, "_NUM_ROWS", num_rows)
    monkeypatch.setattr(word_cache, "_MAX_SIMILARITIES", num_similarities)
    blocks = run(WordCache(6, 0.3, 0.7), states, nll, targets, [15])

    np.testing.assert_allclose(blocks, whole, rtol=1e-13)


def test_positions_without_a_target_count_for_nothing():
    states, nll, targets = streams(30, 4)
    targets[np.random.default_rng(1).random(targets.shape) < 0.3] = IGNORED
    targets[:9, 0] = IGNORED
    nll[targets == IGNORED] = 0.0

    mixed = run(WordCache(5, 0.4, 1.0), states, nll, targets, [10, 20])

    np.testing.assert_allclose(mixed, slow_run(states, nll, targets, 5, 0.4, 1.0), rtol=1e-12)
    assert (mixed[targets == IGNORED] == 0).all()


def test_the_probabilities_of_all_words_sum_to_1():
    states, nll, targets = streams(20, 1)
    p_model = np.random.default_rng(2).dirichlet(np.ones(6))

    total = 0.0
    for word in range(6):
        targets[-1], nll[-1] = word, -math.log(p_model[word])
        total += math.exp(-run(WordCache(8, 0.25, 0.5), states, nll, targets, [12])[-1, 0])

    assert total == pytest.approx(1, abs=1e-12)


def test_new_streams_know_nothing_of_the_ones_before():
    states, nll, targets = streams(12, 2)
    cache = WordCache(10, 0.3, 0.5)
    first = run(cache, states, nll, targets, [6])

    # another number of streams, too
    again = run(cache, states[:, :1], nll[:, :1], targets[:, :1], [6])

    np.testing.assert_allclose(again, first[:, :1], rtol=1e-13)
    np.testing.assert_array_equal(again[0], nll[0, :1])


def test_an_empty_cache_leaves_the_model_alone():
    states, nll, targets = streams(1, 2)

    mixed = WordCache(10, 0.9, 0.5).mix(
        torch.tensor(states), torch.tensor(nll), torch.tensor(targets), starts_anew=False
    )

    np.testing.assert_array_equal(mixed.numpy(), nll)


def test_a_share_of_nothing_leaves_the_model_alone():
    states, nll, targets = streams(20, 2)

    np.testing.assert_allclose(run(WordCache(10, 0.0, 0.5), states, nll, targets, [5]), nll, rtol=1e-14)


def test_large_similarities_and_unlikely_words_stay_exact():
    states, nll, targets = streams(30, 2, hidden_size=50)

    mixed = run(WordCache(20, 0.2, 100.0), states, nll + 2000.0, targets, [10])

    np.testing.assert_allclose(mixed, slow_run(states, nll + 2000.0, targets, 20, 0.2, 100.0), rtol=1e-10)
    assert mixed.min() < 1.7 < 2000 < mixed.max()


def test_a_repeated_text_is_predicted_better():
    rng = np.random.default_rng(0)
    states = np.tile(rng.normal(size=(50, 1, 16)), (2, 1, 1))
    targets = np.tile(rng.permutation(50)[:, None], (2, 1))
    nll = np.full((100, 1), math.log(50))

    mixed = run(WordCache(60, 0.5, 2.0), states, nll, targets, [33, 66])

    assert mixed[50:].mean() < 0.8
    assert mixed[:50].mean() == pytest.approx(math.log(50) + math.log(2), abs=0.02)


def test_single_and_half_precision_come_close_to_double():
    states, nll, targets = streams(40, 3, hidden_size=32)
    cache = {dtype: WordCache(15, 0.3, 0.3) for dtype in (torch.float64, torch.float32, torch.bfloat16)}

    mixed = {dtype: run(cache[dtype], states, nll, targets, [20], dtype) for dtype in cache}

    np.testing.assert_allclose(mixed[torch.float32], mixed[torch.float64], atol=1e-5)
    np.testing.assert_allclose(mixed[torch.bfloat16], mixed[torch.float64], atol=0.3)


def test_memory_does_not_grow_with_the_streams():
    states, nll, targets = streams(1000, 2)
    cache = WordCache(7, 0.3, 0.5)

    run(cache, states, nll, targets, [300, 900])

    kept = [value for value in vars(cache._ring).values() if isinstance(value, torch.Tensor)]
    num_kept = sum(tensor.untyped_storage().nbytes() for tensor in kept) / 8
    assert 0 < num_kept <= (7 + 128) * (2 * 5 + 2 + 1)


def test_streams_longer_than_memory_equal_the_definition(monkeypatch):
    monkeypatch.setattr(word_cache, "_NUM_ROWS", 4)
    states, nll, targets = streams(60, 2)

    mixed = run(WordCache(5, 0.3, 0.7), states, nll, targets, [1, 4, 5, 20, 27, 31])

    np.testing.assert_allclose(mixed, slow_run(states, nll, targets, 5, 0.3, 0.7), rtol=1e-12)


def test_what_is_kept_does_not_change_with_the_callers_tensors():
    states, nll, targets = streams(20, 2)
    expected = run(WordCache(50, 0.3, 0.5), states, nll, targets, [10])
    cache, buffers = WordCache(50, 0.3, 0.5), [torch.tensor(array[:10]) for array in (states, nll, targets)]

    cache.mix(*buffers, starts_anew=True)
    for buffer, array in zip(buffers, (states, nll, targets), strict=True):
        buffer.copy_(torch.tensor(array[10:]))
    mixed = cache.mix(*buffers, starts_anew=False)

    np.testing.assert_allclose(mixed.numpy(), expected[10:], rtol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.1, 1.0), "WordCache expected size to be at least 1, got 0"),
        ((10, 1.0, 1.0), "WordCache expected weight to be at least 0 and below 1, got 1.0"),
        ((10, -0.1, 1.0), "WordCache expected weight to be at least 0 and below 1, got -0.1"),
        ((10, math.nan, 1.0), "WordCache expected weight to be at least 0 and below 1, got nan"),
        ((10, 0.1, math.inf), "WordCache expected flatness to be finite and at least 0, got inf"),
    ],
)
def test_settings_have_a_range(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        WordCache(*arguments)


def test_shapes_that_do_not_fit_are_refused():
    cache, output, matrix = WordCache(5, 0.1, 1.0), torch.zeros(4, 2, 3), torch.zeros(4, 2)
    cache.mix(output, matrix, matrix.long(), starts_anew=True)

    with pytest.raises(ShapeError, match=r"output of shape \(T, B, H\), none of them 0, got \(4, 2\)"):
        cache.mix(matrix, matrix, matrix.long(), starts_anew=True)
    with pytest.raises(ShapeError, match=r"none of them 0, got \(0, 2, 3\)"):
        cache.mix(output[:0], matrix[:0], matrix[:0].long(), starts_anew=True)
    with pytest.raises(ShapeError, match=r"nll of the shape \(T, B\) of output, \(4, 2\), got \(3, 2\)"):
        cache.mix(output, matrix[:3], matrix.long(), starts_anew=True)
    with pytest.raises(ShapeError, match=r"targets of the shape \(T, B\) of output, \(4, 2\), got \(4, 1\)"):
        cache.mix(output, matrix, matrix[:, :1].long(), starts_anew=True)
    with pytest.raises(ShapeError, match=r"\(T, 2, 3\), as the streams that go on have it, got \(4, 1, 3\)") as caught:
        cache.mix(output[:, :1], matrix[:, :1], matrix[:, :1].long(), starts_anew=False)
    assert caught.value.hint == "starts_anew=True begins new streams"
