from __future__ import annotations

import math
import pickle

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recurra.decoding import SamplingPolicy
from recurra.errors import ArgumentError, ShapeError

quick = settings(deadline=None, max_examples=150)
INF = math.inf


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def oracle_probs(row: list[float], policy: SamplingPolicy) -> list[float]:
    """The definition, one row at a time in plain Python; raises AssertionError where rounding would decide top-p."""
    allowed = [i for i in range(len(row)) if i not in policy.banned and row[i] > -INF]
    ranked = sorted(allowed, key=lambda i: (-row[i], i))
    if policy.temperature == 0:
        return [float(i == ranked[0]) for i in range(len(row))]
    ranked = ranked[: policy.top_k]
    largest = row[ranked[0]]
    weights = [math.exp((row[i] - largest) / policy.temperature) for i in ranked]
    if policy.top_p is not None:
        total, num_kept = math.fsum(weights), 1
        for num_kept in range(1, len(weights) + 1):
            mass = math.fsum(weights[:num_kept]) / total
            assert policy.top_p == 1 or abs(mass - policy.top_p) > 1e-9, "on the border"
            if mass >= policy.top_p:
                break
        if policy.top_p < 1:
            ranked, weights = ranked[:num_kept], weights[:num_kept]
    total = math.fsum(weights)
    by_id = dict(zip(ranked, weights, strict=True))
    return [by_id.get(i, 0.0) / total for i in range(len(row))]


# few distinct values, so that ties are common
logit = st.one_of(
    st.sampled_from([-INF, -1e4, -1.0, 0.0, 0.5, 1.0, 1e4]),
    st.floats(-30, 30, width=32),
)


@st.composite
def logits_and_policy(draw):
    vocab_size = draw(st.integers(1, 12))
    row = st.lists(logit, min_size=vocab_size, max_size=vocab_size)
    rows = draw(st.lists(row, min_size=1, max_size=4))
    policy = SamplingPolicy(
        temperature=draw(st.sampled_from([0, 1e-6, 0.3, 1.0, 2, 1e6])),
        top_k=draw(st.none() | st.integers(1, vocab_size)),
        top_p=draw(st.none() | st.just(1.0) | st.floats(1e-6, 1.0)),
        banned=tuple(draw(st.sets(st.integers(0, vocab_size - 1), max_size=min(2, vocab_size - 1)))),
    )
    assume(all(any(row[i] > -INF for i in range(vocab_size) if i not in policy.banned) for row in rows))
    return rows, policy


@quick
@given(logits_and_policy(), st.sampled_from([torch.float32, torch.float64]))
def test_distribution_equals_the_definition(case, dtype):
    rows, policy = case
    try:
        expected = [oracle_probs(row, policy) for row in rows]
    except AssertionError:
        assume(False)

    log_probs = policy.log_probs(torch.tensor(rows, dtype=dtype))

    assert log_probs.dtype == torch.float64
    torch.testing.assert_close(log_probs.exp(), torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-15)


@quick
@given(logits_and_policy(), st.integers(0, 2**31))
def test_every_drawn_id_is_possible_and_carries_its_log_prob(case, seed):
    rows, policy = case
    logits = torch.tensor(rows)

    ids, log_probs = policy.draw_scored(logits, seeded(seed))

    assert ids.dtype == torch.int64
    assert (log_probs > -INF).all()
    assert torch.equal(log_probs, policy.log_probs(logits).gather(1, ids[:, None])[:, 0])
    assert torch.equal(ids, policy.draw(logits, seeded(seed)))


@quick
@given(logits_and_policy())
def test_a_row_has_the_same_distribution_to_the_bit_whatever_else_is_in_the_batch(case):
    rows, policy = case

    together = policy.log_probs(torch.tensor(rows))
    alone = torch.cat([policy.log_probs(torch.tensor([row])) for row in rows])

    assert torch.equal(together, alone)


