import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from recurra.errors import ArgumentError, ShapeError
from recurra.layers import LinearChainCRF, TagConstraints
from tests.oracles.linear_chain import all_scores, log_sum, sequence_score

LENGTHS = [4, 1, 0, 3]


def build(num_tags):
    torch.manual_seed(num_tags)
    crf = LinearChainCRF(num_tags).double()
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf, torch.randn(4, 4, num_tags).double(), torch.randint(0, num_tags, (4, 4))


def weights_of(crf):
    return [tensor.detach().numpy() for tensor in (crf.transitions, crf.start, crf.end)]


@pytest.mark.parametrize("num_tags", [1, 2, 5])
def test_the_likelihood_is_a_sequences_share_of_all(num_tags):
    crf, emissions, tags = build(num_tags)

    nll = crf.neg_log_likelihood(emissions, tags, LENGTHS)

    wanted = []
    for row, length in enumerate(LENGTHS):
        scores, given = emissions[:length, row].numpy(), tags[:length, row].tolist()
        total = log_sum(all_scores(scores, *weights_of(crf)).values())
        wanted.append(total - sequence_score(scores, given, *weights_of(crf)))
    assert nll.detach().numpy() == pytest.approx(np.array(wanted), abs=1e-12)


def test_likelihoods_of_all_sequences_add_up_to_one():
    crf, emissions, _ = build(2)
    tags = torch.cartesian_prod(*[torch.arange(2)] * 4).t()  # (4, 16)

    nll = crf.neg_log_likelihood(emissions[:, :1].expand(-1, 16, -1), tags, [4] * 16)

    assert (-nll).exp().sum().item() == pytest.approx(1)


def test_one_tag_is_certain():
    crf, emissions, tags = build(1)

    nll = crf.neg_log_likelihood(emissions, tags, LENGTHS)

    assert nll.abs().max().item() < 1e-12
    assert crf.decode(emissions, LENGTHS)[0].max().item() == 0


@pytest.mark.parametrize("num_tags", [1, 3])
def test_gradients_are_those_of_the_value(num_tags):
    crf, emissions, tags = build(num_tags)
    names = [name for name, _ in crf.named_parameters()]

    def value(emissions, *weights):
        call = (emissions, tags, torch.tensor(LENGTHS))
        return torch.func.functional_call(
            _Likelihood(crf), {f"crf.{n}": w for n, w in zip(names, weights, strict=True)}, call
        )

    assert gradcheck(value, [emissions.requires_grad_(), *crf.parameters()])


class _Likelihood(torch.nn.Module):
    def __init__(self, crf):
        super().__init__()
        self.crf = crf

    def forward(self, *arguments):
        return self.crf.neg_log_likelihood(*arguments)


def test_what_stands_behind_the_lengths_changes_nothing():
    crf, emissions, tags = build(3)
    is_behind = torch.arange(4).unsqueeze(1) >= torch.tensor(LENGTHS)

    usual = crf.neg_log_likelihood(emissions, tags, LENGTHS)
    others = emissions.masked_fill(is_behind.unsqueeze(2), torch.nan)

    for tag in (-100, 2, 99):
        changed = crf.neg_log_likelihood(others, tags.masked_fill(is_behind, tag), LENGTHS)
        assert torch.equal(changed, usual)
    assert torch.equal(crf.decode(others, LENGTHS)[0], crf.decode(emissions, LENGTHS)[0])
    usual.sum().backward()
    known = [parameter.grad.clone() for parameter in crf.parameters()]
    crf.zero_grad()
    crf.neg_log_likelihood(others, tags, LENGTHS).sum().backward()
    for grad, parameter in zip(known, crf.parameters(), strict=True):
        assert torch.equal(grad, parameter.grad)


def test_rows_do_not_reach_each_other():
    crf, emissions, tags = build(3)

    together = crf.neg_log_likelihood(emissions, tags, LENGTHS)

    for row, length in enumerate(LENGTHS):
        alone = crf.neg_log_likelihood(emissions[:, row : row + 1], tags[:, row : row + 1], [length])
        assert torch.allclose(alone, together[row], atol=1e-12)


