import numpy as np
import pytest
import torch
from torch import nn

from recurra.errors import ChoiceError, ShapeError
from recurra.models import CharFeatures

WORDS = [[5, 6, 7, 8], [9], [], [6, 5]]
LENGTHS = torch.tensor([4, 1, 0, 2])
KINDS = ["cnn", "recurrent"]


def padded(filler):
    return torch.tensor([(word + [filler] * 5)[:5] for word in WORDS]).t().contiguous()  # (C, W)


def build(kind):
    torch.manual_seed(0)
    return CharFeatures(10, 3, 4, kind).double()


def test_the_convolution_is_that_of_its_formula():
    features = build("cnn")
    table, weight, bias = (tensor.detach().numpy() for tensor in features.parameters())

    found = features(padded(0), LENGTHS).detach().numpy()

    for word, vector in zip(WORDS, found, strict=True):
        wide = np.concatenate([np.zeros((1, 3)), table[word].reshape(-1, 3), np.zeros((1, 3))])
        seen = [np.einsum("hew,we->h", weight, wide[t : t + 3]) + bias for t in range(len(word))]
        wanted = np.max(seen, axis=0) if seen else np.zeros(4)
        assert vector == pytest.approx(wanted, abs=1e-12)


def test_the_recurrent_reader_ends_on_both_sides_of_a_word():
    features = build("recurrent")
    lstm = nn.LSTM(3, 4, bidirectional=True).double()
    for suffix in ("", "_reverse"):
        for name, tensor in getattr(features.reader, f"cell_l0{suffix}").named_parameters():
            getattr(lstm, f"{name}_l0{suffix}").data.copy_(tensor)

    found = features(padded(0), LENGTHS)

    for word, vector in zip(WORDS, found, strict=True):
        wanted = torch.zeros(8).double()
        if word:
            wanted = lstm(features.embedding(torch.tensor(word)))[1][0].flatten()
        assert torch.allclose(vector, wanted, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_behind_a_word_changes_nothing(kind):
    features = build(kind)
    found = []

    for filler in (0, 9):
        features.zero_grad()
        vectors = features(padded(filler), LENGTHS)
        vectors.square().sum().backward()
        found.append([vectors, *(parameter.grad.clone() for parameter in features.parameters())])

    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_without_characters_is_zero(kind):
    features = build(kind)

    alone = features(torch.tensor([[4]]), torch.tensor([0]))

    assert alone.shape == (1, features.output_size)
    assert not alone.any()


def test_another_kind_is_refused():
    with pytest.raises(ChoiceError, match="expected kind of CharFeatures to be one of cnn, recurrent; got 'lstm'"):
        CharFeatures(10, 3, 4, "lstm")


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 0)])
def test_characters_of_another_shape_are_refused(shape):
    features = build("cnn")

    with pytest.raises(ShapeError, match=r"CharFeatures expected chars of shape \(characters, words\), with at least"):
        features(torch.zeros(shape, dtype=torch.int64), torch.zeros(shape[-1], dtype=torch.int64))


def test_lengths_must_fit():
    with pytest.raises(ShapeError, match=r"CharFeatures expected lengths of shape \(batch=4,\), got \(3,\)"):
        build("cnn")(padded(0), LENGTHS[1:])