def test_ties_at_the_border_of_top_k_leave_exactly_k_with_the_lowest_ids_first():
    logits = torch.tensor([[1.0, 3.0, 1.0, 1.0, 2.0, 1.0]])

    probs = SamplingPolicy(top_k=4).log_probs(logits).exp()

    assert (probs > 0).tolist() == [[True, True, True, False, True, False]]


def test_ties_in_a_large_vocabulary_leave_exactly_k_with_the_lowest_ids():
    probs = SamplingPolicy(top_k=40).log_probs(torch.zeros(2, 5000)).exp()

    assert (probs[:, :40] - 1 / 40).abs().max() < 1e-15
    assert probs[:, 40:].sum() == 0


def test_top_k_keeps_the_larger_of_two_logits_that_scaling_makes_equal():
    # minus 1e16, both smaller ones are the same number in float64
    logits = torch.tensor([[1e16, 0.25, 0.5]], dtype=torch.float64)

    log_probs = SamplingPolicy(temperature=1e16, top_k=2).log_probs(logits)

    assert (log_probs > -INF).tolist() == [[True, False, True]]


@pytest.mark.parametrize(("top_p", "num_kept"), [(1e-300, 1), (0.125, 1), (0.13, 2), (0.5, 4), (0.51, 5), (1.0, 8)])
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p, num_kept):
    log_probs = SamplingPolicy(top_p=top_p).log_probs(torch.zeros(1, 8))  # eight times exactly 1/8

    assert (log_probs > -INF).tolist() == [[i < num_kept for i in range(8)]]


def test_top_p_of_one_keeps_ids_that_rounding_would_lose():
    logits = torch.tensor([[0.0, -60.0]])  # exp(-60) vanishes beside 1 in float64

    for top_k in (None, 2):
        assert (SamplingPolicy(top_k=top_k, top_p=1.0).log_probs(logits) > -INF).all()


def test_top_p_counts_the_probability_that_top_k_left():
    logits = torch.log(torch.tensor([[0.4, 0.3, 0.2, 0.1]], dtype=torch.float64))

    both = SamplingPolicy(top_k=2, top_p=0.55).log_probs(logits).exp()  # 4/7 = 0.571 reaches 0.55 by itself
    alone = SamplingPolicy(top_p=0.55).log_probs(logits).exp()

    assert both.tolist() == [[1.0, 0.0, 0.0, 0.0]]
    assert (alone > 0).tolist() == [[True, True, False, False]]


def test_top_p_comes_after_the_temperature():
    logits = torch.log(torch.tensor([[0.6, 0.4]], dtype=torch.float64))

    cold = SamplingPolicy(temperature=0.25, top_p=0.7).log_probs(logits).exp()
    warm = SamplingPolicy(temperature=1.0, top_p=0.7).log_probs(logits).exp()

    assert cold.tolist() == [[1.0, 0.0]]
    assert (warm > 0).all()


def test_banned_ids_do_not_use_up_top_k():
    log_probs = SamplingPolicy(top_k=2, banned=(0,)).log_probs(torch.tensor([[9.0, 1.0, 2.0, 0.0]]))

    assert (log_probs > -INF).tolist() == [[False, True, True, False]]


def test_greedy_takes_the_lowest_of_equal_ids_and_no_random_number():
    generator = seeded(3)
    before = generator.get_state()

    ids, log_probs = SamplingPolicy(temperature=0).draw_scored(
        torch.tensor([[0.0, 2.0, 2.0], [5.0, 5.0, 5.0], [1.0, 0.0, 1.5]]), generator
    )

    assert ids.tolist() == [1, 0, 2]
    assert log_probs.tolist() == [0.0, 0.0, 0.0]
    assert torch.equal(generator.get_state(), before)


def test_temperature_zero_is_the_limit_of_small_temperatures():
    logits = torch.randn(50, 30, generator=seeded())

    cold = SamplingPolicy(temperature=1e-6).draw(logits, seeded())

    assert torch.equal(cold, SamplingPolicy(temperature=0).draw(logits, seeded()))


