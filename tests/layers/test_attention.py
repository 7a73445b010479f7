import numpy as np
import pytest
import torch

from recurra.errors import ArgumentError, ShapeError
from recurra.layers import AdditiveAttention, DotAttention


def arrays(*shapes, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape) for shape in shapes]


def weights_of(module):
    return {name: tensor.detach().numpy() for name, tensor in module.named_parameters()}


def additive_score(weights, query, key):
    w, u = weights["from_query.weight"], weights["from_memory.weight"]
    return weights["direction"] @ np.tanh(w @ query + u @ key + weights["from_memory.bias"])


def dot_score(weights, query, key):
    return query @ key


def general_score(weights, query, key):
    return query @ (weights["projection.weight"] @ key)


def attended(score, weights, query, memory, lengths):
    """Contexts and weights by their definition, one query and one row after the other."""
    (num_queries, batch_size, _), (num_steps, _, width) = query.shape, memory.shape
    contexts, shares = np.zeros((num_queries, batch_size, width)), np.zeros((num_queries, batch_size, num_steps))
    for row, length in enumerate(lengths):
        for place in range(num_queries):
            found = [np.exp(score(weights, query[place, row], memory[step, row])) for step in range(length)]
            for step in range(length):
                shares[place, row, step] = found[step] / sum(found)
                contexts[place, row] += shares[place, row, step] * memory[step, row]
    return contexts, shares


KINDS = [
    (lambda: AdditiveAttention(4, 6), 6, additive_score),
    (lambda: AdditiveAttention(4, 6, 3), 6, additive_score),
    (lambda: DotAttention(4, 4, projection=False), 4, dot_score),
    (lambda: DotAttention(4, 6), 6, general_score),
]


@pytest.mark.parametrize(("build", "width", "score"), KINDS)
def test_contexts_and_weights_are_those_of_the_definition(build, width, score):
    torch.manual_seed(1)
    attention = build().double()
    query, memory = arrays((3, 4, 4), (5, 4, width))
    lengths = [5, 2, 0, 1]

    context, weights = attention(torch.tensor(query), torch.tensor(memory), torch.tensor(lengths))

    expected = attended(score, weights_of(attention), query, memory, lengths)
    np.testing.assert_allclose(context.detach(), expected[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(weights.detach(), expected[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("build", "width", "score"), KINDS)
def test_what_stands_behind_the_lengths_changes_nothing(build, width, score):
    attention = build().double()
    query, memory, other = map(torch.tensor, arrays((3, 3, 4), (5, 3, width), (5, 3, width)))
    lengths = torch.tensor([5, 2, 0])
    is_behind = torch.arange(5)[:, None] >= lengths
    changed = torch.where(is_behind.unsqueeze(-1), 5 * other, memory).requires_grad_()

    context, weights = attention(query, changed, lengths)

    expected = attention(query, memory, lengths)
    assert torch.equal(context, expected[0])
    assert torch.equal(weights, expected[1])
    assert (weights * is_behind.t()).sum() == 0
    (gradient,) = torch.autograd.grad(context.square().sum(), changed)
    assert not gradient[is_behind].any()
    assert gradient[~is_behind].all()


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(2)
    attention = AdditiveAttention(3, 2, 4).double()
    query, memory = (torch.tensor(array, requires_grad=True) for array in arrays((2, 3, 3), (4, 3, 2)))
    lengths = torch.tensor([4, 1, 0])

    def run(*inputs):
        return attention(*inputs[:2], lengths)

    assert torch.autograd.gradcheck(run, (query, memory, *attention.parameters()))
    assert torch.autograd.gradgradcheck(run, (query, memory, *attention.parameters()), fast_mode=True)


def test_numbers_whose_exponentials_overflow_are_attended_to_as_well():
    attention = AdditiveAttention(2, 2, 2)
    with torch.no_grad():
        attention.from_query.weight.copy_(torch.eye(2))
        attention.from_memory.weight.copy_(torch.eye(2))
        attention.from_memory.bias.zero_()
    query, memory = torch.tensor([[[300.0, -300.0]]]), torch.tensor([[[-300.0, 299.5]], [[-299.0, 0.0]]])

    _, weights = attention(query, memory, torch.tensor([2]))

    expected = attended(
        additive_score,
        {n: w.astype(float) for n, w in weights_of(attention).items()},
        query.double().numpy(),
        memory.double().numpy(),
        [2],
    )[1]
    np.testing.assert_allclose(weights.detach(), expected, rtol=1e-6)


def test_keys_that_are_given_are_not_computed_anew():
    attention = AdditiveAttention(4, 6)
    query, memory = (torch.tensor(array).float() for array in arrays((3, 2, 4), (5, 2, 6)))
    lengths = torch.tensor([5, 3])

    with_keys = attention(query, memory, lengths, keys=attention.keys(memory))
    with_others = attention(query, memory, lengths, keys=torch.zeros(5, 2, 4))

    assert torch.equal(with_keys[1], attention(query, memory, lengths)[1])
    assert torch.allclose(with_others[1][:, 0], torch.full((3, 5), 0.2))


def test_half_precision_is_taken():
    attention = AdditiveAttention(4, 6).bfloat16()
    query, memory = (torch.tensor(array).bfloat16() for array in arrays((3, 2, 4), (5, 2, 6)))

    context, weights = attention(query, memory, torch.tensor([5, 3]))

    assert context.dtype == weights.dtype == torch.bfloat16
    assert torch.allclose(weights.float().sum(-1), torch.ones(3, 2), atol=0.02)


def test_inputs_of_other_shapes_are_refused():
    attention = AdditiveAttention(4, 6)
    query, memory, lengths = torch.zeros(3, 2, 4), torch.zeros(5, 2, 6), torch.tensor([5, 3])

    with pytest.raises(ShapeError, match=r"query of shape \(time, batch, query_size=4\), got \(2, 4\)"):
        attention(query[0], memory, lengths)
    with pytest.raises(ShapeError, match=r"memory of shape \(time, batch, memory_size=6\), got \(5, 2, 5\)"):
        attention(query, memory[..., 1:], lengths)
    with pytest.raises(ShapeError, match="query and memory to have one batch, got 1 and 2 rows"):
        attention(query[:, :1], memory, lengths)
    with pytest.raises(ShapeError, match="AdditiveAttention expected lengths in 0 to 5"):
        attention(query, memory, torch.tensor([6, 3]))


def test_a_dot_product_of_other_widths_needs_a_projection():
    with pytest.raises(ArgumentError, match="query_size to be memory_size=6 without a projection, got 4") as caught:
        DotAttention(4, 6, projection=False)

    assert "projection=True" in caught.value.hint
