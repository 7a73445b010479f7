"""The long short-term memory with layer normalisation: what is normalised, and what is not."""

import math

import pytest
import torch

from recurra.cells import LayerNormLSTMCell


def weightless(**options):
    """A cell whose products are all zero, so that gates are what their biases say."""
    cell = LayerNormLSTMCell(3, 4, dtype=torch.float64, **options)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.weight_hh.zero_()
    return cell


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.float64)


def test_the_bias_is_added_once():
    c = torch.tensor([[1.0, 2.0, -3.0, 100.0]], dtype=torch.float64)

    _, new_c = weightless()(zeros(1, 3), (zeros(1, 4), c))

    torch.testing.assert_close(new_c, c / (1 + math.exp(-1.0)))


def test_the_carried_cell_is_not_normalised():
    cell = weightless(gate_biases={"f": 50.0})
    c = torch.tensor([[1.0, 2.0, -3.0, 100.0]], dtype=torch.float64)

    h, new_c = cell(zeros(1, 3), (zeros(1, 4), c))

    torch.testing.assert_close(new_c, c)
    torch.testing.assert_close(h, 0.5 * torch.nn.functional.layer_norm(c, (4,)).tanh())


def test_both_products_are_normalised_by_themselves():
    torch.manual_seed(2)
    cell = LayerNormLSTMCell(3, 4, dtype=torch.float64)
    x, h, c = (torch.randn(2, width, dtype=torch.float64) for width in (3, 4, 4))
    before = cell(x, (h, c))

    after = cell(1000 * x, (10000 * h, c))

    torch.testing.assert_close(after, before, rtol=0, atol=1e-3)


def test_one_norm_spans_all_gates():
    cell = weightless()
    with torch.no_grad():
        cell.weight_ih[12:, 0] = 1.0

    # three quarters of the row are 0 and the output gates' quarter is 1: mean 1/4, variance 3/16
    low, high = -0.25 / math.sqrt(3 / 16 + 1e-5), 0.75 / math.sqrt(3 / 16 + 1e-5)
    x = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    h, c = cell(x)

    assert c[0, 0].item() == pytest.approx(math.tanh(low) / (1 + math.exp(-low)))
    # equal cells have no variance, so the norm leaves nothing of them
    assert h.abs().max() < 1e-12
    with torch.no_grad():
        cell.shift_c.fill_(1.0)
    assert cell(x)[0][0, 0].item() == pytest.approx(math.tanh(1.0) / (1 + math.exp(-high)))


@pytest.mark.parametrize("init", ["published", "torch", "orthogonal"])
def test_gains_start_at_one_and_shifts_at_zero(init):
    cell = LayerNormLSTMCell(3, 4, init=init)

    for name, parameter in cell.named_parameters():
        if name.startswith("gain"):
            assert (parameter == 1).all(), name
        if name.startswith("shift"):
            assert not parameter.any(), name


def test_forget_bias_starts_at_one():
    cell = LayerNormLSTMCell(3, 2)

    assert cell.bias_gates.tolist() == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_rows_without_variance_stay_finite():
    cell = LayerNormLSTMCell(3, 4, bias=False)

    h, c = cell(torch.zeros(2, 3))
    (h.sum() + c.sum()).backward()

    assert cell.bias_gates is None
    assert not h.any()
    assert all(parameter.grad.isfinite().all() for parameter in cell.parameters())
