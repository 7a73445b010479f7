import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import IGNORE_INDEX
from recurra.errors import ArgumentError, ShapeError
from recurra.layers import TagConstraints, viterbi
from recurra.layers.viterbi import IGNORED
from tests.oracles.linear_chain import all_scores, is_allowed, sequence_score


def draw(seed, num_tags, num_steps=4, batch_size=4):
    torch.manual_seed(seed)
    shapes = [(num_steps, batch_size, num_tags), (num_tags, num_tags), (num_tags,), (num_tags,)]
    return [torch.randn(shape).double() for shape in shapes]


def masks(seed, num_tags):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(num_tags, num_tags), (num_tags,), (num_tags,)]
    return TagConstraints(*(torch.rand(shape, generator=generator) < 0.6 for shape in shapes))


@given(st.integers(0, 10**6), st.integers(1, 4), st.lists(st.integers(0, 4), min_size=1, max_size=3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_sequence_that_is_allowed_scores_higher(seed, num_tags, lengths, is_constrained):
    emissions, transitions, start, end = draw(seed, num_tags, batch_size=len(lengths))
    constraints = masks(seed, num_tags) if is_constrained else None
    weights = [tensor.numpy() for tensor in (transitions, start, end)]
    allowed = [np.ones_like(weight, bool) for weight in weights] if constraints is None else constraints
    ways = [
        {tags: s for tags, s in all_scores(emissions[:n, row].numpy(), *weights).items() if is_allowed(tags, *allowed)}
        for row, n in enumerate(lengths)
    ]

    def decode():
        return viterbi(emissions, lengths, transitions=transitions, start=start, end=end, constraints=constraints)

    if not all(ways):
        with pytest.raises(
            ArgumentError, match="viterbi expected scores and constraints that leave some tags possible"
        ):
            decode()
        return
    tags, scores = decode()
    for row, known in enumerate(ways):
        length = lengths[row]
        found = tuple(tags[:length, row].tolist())
        assert known[found] == pytest.approx(max(known.values()), abs=1e-12)
        assert scores[row].item() == pytest.approx(known[found], abs=1e-12)
        assert (tags[length:, row] == IGNORE_INDEX).all()


def test_what_is_behind_the_lengths_bears_the_mark_that_losses_leave_out():
    assert IGNORED == IGNORE_INDEX


def test_without_transitions_each_step_is_for_itself():
    emissions = draw(0, 5)[0]

    tags, scores = viterbi(emissions, [4] * 4)

    assert torch.equal(tags, emissions.argmax(2))
    assert torch.allclose(scores, emissions.amax(2).sum(0))


def test_an_empty_row_has_no_tags_and_no_score():
    emissions, transitions, start, end = draw(1, 3)

    tags, scores = viterbi(emissions, [0, 1, 0, 4], transitions=transitions, start=start, end=end)

    assert (tags[:, [0, 2]] == -100).all()
    assert scores[[0, 2]].tolist() == [0, 0]


@pytest.mark.parametrize("behind", [1e30, torch.inf, torch.nan])
def test_what_stands_behind_the_lengths_is_not_read(behind):
    emissions, transitions, start, end = draw(2, 3)
    lengths = torch.tensor([4, 1, 0, 2])
    others = emissions.masked_fill((torch.arange(4).unsqueeze(1) >= lengths).unsqueeze(2), behind)

    usual = viterbi(emissions, lengths, transitions=transitions, start=start, end=end)
    changed = viterbi(others, lengths, transitions=transitions, start=start, end=end)

    assert torch.equal(usual[0], changed[0])
    assert torch.equal(usual[1], changed[1])


def test_long_rows_are_scored_as_they_are_tagged():
    emissions, transitions, start, end = draw(3, 6, num_steps=200, batch_size=3)
    lengths = [200, 57, 199]

    tags, scores = viterbi(emissions, lengths, transitions=transitions, start=start, end=end)

    for row, length in enumerate(lengths):
        weights = [tensor.numpy() for tensor in (transitions, start, end)]
        found = sequence_score(emissions[:, row].numpy(), tags[:length, row].tolist(), *weights)
        assert scores[row].item() == pytest.approx(found)


def test_it_leaves_no_gradient():
    emissions = draw(4, 3)[0].requires_grad_()

    _, scores = viterbi(emissions, [4] * 4)

    assert not scores.requires_grad


def test_a_row_for_which_nothing_is_allowed_is_named():
    never = torch.zeros(2, 2, dtype=torch.bool)
    any_tag = torch.ones(2, dtype=torch.bool)

    with pytest.raises(ArgumentError) as caught:
        viterbi(torch.zeros(3, 2, 2), [1, 3], constraints=TagConstraints(never, any_tag, any_tag))

    assert str(caught.value) == (
        "viterbi expected scores and constraints that leave some tags possible for each row, "
        "got none for the 3 steps of row 1"
    )


def test_scores_and_masks_of_another_shape_are_refused():
    emissions = torch.zeros(3, 2, 2)

    with pytest.raises(ShapeError, match=r"viterbi expected transitions of shape \(2, 2\), got \(2,\)"):
        viterbi(emissions, [3, 3], transitions=torch.zeros(2))
    with pytest.raises(ShapeError, match=r"viterbi expected end of shape \(2,\), got \(3,\)"):
        viterbi(emissions, [3, 3], end=torch.zeros(3))
    with pytest.raises(ShapeError, match=r"viterbi expected constraints.start of shape \(2,\), got \(3,\)"):
        viterbi(
            emissions, [3, 3], constraints=TagConstraints(torch.ones(2, 2) > 0, torch.ones(3) > 0, torch.ones(2) > 0)
        )
    with pytest.raises(ShapeError, match=r"viterbi expected emissions of shape \(time, batch, tags\), with at least"):
        viterbi(emissions[0], [3, 3])
    with pytest.raises(ShapeError, match=r"viterbi expected lengths of shape \(batch=2,\), got \(1,\)"):
        viterbi(emissions, [3])