@pytest.mark.parametrize("temperature", [5e-324, 1e-6, 1.0, 1e6, 1.7e308])
def test_extreme_logits_stay_finite_probabilities(temperature):
    logits = torch.tensor([[1e4, -1e4, -INF, 1e4], [3e38, -3e38, 0.0, -INF]])

    probs = SamplingPolicy(temperature=temperature).log_probs(logits).exp()

    torch.testing.assert_close(probs.sum(-1), torch.ones(2, dtype=torch.float64))
    assert probs[0, 2] == 0
    assert probs[0, 0] == probs[0, 3]


def test_huge_temperature_is_uniform():
    probs = SamplingPolicy(temperature=1e6).log_probs(torch.tensor([[-3.0, 0.0, 3.0, 1.0]])).exp()

    torch.testing.assert_close(probs, torch.full((1, 4), 0.25, dtype=torch.float64), rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_distribution_of_narrow_logits_is_computed_in_float64(dtype):
    logits = torch.randn(2, 1000, generator=seeded()).to(dtype)

    log_probs = SamplingPolicy().log_probs(logits)

    torch.testing.assert_close(log_probs, torch.log_softmax(logits.double(), -1), rtol=0, atol=1e-13)
    assert (log_probs.exp().sum(-1) - 1).abs().max() < 1e-12


def test_logits_are_not_changed():
    logits = torch.randn(3, 9, generator=seeded(), dtype=torch.float64)
    before = logits.clone()

    SamplingPolicy(temperature=1.0, top_k=3, top_p=0.5, banned=(1,)).draw(logits, seeded())

    assert torch.equal(logits, before)


@pytest.mark.parametrize(
    "policy",
    [
        SamplingPolicy(),
        SamplingPolicy(temperature=0.5),
        SamplingPolicy(temperature=2.0, top_k=3),
        SamplingPolicy(top_p=0.8),
        SamplingPolicy(temperature=1.5, top_k=4, top_p=0.9, banned=(2,)),
    ],
)
def test_frequencies_are_the_probabilities(policy):
    row = [0.3, -1.0, 2.0, 1.1, 0.0, 1.6]
    num_draws = 200_000

    ids = policy.draw(torch.tensor([row]).expand(num_draws, -1), seeded(7))

    counts = torch.bincount(ids, minlength=len(row)).tolist()
    expected = [num_draws * p for p in oracle_probs(torch.tensor(row).tolist(), policy)]
    assert all(count == 0 for count, mean in zip(counts, expected, strict=True) if mean == 0)
    chi_square = sum((c - m) ** 2 / m for c, m in zip(counts, expected, strict=True) if m > 0)
    assert chi_square < 20.5  # exceeded by one in a thousand fair generators at five degrees of freedom


def test_draws_of_one_row_one_after_another_are_independent():
    generator, policy = seeded(11), SamplingPolicy()
    logits = torch.zeros(1, 3)

    ids = [policy.draw(logits, generator).item() for _ in range(9000)]

    pairs = torch.bincount(torch.tensor([3 * a + b for a, b in zip(ids[::2], ids[1::2], strict=True)]), minlength=9)
    assert ((pairs - 500.0) ** 2 / 500).sum() < 26.1  # one in a thousand at eight degrees of freedom


def test_rows_of_a_batch_draw_differently():
    ids = SamplingPolicy().draw(torch.zeros(64, 1000), seeded())

    assert len(set(ids.tolist())) > 50


@quick
@given(st.integers(0, 2**31), st.integers(1, 40), st.data())
def test_changing_one_row_leaves_what_the_others_draw(seed, batch_size, data):
    changed = data.draw(st.integers(0, batch_size - 1))
    logits = torch.randn(batch_size, 17, generator=seeded(seed))
    other = logits.clone()
    other[changed] = 50 * torch.randn(17, generator=seeded(seed + 1))
    policy = SamplingPolicy(temperature=0.9, top_k=9, top_p=0.95)

    ids, other_ids = policy.draw(logits, seeded(seed)), policy.draw(other, seeded(seed))

    rest = [i for i in range(batch_size) if i != changed]
    assert torch.equal(ids[rest], other_ids[rest])


def test_a_seed_draws_the_same_ids_on_every_run():
    logits = torch.arange(30.0).remainder(7).reshape(5, 6) / 2
    generator = seeded(2024)

    ids = [SamplingPolicy(temperature=0.8).draw(logits, generator).tolist() for _ in range(3)]

    uniform = torch.rand(15, generator=seeded(2024), dtype=torch.float64).reshape(3, 5).tolist()
    probs = [oracle_probs(row, SamplingPolicy(temperature=0.8)) for row in logits.tolist()]
    assert ids == [
        [next(i for i in range(6) if sum(probs[row][: i + 1]) > u[row]) for row in range(5)] for u in uniform
    ]


def test_the_global_random_state_is_neither_read_nor_changed():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()

    first = SamplingPolicy().draw(torch.zeros(4, 50), seeded(5))
    torch.manual_seed(2)
    second = SamplingPolicy().draw(torch.zeros(4, 50), seeded(5))

    assert torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("uniform", [0.0, 1 - 2.0**-53])
def test_the_extreme_uniform_numbers_never_draw_an_impossible_id(monkeypatch, uniform):
    logits = torch.randn(500, 40, generator=seeded(), dtype=torch.float64)
    logits[:, :10] = logits[:, 30:] = -INF
    monkeypatch.setattr(torch, "rand", lambda *size, dtype, **_: torch.full(size, uniform, dtype=dtype))

    ids = SamplingPolicy().draw(logits, seeded())

    assert set(ids.tolist()) == {10 if uniform == 0 else 29}


def test_an_id_too_rare_for_float32_is_drawn_as_often_as_it_should(monkeypatch):
    rare = 1e-10  # beside it, 1 - rare is 1 in float32
    logits = torch.log(torch.tensor([[1 - rare, rare]] * 2, dtype=torch.float64))
    uniform = torch.tensor([[1 - 2 * rare], [1 - rare / 2]], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: uniform)

    ids = SamplingPolicy().draw(logits, seeded())

    assert ids.tolist() == [0, 1]


def test_one_id_is_drawn_always():
    assert SamplingPolicy(top_k=1, top_p=0.1).draw(torch.full((3, 1), -5.0), seeded()).tolist() == [0, 0, 0]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_empty_batch_draws_nothing(temperature):
    ids, log_probs = SamplingPolicy(temperature=temperature, banned=(1,)).draw_scored(torch.zeros(0, 4), seeded())

    assert (tuple(ids.shape), tuple(log_probs.shape)) == ((0,), (0,))


def test_a_policy_is_a_value():
    policy = SamplingPolicy(temperature=0.7, top_k=4, banned=(0,))

    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(SamplingPolicy(temperature=0.7, top_k=4, banned=(0,)))
    with pytest.raises(AttributeError):
        policy.temperature = 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"temperature": -0.1},
            "SamplingPolicy expected temperature to be a finite number that is at least 0, got -0.1",
        ),
        ({"temperature": INF}, "temperature to be a finite number that is at least 0, got inf"),
        ({"temperature": math.nan}, "temperature to be a finite number that is at least 0, got nan"),
        ({"temperature": 10**400}, "temperature to be a finite number that is at least 0, got 1000"),
        ({"temperature": "warm"}, "temperature to be a finite number that is at least 0, got 'warm'"),
        ({"temperature": True}, "temperature to be a finite number that is at least 0, got True"),
        ({"top_k": 0}, "SamplingPolicy expected top_k to be an integer that is at least 1, or None, got 0"),
        ({"top_k": 2.0}, "top_k to be an integer that is at least 1, or None, got 2.0"),
        ({"top_p": 0.0}, "SamplingPolicy expected top_p to be a number in (0, 1], or None, got 0.0"),
        ({"top_p": 1.01}, "top_p to be a number in (0, 1], or None, got 1.01"),
        ({"top_p": math.nan}, "top_p to be a number in (0, 1], or None, got nan"),
        ({"banned": (-1,)}, "banned to be a tuple of integers that are at least 0, got (-1,)"),
        ({"banned": [1]}, "banned to be a tuple of integers that are at least 0, got [1]"),
    ],
)
def test_a_value_outside_its_range_is_named(options, message):
    with pytest.raises(ArgumentError) as caught:
        SamplingPolicy(**options)

    assert message in str(caught.value)


