"""A tagging network small enough to be worked out on paper.

Four inputs, three hidden units, two classes; every weight is 0.1, and each layer has one bias of 0.1.
The sequence is (4, 0, 0, 0), (0, 8, 2, 0).
"""

import math

import pytest
import torch

from recurra import RNN, Recurrent
from recurra.cells import ElmanCell
from recurra.loop import unroll

X = torch.tensor([[4.0, 0.0, 0.0, 0.0], [0.0, 8.0, 2.0, 0.0]], dtype=torch.float64)
Z_1 = 0.1 * 4 + 0.1
H_1 = math.tanh(Z_1)
Z_2 = 0.1 * (8 + 2) + 0.1 * 3 * H_1 + 0.1
H_2 = math.tanh(Z_2)


def set_weights(module):
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.fill_(0.0 if "bias_hh" in name else 0.1)
    return module


def build(kind, engine):
    layer = RNN(4, 3, dtype=torch.float64, engine=engine) if kind == "RNN" else None
    return set_weights(layer or Recurrent("elman", 4, 3, dtype=torch.float64, engine=engine))


def test_the_sums_are_those_on_paper():
    assert pytest.approx(0.5) == Z_1
    assert pytest.approx(1.1 + 0.3 * math.tanh(0.5)) == Z_2
    assert pytest.approx(0.462117, abs=1e-6) == H_1
    assert pytest.approx(0.845066, abs=1e-6) == H_2


@pytest.mark.parametrize("kind", ["RNN", "Recurrent"])
@pytest.mark.parametrize("engine", ["auto", "eager", "torch"])
def test_hidden_units_and_classes_are_those_on_paper(kind, engine):
    layer = build(kind, engine)
    head = set_weights(torch.nn.Linear(3, 2, dtype=torch.float64))

    output, last = layer(X)
    logits = head(output)

    wanted = torch.tensor([[H_1] * 3, [H_2] * 3], dtype=torch.float64)
    torch.testing.assert_close(output, wanted, rtol=1e-14, atol=0)
    torch.testing.assert_close(last, wanted[1:], rtol=1e-14, atol=0)
    torch.testing.assert_close(logits[:, 0], torch.tensor([0.238635, 0.353520], dtype=torch.float64), rtol=0, atol=1e-6)
    assert torch.equal(logits.softmax(-1), torch.full((2, 2), 0.5, dtype=torch.float64))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]), reduction="sum")
    assert float(loss.detach()) == pytest.approx(2 * math.log(2))


def test_the_step_and_the_sequence_agree():
    cell = set_weights(ElmanCell(4, 3, dtype=torch.float64))

    h_1 = cell(X[:1])
    h_2 = cell(X[1:], h_1)

    assert h_1.tolist() == [[pytest.approx(H_1)] * 3]
    assert h_2.tolist() == [[pytest.approx(H_2)] * 3]
    torch.testing.assert_close(unroll(cell, X.unsqueeze(1))[1], h_2, rtol=1e-14, atol=0)