def test_decoding_gives_the_most_probable_tags():
    crf, emissions, _ = build(3)

    tags, scores = crf.decode(emissions, LENGTHS)

    for row, length in enumerate(LENGTHS):
        ways = all_scores(emissions[:length, row].numpy(), *weights_of(crf))
        best = max(ways, key=ways.get)
        assert tags[:, row].tolist() == [*best, *[-100] * (4 - length)]
        assert scores[row].item() == pytest.approx(ways[best])


def test_constraints_reach_decoding():
    crf, emissions, _ = build(3)
    only_two = torch.tensor([False, False, True])
    constraints = TagConstraints(torch.ones(3, 3, dtype=torch.bool), only_two, only_two)

    tags, _ = crf.decode(emissions, LENGTHS, constraints)

    assert tags[0].tolist() == [2, 2, -100, 2]
    assert (tags[3, 0], tags[2, 3]) == (2, 2)


def test_it_learns_tags_that_only_their_neighbours_tell():
    torch.manual_seed(0)
    crf = LinearChainCRF(3)
    tags = (torch.arange(9).unsqueeze(1) + torch.arange(12)) % 3  # each follows the one before it
    emissions = torch.zeros(9, 12, 3)
    emissions[0] = 5 * torch.nn.functional.one_hot(tags[0], 3)
    optimizer = torch.optim.Adam(crf.parameters(), lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        crf.neg_log_likelihood(emissions, tags, [9] * 12).mean().backward()
        optimizer.step()

    assert torch.equal(crf.decode(emissions, [9] * 12)[0], tags)
    assert crf.neg_log_likelihood(emissions, tags, [9] * 12).max().item() < 0.5


def test_half_precision_is_summed_in_single():
    crf, emissions, tags = build(3)
    crf, emissions = crf.float(), emissions.bfloat16()

    nll = crf.neg_log_likelihood(emissions, tags, LENGTHS)

    assert nll.dtype == torch.float32
    assert torch.equal(nll, crf.neg_log_likelihood(emissions.float(), tags, LENGTHS))


@pytest.mark.parametrize("tag", [-1, -100, 3])
def test_a_tag_that_is_none_is_refused(tag):
    crf, emissions, tags = build(3)
    tags[0, 1] = tag

    with pytest.raises(ArgumentError, match=f"LinearChainCRF expected tags from 0 to 2 within the lengths, got {tag}$"):
        crf.neg_log_likelihood(emissions, tags, LENGTHS)


def test_tags_of_another_shape_or_type_are_refused():
    crf, emissions, tags = build(3)
    message = r"LinearChainCRF expected tags to be integers of shape \(4, 4\), as many as emissions, got torch\."

    with pytest.raises(ShapeError, match=message + r"int64 of shape \(3, 4\)"):
        crf.neg_log_likelihood(emissions, tags[1:], LENGTHS)
    with pytest.raises(ShapeError, match=message + r"float32 of shape \(4, 4\)"):
        crf.neg_log_likelihood(emissions, tags.float(), LENGTHS)


@pytest.mark.parametrize("shape", [(4, 4, 2), (4, 3), (0, 4, 3), (4, 0, 3)])
def test_emissions_of_another_shape_are_refused(shape):
    crf, _, tags = build(3)
    message = r"LinearChainCRF expected emissions of shape \(time, batch, tags=3\), with at least one of each, got \("

    with pytest.raises(ShapeError, match=message):
        crf.neg_log_likelihood(torch.zeros(shape), tags, LENGTHS)
    with pytest.raises(ShapeError, match=message):
        crf.decode(torch.zeros(shape), LENGTHS)


def test_lengths_beyond_the_steps_are_refused():
    crf, emissions, tags = build(3)

    with pytest.raises(ShapeError, match="LinearChainCRF expected lengths in 0 to 4, the time of x, got 0 to 5"):
        crf.neg_log_likelihood(emissions, tags, [5, 1, 0, 3])


def test_the_number_of_tags_is_checked():
    with pytest.raises(ArgumentError, match="LinearChainCRF expected num_tags to be an integer of at least 1, got 0"):
        LinearChainCRF(0)


def test_it_shows_its_number_of_tags():
    assert repr(LinearChainCRF(7)) == "LinearChainCRF(7)"
