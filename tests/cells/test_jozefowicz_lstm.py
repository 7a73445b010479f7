"""One gate less, the forget bias, the output gate as printed, and the uniform start."""

import math

import pytest
import torch

from recurra.cells import (
    ForgetBiasLSTMCell,
    LSTMCell,
    LSTMWithoutForgetGateCell,
    LSTMWithoutInputGateCell,
    LSTMWithoutOutputGateCell,
)
from recurra.errors import ArgumentError, ChoiceError
from recurra.loop import unroll

WITHOUT = {"f": LSTMWithoutForgetGateCell, "i": LSTMWithoutInputGateCell, "o": LSTMWithoutOutputGateCell}
GATED = [LSTMWithoutForgetGateCell, LSTMWithoutInputGateCell, ForgetBiasLSTMCell]
ALL = [*GATED, LSTMWithoutOutputGateCell]
H = 5


def double(cell_class, **options):
    torch.manual_seed(0)
    return cell_class(3, H, dtype=torch.float64, **options)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def full_lstm(cell, open_gate=None):
    """Return an LSTM of torch's form with the weights of ``cell``, where a gate it lacks is wide open."""
    full = LSTMCell(3, H, init="zeros", dtype=torch.float64)
    with torch.no_grad():
        full.bias_ih.zero_()
        for name in ("weight_ih", "weight_hh", "bias_ih"):
            parts = dict(zip(full.gates, getattr(full, name).split(H), strict=True))
            for gate, block in zip(cell.gates, getattr(cell, name).split(H), strict=True):
                parts[gate].copy_(block)
            if name == "bias_ih" and open_gate is not None:
                parts[open_gate].fill_(1e3)
    return full


@pytest.mark.parametrize("gate", WITHOUT)
def test_a_missing_gate_is_a_gate_that_is_open(gate):
    cell = double(WITHOUT[gate])
    full = full_lstm(cell, open_gate=gate)
    x, state = random(6, 4, 3), (random(4, H), random(4, H))

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"), unroll(full, x, state, engine="eager"), rtol=1e-13, atol=1e-14
    )


def test_with_the_forget_bias_the_step_is_the_plain_one():
    cell = double(ForgetBiasLSTMCell)
    x, state = random(6, 4, 3), (random(4, H), random(4, H))

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"),
        unroll(full_lstm(cell), x, state, engine="eager"),
        rtol=1e-13,
        atol=1e-14,
    )


@pytest.mark.parametrize("init", ["published", "orthogonal", "normal"])
def test_the_forget_bias_is_there_once(init):
    cell = double(ForgetBiasLSTMCell, init=init)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.weight_hh.zero_()
    c = random(4, H)

    f = dict(zip(cell.gates, cell.bias_ih.split(H), strict=True))["f"]
    _, new = cell(random(4, 3), (random(4, H), c))
    _, empty = cell(random(4, 3), (random(4, H), torch.zeros_like(c)))

    assert f.tolist() == [1.0] * H
    assert cell.bias_hh is None
    torch.testing.assert_close(new - empty, c / (1 + math.exp(-1.0)))


def test_the_forget_bias_can_be_another():
    cell = double(ForgetBiasLSTMCell, gate_biases={"f": 2.0})

    assert cell.bias_ih.split(H)[1].tolist() == [2.0] * H


@pytest.mark.parametrize("cell_class", ALL)
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.8])
def test_the_published_start_is_uniform_in_its_bound(cell_class, scale):
    torch.manual_seed(0)
    cell = cell_class(30, 64, scale=scale)
    bound = scale / 8

    drawn = {key: list(zip(cell.gates, value.split(64), strict=True)) for key, value in cell.state_dict().items()}

    assert set(drawn) == {"weight_ih", "weight_hh", "bias_ih"}
    for key, blocks in drawn.items():
        for gate, block in blocks:
            if cell_class is ForgetBiasLSTMCell and (key, gate) == ("bias_ih", "f"):
                continue
            assert 0.85 * bound < float(block.abs().max()) <= bound
            assert float(block.std()) == pytest.approx(bound / math.sqrt(3), rel=0.2)


@pytest.mark.parametrize("cell_class", GATED)
def test_the_output_gate_may_be_the_printed_tanh(cell_class):
    cell = double(cell_class, output_gate="tanh", init="zeros", gate_biases={"o": -0.5})

    h, c = cell(random(4, 3), (random(4, H), random(4, H)))

    torch.testing.assert_close(h, math.tanh(-0.5) * torch.tanh(c))


def test_the_output_gate_is_a_sigmoid_unless_told():
    cell = double(ForgetBiasLSTMCell, init="zeros", gate_biases={"o": -0.5})

    h, c = cell(random(4, 3), (random(4, H), random(4, H)))

    torch.testing.assert_close(h, torch.tanh(c) / (1 + math.exp(0.5)))


def test_the_printed_output_gate_is_another_compiled_step():
    cell = double(ForgetBiasLSTMCell, output_gate="tanh")
    x = random(6, 4, 3)

    native = unroll(cell, x, engine="native")

    torch.testing.assert_close(native, unroll(cell, x, engine="eager"), rtol=1e-12, atol=1e-14)
    assert not torch.allclose(native[0], unroll(double(ForgetBiasLSTMCell), x, engine="native")[0])


@pytest.mark.parametrize("cell_class", GATED)
def test_another_output_gate_is_an_error(cell_class):
    with pytest.raises(ChoiceError) as caught:
        cell_class(3, H, output_gate="tan")

    assert caught.value.message == (
        f"expected output_gate of {cell_class.__name__} to be one of sigmoid, tanh; got 'tan'"
    )
    assert caught.value.hint == "did you mean 'tanh'?"


def test_a_cell_without_an_output_gate_takes_no_option_for_it():
    with pytest.raises(TypeError, match="output_gate"):
        LSTMWithoutOutputGateCell(3, H, output_gate="tanh")


@pytest.mark.parametrize("cell_class", ALL)
def test_a_scale_that_is_not_above_zero_is_an_error(cell_class):
    with pytest.raises(ArgumentError, match=f"^{cell_class.__name__} expected scale to be a number above 0, got 0$"):
        cell_class(3, H, scale=0)


def test_repr_names_the_options():
    cell = LSTMWithoutInputGateCell(3, H, output_gate="tanh", scale=0.7)

    assert repr(cell) == "LSTMWithoutInputGateCell(3, 5, output_gate='tanh', scale=0.7)"
    assert repr(LSTMWithoutOutputGateCell(3, H, scale=1.4)) == "LSTMWithoutOutputGateCell(3, 5, scale=1.4)"
