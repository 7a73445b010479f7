"""The product of input and output: its special case, its start, and the form with the output gate inside."""

import math

import pytest
import torch

from recurra.cells import LSTMCell, MultiplicativeLSTMCell, OutputInsideMultiplicativeLSTMCell, find_cell
from recurra.errors import ChoiceError
from recurra.loop import unroll

H = 5
BOTH = [MultiplicativeLSTMCell, OutputInsideMultiplicativeLSTMCell]


def double(cell_class, **options):
    torch.manual_seed(0)
    return cell_class(3, H, dtype=torch.float64, **options)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def without_products(cell_class, **biases):
    return double(cell_class, init="zeros", gate_biases=biases)


def test_it_is_known_under_both_names():
    assert find_cell("mlstm") is find_cell("multiplicative-lstm") is MultiplicativeLSTMCell


def test_where_the_input_multiplies_by_one_it_is_the_lstm():
    cell, plain = double(MultiplicativeLSTMCell, init="torch"), double(LSTMCell)
    x, state = random(6, 4, 3), (random(4, H), random(4, H))
    x[..., 0] = 1.0
    with torch.no_grad():
        cell.weight_hm.copy_(torch.eye(H))
        cell.weight_ih[:H] = torch.tensor([1.0, 0.0, 0.0]).double()
    plain.load_state_dict(
        {
            "weight_ih": cell.weight_ih.detach()[H:],
            "weight_hh": cell.weight_hh.detach(),
            "bias_ih": torch.zeros(4 * H),
            "bias_hh": cell.bias_hh.detach(),
        }
    )

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"), unroll(plain, x, state, engine="eager"), rtol=1e-13, atol=1e-14
    )


@pytest.mark.parametrize("cell_class", BOTH)
def test_without_input_the_output_is_not_read(cell_class):
    cell = double(cell_class)
    x, c = torch.zeros(4, 3).double(), random(4, H)

    torch.testing.assert_close(cell(x, (random(4, H), c)), cell(x, (random(4, H), c)), rtol=0, atol=0)


@pytest.mark.parametrize("cell_class", BOTH)
@pytest.mark.parametrize("init", ["published", "orthogonal"])
def test_the_forget_bias_is_there_once(cell_class, init):
    cell = double(cell_class, init=init)

    assert cell.bias_ih is None
    assert cell.bias_hh.tolist() == [0.0] * H + [1.0] * H + [0.0] * 2 * H


@pytest.mark.parametrize("cell_class", BOTH)
def test_the_matrix_of_the_output_starts_orthogonal(cell_class):
    cell = double(cell_class)

    torch.testing.assert_close(cell.weight_hm.T @ cell.weight_hm, torch.eye(H).double())


@pytest.mark.parametrize("cell_class", BOTH)
def test_the_product_has_no_bias(cell_class):
    with pytest.raises(ChoiceError, match=f"^expected gate of {cell_class.__name__} with a bias to be one of i, f, g"):
        cell_class(3, H, gate_biases={"m": 1.0})


def test_the_plain_form_squashes_candidate_and_memory():
    cell = without_products(MultiplicativeLSTMCell, i=1e3, f=1e3, g=3.0, o=-0.5)
    old = random(4, H)

    h, c = cell(random(4, 3), (random(4, H), old))

    torch.testing.assert_close(c, old + math.tanh(3.0))
    torch.testing.assert_close(h, torch.tanh(c) / (1 + math.exp(0.5)))


def test_the_other_form_has_a_linear_candidate_and_the_output_gate_inside():
    cell = without_products(OutputInsideMultiplicativeLSTMCell, i=1e3, f=1e3, g=3.0, o=-0.5, h=0.25)
    old = random(4, H)

    h, c = cell(random(4, 3), (random(4, H), old))

    torch.testing.assert_close(c, old + 3.0)
    torch.testing.assert_close(h, torch.tanh(c / (1 + math.exp(0.5)) + 0.25))


def test_without_biases_the_output_has_none():
    cell = OutputInsideMultiplicativeLSTMCell(3, H, bias=False, init="zeros")
    c = torch.randn(4, H)

    h, _ = cell(torch.randn(4, 3), (torch.zeros(4, H), c))

    assert cell.bias_h is None
    torch.testing.assert_close(h, torch.tanh(0.5 * 0.5 * c))
