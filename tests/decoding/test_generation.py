from __future__ import annotations

import itertools

import pytest
import torch

from recurra.decoding import Generation, SamplingPolicy, generate_ids
from recurra.errors import ArgumentError, ShapeError

# row i: what follows id i
TRANSITIONS = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.7, 0.2, 0.1]], dtype=torch.float64)
START = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64)
PLAIN = SamplingPolicy()


def markov_step(ids, history):
    """A chain whose state is the list of all ids consumed."""
    return TRANSITIONS[ids].log(), [*history, ids.tolist()]


def begin(num_steps, *, seed=0, batch_size=2, policy=PLAIN, step=markov_step, state=()):
    logits = START.log().expand(batch_size, -1)
    return generate_ids(step, logits, state, policy, num_steps=num_steps, generator=torch.Generator().manual_seed(seed))


def test_the_state_has_consumed_everything_drawn_when_generation_ends():
    generation = begin(6)

    drawn = [ids.tolist() for ids, _ in generation]

    assert len(drawn) == 6
    assert generation.state == drawn
    assert torch.equal(generation.logits, TRANSITIONS[drawn[-1]].log())


def test_the_state_is_valid_at_every_moment():
    generation = begin(None)
    assert generation.state == ()
    assert torch.equal(generation.logits, START.log().expand(2, -1))

    seen = []
    for ids, _ in generation:
        seen.append(ids.tolist())

        assert generation.state == seen
        assert generation.num_drawn == len(seen)
        if len(seen) == 4:
            break

    assert generation.state == seen


def test_sequences_have_the_probabilities_of_the_chain():
    batch_size = 100_000
    generation = begin(3, batch_size=batch_size, seed=4)

    ids = torch.stack([ids for ids, _ in generation], dim=1)  # (B, 3)

    counts = torch.bincount(ids @ torch.tensor([9, 3, 1]), minlength=27).tolist()
    chi_square = 0.0
    for (a, b, c), count in zip(itertools.product(range(3), repeat=3), counts, strict=True):
        mean = batch_size * (START[0, a] * TRANSITIONS[a, b] * TRANSITIONS[b, c]).item()
        chi_square += (count - mean) ** 2 / mean
    assert chi_square < 54.1  # one in a thousand at 26 degrees of freedom


def test_log_probs_are_those_of_the_policy():
    policy = SamplingPolicy(temperature=0.5, top_k=2)
    probs = START[0] ** 2 * torch.tensor([0.0, 1.0, 1.0])
    probs /= probs.sum()

    ids, log_probs = next(begin(1, policy=policy, batch_size=8))

    torch.testing.assert_close(log_probs.exp(), probs[ids])


def test_log_probs_of_the_plain_policy_add_up_to_that_of_the_sequence():
    steps = list(begin(5, batch_size=1))

    total = sum(log_probs.item() for _, log_probs in steps)

    ids = [ids.item() for ids, _ in steps]
    expected = START[0, ids[0]].log() + sum(TRANSITIONS[a, b].log() for a, b in itertools.pairwise(ids))
    assert total == pytest.approx(expected.item(), rel=1e-12)


def test_going_on_from_state_and_logits_equals_one_long_generation():
    whole = [ids.tolist() for ids, _ in begin(9, seed=8)]
    generator = torch.Generator().manual_seed(8)

    first = generate_ids(markov_step, START.log().expand(2, -1), [], SamplingPolicy(), num_steps=4, generator=generator)
    head = [ids.tolist() for ids, _ in first]
    second = generate_ids(markov_step, first.logits, first.state, SamplingPolicy(), num_steps=5, generator=generator)
    tail = [ids.tolist() for ids, _ in second]

    assert head + tail == whole
    assert second.state == whole


def test_a_generation_without_end_goes_on():
    drawn = list(itertools.islice(begin(None), 300))

    assert len(drawn) == 300


def test_zero_steps_draw_nothing_and_keep_generator_and_state():
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    state = object()

    generation = generate_ids(markov_step, START.log(), state, SamplingPolicy(), num_steps=0, generator=generator)

    assert list(generation) == []
    assert generation.state is state
    assert torch.equal(generator.get_state(), before)


def test_nothing_is_drawn_before_the_first_item_is_asked_for():
    calls = []

    def step(ids, state):
        calls.append(ids)
        return markov_step(ids, [])

    generation = begin(2, step=step)
    assert calls == []

    next(generation)

    assert len(calls) == 1


def test_an_ended_generation_stays_ended():
    generation = begin(2)
    list(generation)

    assert list(generation) == []
    assert generation.num_drawn == 2


def test_the_same_seed_gives_the_same_ids_and_another_seed_others():
    first, again, other = ([ids.tolist() for ids, _ in begin(30, seed=seed)] for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_the_global_random_state_stays_as_it_was():
    torch.manual_seed(12)
    before = torch.random.get_rng_state()

    list(begin(10))

    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_gradients_are_recorded_and_the_callers_mode_stays():
    weight = torch.ones(3, 3, dtype=torch.float64, requires_grad=True)

    def step(ids, h):
        h = h * 0.5 + weight[ids]
        return h, h

    generation = begin(3, step=step, state=torch.zeros(2, 3, dtype=torch.float64))
    for ids, log_probs in generation:
        assert not log_probs.requires_grad
        assert torch.is_grad_enabled()
        assert ids.shape == (2,)

    assert not generation.state.requires_grad
    assert not generation.logits.requires_grad


def test_a_failing_step_leaves_logits_and_state_as_they_were():
    def step(ids, state):
        if len(state) == 2:
            raise RuntimeError("no memory")
        return markov_step(ids, state)

    generation = begin(5, step=step)
    drawn = [next(generation)[0].tolist() for _ in range(2)]
    logits = generation.logits

    with pytest.raises(RuntimeError, match="no memory"):
        next(generation)

    assert generation.state == drawn
    assert generation.logits is logits
    assert generation.num_drawn == 2


def test_greedy_generation_follows_the_largest_logits():
    generation = begin(5, policy=SamplingPolicy(temperature=0), batch_size=1)

    assert [ids.item() for ids, _ in generation] == [2, 0, 1, 0, 1]
    assert isinstance(generation, Generation)


@pytest.mark.parametrize("num_steps", [-1, 2.0, True])
def test_a_wrong_number_of_steps_is_refused(num_steps):
    with pytest.raises(ArgumentError) as caught:
        begin(num_steps)

    assert str(caught.value) == (
        f"generate_ids expected num_steps to be an integer that is at least 0, or None, got {num_steps!r}"
    )


def test_logits_without_a_batch_axis_are_refused():
    with pytest.raises(ShapeError) as caught:
        generate_ids(markov_step, torch.zeros(3), [], SamplingPolicy(), num_steps=1, generator=torch.Generator())

    assert str(caught.value) == "generate_ids expected logits of shape (batch, vocab_size), got (3,)"


def test_a_policy_that_does_not_fit_is_refused_before_the_first_draw():
    with pytest.raises(ArgumentError) as caught:
        begin(1, policy=SamplingPolicy(top_k=4))

    assert str(caught.value) == "SamplingPolicy expected top_k to be at most vocab_size=3, got 4"


def test_a_step_that_returns_other_logits_is_refused_and_changes_nothing():
    generation = begin(3, step=lambda ids, state: (torch.zeros(2, 5), "other"))

    with pytest.raises(ShapeError) as caught:
        next(generation)

    assert str(caught.value) == "generate_ids expected step to return logits of shape (2, 3), got (2, 5)"
    assert generation.state == ()
    assert generation.num_drawn == 0
