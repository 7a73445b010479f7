import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from recurra.layers import log_partition as module
from recurra.layers.log_partition import log_partition
from tests.oracles.linear_chain import all_scores, log_sum

LENGTHS = [4, 1, 0, 3]


def draw(num_tags, *, spread=1.0, num_steps=4, batch_size=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(num_tags)
    shapes = [(num_steps, batch_size, num_tags), (num_tags, num_tags), (num_tags,), (num_tags,)]
    return [spread * torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def expected(scores, lengths):
    emissions, *others = (tensor.double().numpy() for tensor in scores)
    return [log_sum(all_scores(emissions[:n, row], *others).values()) if n else 0.0 for row, n in enumerate(lengths)]


@pytest.fixture(params=["scaled", "logarithmic"])
def way(request, monkeypatch):
    """Each of the two ways in which the sum is taken."""
    monkeypatch.setattr(module, "_can_scale", lambda *scores: request.param == "scaled")
    return request.param


@pytest.mark.parametrize("num_tags", [1, 2, 5])
def test_it_is_the_sum_over_all_sequences(way, num_tags):
    scores = draw(num_tags)

    result = log_partition(scores[0], torch.tensor(LENGTHS), *scores[1:])

    assert result.numpy() == pytest.approx(expected(scores, LENGTHS), abs=1e-12)


@pytest.mark.parametrize(("num_tags", "lengths"), [(1, [3, 1]), (3, [3, 0]), (3, [2, 3]), (3, [1, 1])])
def test_its_gradient_is_that_of_its_value(way, num_tags, lengths):
    scores = [tensor.requires_grad_() for tensor in draw(num_tags, num_steps=3, batch_size=2)]

    def value(emissions, *others):
        return log_partition(emissions, torch.tensor(lengths), *others)

    assert gradcheck(value, scores)


def test_one_step_has_no_transitions(way):
    scores = [tensor.requires_grad_() for tensor in draw(3, num_steps=1, batch_size=2)]

    result = log_partition(scores[0], torch.tensor([1, 1]), *scores[1:])
    result.sum().backward()

    assert torch.allclose(result, torch.logsumexp(scores[0][0] + scores[2] + scores[3], 1))
    assert scores[1].grad is None or not scores[1].grad.any()


def test_both_ways_have_the_same_gradients(monkeypatch):
    found = []
    for can_scale in (True, False):
        monkeypatch.setattr(module, "_can_scale", lambda *scores, known=can_scale: known)
        scores = [tensor.requires_grad_() for tensor in draw(7, num_steps=30, batch_size=5)]
        result = log_partition(scores[0], torch.tensor([30, 7, 0, 1, 29]), *scores[1:])
        (result * torch.arange(5)).sum().backward()
        found.append([result, *(tensor.grad for tensor in scores)])

    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-11)


def test_its_gradient_by_emissions_is_the_probability_of_each_tag(way):
    scores = draw(3)
    scores[0].requires_grad_()

    log_partition(scores[0], torch.tensor(LENGTHS), *scores[1:]).sum().backward()

    emissions, *others = (tensor.detach().numpy() for tensor in scores)
    wanted = np.zeros(emissions.shape)
    for row, length in enumerate(LENGTHS):
        ways = all_scores(emissions[:length, row], *others)
        total = log_sum(ways.values())
        for tags, score in ways.items():
            wanted[np.arange(length), row, list(tags)] += math.exp(score - total)
    assert scores[0].grad.numpy() == pytest.approx(wanted, abs=1e-12)


def test_a_backward_pass_can_be_taken_twice(way):
    scores = [tensor.requires_grad_() for tensor in draw(3)]
    result = log_partition(scores[0], torch.tensor(LENGTHS), *scores[1:]).sum()

    first = torch.autograd.grad(result, scores, retain_graph=True)
    second = torch.autograd.grad(result, scores)

    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("behind", [1e30, -torch.inf, torch.nan])
def test_what_stands_behind_the_lengths_is_not_read(way, behind):
    scores = [tensor.requires_grad_() for tensor in draw(3)]
    lengths = torch.tensor(LENGTHS)
    steps = torch.arange(4).unsqueeze(1)
    changed = scores[0].detach().masked_fill((steps >= lengths).unsqueeze(2), behind).requires_grad_()

    usual = log_partition(scores[0], lengths, *scores[1:])
    others = log_partition(changed, lengths, *scores[1:])

    assert torch.equal(usual, others)
    known = torch.autograd.grad(usual.sum(), scores)
    found = torch.autograd.grad(others.sum(), [changed, *scores[1:]])
    for one, other in zip(known, found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("spread", [1.0, 6.0, 12.0, 40.0, 1e4])
def test_single_precision_is_exact_for_scores_of_any_spread(spread):
    scores = [tensor.requires_grad_() for tensor in draw(3, spread=spread, dtype=torch.float32)]

    result = log_partition(scores[0], torch.tensor(LENGTHS), *scores[1:])
    result.sum().backward()

    assert result.detach().numpy() == pytest.approx(expected([s.detach() for s in scores], LENGTHS), rel=1e-5)
    assert all(torch.isfinite(tensor.grad).all() for tensor in scores)
    # of each valid step the tags' probabilities
    assert scores[0].grad.sum().item() == pytest.approx(sum(LENGTHS), rel=1e-5)


def test_scores_are_scaled_up_to_what_the_type_can_hold():
    near, far = torch.zeros(1, 1, 2), torch.tensor([[[0.0, 70.0]]])
    flat, square = torch.zeros(2), torch.zeros(2, 2)

    assert module._can_scale(near, square, flat, flat)
    assert module._can_scale(far, square, flat, flat)
    assert not module._can_scale(far, square, flat, torch.tensor([0.0, 10.0]))
    assert module._can_scale(far.double(), square, flat, torch.tensor([0.0, 10.0]))
    assert not module._can_scale(far * torch.nan, square, flat, flat)
    assert not module._can_scale(near, square, torch.tensor([0.0, -torch.inf]), flat)


def test_a_transition_that_never_happens_takes_no_part():
    scores = draw(3)
    scores[1][0, 1] = -torch.inf

    result = log_partition(scores[0], torch.tensor(LENGTHS), *scores[1:])

    assert result.numpy() == pytest.approx(expected(scores, LENGTHS), abs=1e-12)


def test_automatic_reduced_precision_does_not_reach_it(way):
    scores = [tensor.requires_grad_() for tensor in draw(4, dtype=torch.float32)]
    found = []

    for is_reduced in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=is_reduced):
            result = log_partition(scores[0], torch.tensor(LENGTHS), *scores[1:])
            found.append([result, *torch.autograd.grad(result.sum(), scores)])

    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_long_sentences_stay_finite():
    scores = [tensor.requires_grad_() for tensor in draw(5, num_steps=3000, batch_size=2, dtype=torch.float32)]
    doubled = [tensor.detach().double() for tensor in scores]

    result = log_partition(scores[0], torch.tensor([3000, 2999]), *scores[1:])
    result.sum().backward()

    assert torch.allclose(
        result.double(), log_partition(doubled[0], torch.tensor([3000, 2999]), *doubled[1:]), rtol=1e-5
    )
    assert scores[0].grad.sum().item() == pytest.approx(5999, rel=1e-4)