def test_all_faults_come_in_one_message():
    with pytest.raises(ArgumentError) as caught:
        SamplingPolicy(temperature=-1, top_k=0, top_p=2, banned=(-3,))

    assert str(caught.value) == (
        "SamplingPolicy expected temperature to be a finite number that is at least 0, got -1; "
        "top_k to be an integer that is at least 1, or None, got 0; "
        "top_p to be a number in (0, 1], or None, got 2; "
        "banned to be a tuple of integers that are at least 0, got (-3,)"
    )


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (SamplingPolicy(top_k=66), "SamplingPolicy expected top_k to be at most vocab_size=65, got 66"),
        (SamplingPolicy(banned=(0, 65)), "SamplingPolicy expected banned ids to be below vocab_size=65, got 65"),
        (
            SamplingPolicy(banned=(*range(65), 3)),
            "SamplingPolicy expected banned to leave at least one of vocab_size=65 ids, got all of them",
        ),
    ],
)
def test_a_policy_that_does_not_fit_the_vocabulary_is_refused(policy, message):
    with pytest.raises(ArgumentError) as caught:
        policy.check_vocab_size(65)
    with pytest.raises(ArgumentError) as drawn:
        policy.draw(torch.zeros(1, 65), seeded())

    assert str(caught.value) == str(drawn.value) == message


