import numpy as np
import pytest
import torch
from torch import nn

from recurra.data import IGNORE_INDEX
from recurra.errors import ConfigError
from recurra.models import AdaptiveSoftmax, FullSoftmax
from recurra.models.output_layers import nll_where_counted

VOCAB_SIZE, WIDTH, CUTOFFS = 13, 16, (4, 9)
both = pytest.mark.parametrize("kind", ["full", "adaptive"])


def build(kind):
    torch.manual_seed(5)
    layer = FullSoftmax(WIDTH, VOCAB_SIZE) if kind == "full" else AdaptiveSoftmax(WIDTH, VOCAB_SIZE, CUTOFFS)
    return layer.double()


def log_softmax(logits):
    logits = logits - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def two_level_log_probs(layer, inputs):
    """Grave et al. 2017: the head's classes are its symbols and the tails, and a tail shares out its own among its."""
    weights = {name: tensor.numpy() for name, tensor in layer.state_dict().items()}
    head = log_softmax(inputs @ weights["head.weight"].T)
    parts = [head[:, : CUTOFFS[0]]]
    for k in range(len(CUTOFFS)):
        logits = inputs @ weights[f"tail.{k}.0.weight"].T @ weights[f"tail.{k}.1.weight"].T
        parts.append(head[:, CUTOFFS[0] + k, None] + log_softmax(logits))
    return np.concatenate(parts, 1)


def test_the_adaptive_softmax_is_the_two_level_one():
    layer, inputs = build("adaptive"), torch.randn(40, WIDTH, dtype=torch.float64)
    targets = torch.arange(40) % VOCAB_SIZE
    expected = two_level_log_probs(layer, inputs.numpy())

    with torch.no_grad():
        nll, log_probs = layer.nll(inputs, targets), layer.logits(inputs.view(8, 5, WIDTH))

    np.testing.assert_allclose(nll, -expected[np.arange(40), targets], rtol=1e-12)
    np.testing.assert_allclose(log_probs.view(40, -1), expected, rtol=1e-12)
    np.testing.assert_allclose(log_probs.exp().sum(-1), 1, rtol=1e-12)


@pytest.mark.parametrize("present", [range(VOCAB_SIZE), range(4), range(9, 13), [4]])
def test_the_adaptive_softmax_has_the_gradients_of_torch(present):
    layer = build("adaptive")
    other = nn.AdaptiveLogSoftmaxWithLoss(WIDTH, VOCAB_SIZE, list(CUTOFFS), div_value=4.0).double()
    other.load_state_dict(layer.state_dict())
    inputs = torch.randn(30, WIDTH, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(present)[torch.arange(30) % len(present)]
    leaves, others = [inputs, *layer.parameters()], [inputs, *other.parameters()]

    found = torch.autograd.grad(layer.nll(inputs, targets).mean(), leaves)

    wanted = torch.autograd.grad(other(inputs, targets).loss, others, materialize_grads=True, allow_unused=True)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-13)


@both
def test_logits_and_costs_are_of_one_distribution(kind):
    layer, inputs = build(kind), torch.randn(20, WIDTH, dtype=torch.float64)
    targets = torch.arange(20) % VOCAB_SIZE

    expected = nn.functional.cross_entropy(layer.logits(inputs), targets, reduction="none")

    torch.testing.assert_close(layer.nll(inputs, targets), expected, rtol=1e-12, atol=1e-12)


@both
def test_targets_that_do_not_count_cost_nothing_and_move_nothing(kind):
    layer, output = build(kind), torch.randn(5, 4, WIDTH, dtype=torch.float64, requires_grad=True)
    targets = torch.arange(20).view(5, 4) % VOCAB_SIZE
    targets[2:, 1] = targets[4, 3] = IGNORE_INDEX
    is_counted = targets != IGNORE_INDEX
    expected = layer.nll(output[is_counted], targets[is_counted])
    wanted = torch.autograd.grad(expected.sum(), [output, *layer.parameters()])

    nll = nll_where_counted(layer, output, targets)

    assert nll.shape == (5, 4)
    assert (nll[~is_counted] == 0).all()
    torch.testing.assert_close(nll[is_counted], expected, rtol=0, atol=0)
    torch.testing.assert_close(torch.autograd.grad(nll.sum(), [output, *layer.parameters()]), wanted)


@both
@pytest.mark.parametrize("shape", [(3, 2), (3, 0)])
def test_a_batch_without_a_target_that_counts_has_zero_gradients(kind, shape):
    layer, output = build(kind), torch.randn(*shape, WIDTH, dtype=torch.float64, requires_grad=True)

    nll = nll_where_counted(layer, output, torch.full(shape, IGNORE_INDEX))
    nll.sum().backward()

    assert nll.shape == shape
    assert not nll.any()
    for parameter in (output, *layer.parameters()):
        assert not parameter.grad.any()


@both
@pytest.mark.parametrize("target", [-1, VOCAB_SIZE, VOCAB_SIZE + 40])
def test_a_target_that_is_no_symbol_raises(kind, target):
    layer, output = build(kind), torch.zeros(2, 1, WIDTH, dtype=torch.float64)

    with pytest.raises(IndexError, match="is out of bounds"):
        nll_where_counted(layer, output, torch.tensor([[1], [target]]))


@pytest.mark.parametrize("cutoffs", [(9, 4), (4, 4), (0, 4), (4, 13)])
def test_cutoffs_that_do_not_rise_within_the_vocabulary_are_refused(cutoffs):
    shown = " ".join(map(str, cutoffs))

    with pytest.raises(ConfigError, match=rf"numbers that rise between 0 and the 13 symbols, got {shown}$"):
        AdaptiveSoftmax(WIDTH, VOCAB_SIZE, cutoffs)


def test_tails_that_would_have_no_width_are_refused():
    with pytest.raises(ConfigError, match=r"of 2 tails expected an output of the layers of at least 16 .*, got 15"):
        AdaptiveSoftmax(15, VOCAB_SIZE, CUTOFFS)


@both
def test_bfloat16_autocast_gives_float32_costs(kind):
    layer, inputs = build(kind).float(), torch.randn(30, WIDTH, requires_grad=True)
    targets = torch.arange(30) % VOCAB_SIZE
    expected = layer.nll(inputs, targets)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        nll = layer.nll(inputs, targets)
    nll.sum().backward()

    assert nll.dtype == torch.float32
    torch.testing.assert_close(nll, expected, rtol=0.05, atol=0.05)
    assert not torch.equal(nll, expected)
