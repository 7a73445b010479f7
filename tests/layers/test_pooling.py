import numpy as np
import pytest
import torch

from recurra.layers import AttentionPooling, last_step, max_steps, mean_steps, valid_steps

LENGTHS = torch.tensor([4, 1, 0, 3])


def outputs(seed=0):
    torch.manual_seed(seed)
    return torch.randn(4, 4, 6, dtype=torch.float64)


def test_valid_steps_are_those_before_the_end():
    assert valid_steps(torch.tensor([2, 0, 3]), 3).T.tolist() == [
        [True, True, False],
        [False, False, False],
        [True, True, True],
    ]


def test_the_last_step_is_the_last_valid_one_and_zero_without_steps():
    output = outputs()

    pooled = last_step(output, LENGTHS)

    expected = [output[3, 0], output[0, 1], torch.zeros(6).double(), output[2, 3]]
    assert torch.equal(pooled, torch.stack(expected))


def test_of_two_directions_the_reverse_half_is_taken_from_the_first_step():
    output = outputs()

    pooled = last_step(output, LENGTHS, is_bidirectional=True)

    assert torch.equal(pooled[3], torch.cat((output[2, 3, :3], output[0, 3, 3:])))
    assert torch.equal(pooled[2], torch.zeros(6).double())


@pytest.mark.parametrize(("pool", "oracle"), [(mean_steps, np.mean), (max_steps, np.max)])
def test_mean_and_maximum_are_over_the_valid_steps(pool, oracle):
    output = outputs()

    pooled = pool(output, LENGTHS).numpy()

    for row, length in enumerate(LENGTHS.tolist()):
        expected = oracle(output[:length, row].numpy(), axis=0) if length else np.zeros(6)
        np.testing.assert_allclose(pooled[row], expected, rtol=1e-12)


def test_attention_is_a_softmax_over_the_valid_steps():
    torch.manual_seed(3)
    pooling, output = AttentionPooling(6, 5).double(), outputs()

    pooled, weights = pooling(output, LENGTHS)

    w, b, v = (tensor.detach().numpy() for tensor in pooling.parameters())
    for row, length in enumerate(LENGTHS.tolist()):
        y = output[:length, row].numpy()
        closeness = np.tanh(y @ w.T + b) @ v[0]
        share = np.exp(closeness) / np.exp(closeness).sum() if length else np.zeros(0)
        np.testing.assert_allclose(weights[:length, row].detach().numpy(), share, rtol=1e-12)
        assert not weights[length:, row].any()
        np.testing.assert_allclose(pooled[row].detach().numpy(), share @ y if length else np.zeros(6), atol=1e-14)


def pooled_by_attention(output, lengths):
    torch.manual_seed(0)
    return AttentionPooling(6).double()(output, lengths)[0]


@pytest.mark.parametrize("behind", [7.5, float("nan"), float("inf")])
@pytest.mark.parametrize("pool", [last_step, mean_steps, max_steps, pooled_by_attention])
def test_what_stands_behind_the_end_changes_neither_values_nor_gradients(pool, behind):
    output = outputs()
    changed = output.masked_fill(~valid_steps(LENGTHS, 4).unsqueeze(-1), behind)
    output.requires_grad_(), changed.requires_grad_()

    pooled, other = pool(output, LENGTHS), pool(changed, LENGTHS)
    (pooled * torch.arange(6)).sum().backward()
    (other * torch.arange(6)).sum().backward()

    assert torch.equal(pooled, other)
    assert torch.equal(output.grad, changed.grad)
    assert torch.isfinite(output.grad).all()
    assert not output.grad[~valid_steps(LENGTHS, 4)].any()