def test_a_policy_that_just_fits_the_vocabulary_is_taken():
    SamplingPolicy(top_k=65, banned=tuple(range(64))).check_vocab_size(65)


@pytest.mark.parametrize(
    "policy", [SamplingPolicy(), SamplingPolicy(temperature=0), SamplingPolicy(top_k=1, banned=(1,))]
)
@pytest.mark.parametrize("value", [math.nan, INF])
def test_logits_of_a_diverged_model_are_refused_by_row(policy, value):
    logits = torch.zeros(3, 4)
    logits[2, 1] = value

    with pytest.raises(ArgumentError) as caught:
        policy.draw(logits, seeded())

    assert str(caught.value) == (
        f"SamplingPolicy expected logits without NaN and plus infinity, got {value} in row 2\n"
        "hint: the model that made these logits has diverged; take an earlier checkpoint, or train with a lower lr"
    )


def test_a_row_with_nothing_left_to_draw_is_refused():
    logits = torch.tensor([[0.0, 0.0, -INF], [0.0, -INF, -INF]])

    with pytest.raises(ArgumentError) as caught:
        SamplingPolicy(banned=(0,)).draw(logits, seeded())

    assert str(caught.value) == (
        "SamplingPolicy expected logits with a finite value at an id that is not banned, got none in row 1"
    )


@pytest.mark.parametrize(
    ("logits", "got"),
    [(torch.zeros(5), "(5,) and torch.float32"), (torch.zeros(2, 3, dtype=torch.int64), "(2, 3) and torch.int64")],
)
def test_logits_of_another_shape_or_type_are_refused(logits, got):
    with pytest.raises(ShapeError) as caught:
        SamplingPolicy().log_probs(logits)

    assert str(caught.value) == (
        f"SamplingPolicy expected logits of shape (batch, vocab_size) and a floating type, got {got}"
    )
