"""The output as what comes back: its width, the context, and the gradient through it."""

import pytest
import torch

from recurra.cells import JordanCell
from recurra.errors import ArgumentError
from recurra.loop import unroll


def build(**options):
    torch.manual_seed(0)
    return JordanCell(3, 5, dtype=torch.float64, **options)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def test_the_output_has_a_width_of_its_own():
    cell = build(output_size=2)

    output, (y, s) = unroll(cell, random(6, 4, 3), engine="eager")

    assert cell.output_size == 2
    assert cell.state_size == (2, 2)
    assert (cell.gate_size("h"), cell.gate_size("y")) == (5, 2)
    assert output.shape == (6, 4, 2)
    assert y.shape == s.shape == (4, 2)
    assert {name: tuple(p.shape) for name, p in cell.named_parameters()} == {
        "weight_ih": (5, 3),
        "weight_hh": (5, 2),
        "bias_ih": (5,),
        "weight_hy": (2, 5),
        "bias_y": (2,),
    }


def test_the_output_is_as_wide_as_the_hidden_layer_unless_told():
    assert build().output_size == 5


def test_the_context_decays_and_takes_in_the_old_output():
    cell = build(output_size=2, retain=0.25)
    y, s = random(4, 2), random(4, 2)

    _, new = cell(random(4, 3), (y, s))

    torch.testing.assert_close(new, 0.25 * s + y)


def test_without_retention_the_context_is_the_old_output():
    cell = build(output_size=2)
    x, y = random(4, 3), random(4, 2)

    first, second = cell(x, (y, random(4, 2))), cell(x, (y, random(4, 2)))

    assert torch.equal(first[1], y)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_the_context_reaches_the_hidden_layer_in_the_same_step():
    cell = build(output_size=2)
    x = random(4, 3)

    assert not torch.allclose(cell(x, (random(4, 2), random(4, 2)))[0], cell(x)[0])


def test_the_output_comes_back_after_its_sigmoid():
    cell = build(output_size=2, init=lambda block: block.fill_(10.0))

    y, _ = cell(torch.ones(1, 3).double())
    _, s = cell(torch.ones(1, 3).double(), (y, torch.zeros(1, 2).double()))

    torch.testing.assert_close(s, torch.ones(1, 2).double())  # and not about 50, the sum before it


def test_gradients_pass_through_the_output():
    cell = build(output_size=2)
    x = random(2, 4, 3).requires_grad_()

    output, _ = unroll(cell, x, engine="eager")
    output[1].sum().backward()

    assert bool(x.grad[0].any())


def test_both_biases_can_be_started():
    cell = build(output_size=2, gate_biases={"y": -2.0, "h": 1.0})

    assert cell.bias_y.tolist() == [-2.0] * 2
    assert cell.bias_ih.tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_size": 0}, "output_size to be an integer of at least 1, got 0"),
        ({"output_size": 2.0}, r"output_size to be an integer of at least 1, got 2\.0"),
        ({"retain": 1}, "retain to be a number of at least 0 and below 1, got 1"),
        ({"retain": -0.5}, r"retain to be a number of at least 0 and below 1, got -0\.5"),
    ],
)
def test_an_option_out_of_range_is_an_error(options, message):
    with pytest.raises(ArgumentError, match=f"^JordanCell expected {message}$"):
        build(**options)


def test_repr_names_the_options():
    assert repr(JordanCell(3, 5)) == "JordanCell(3, 5)"
    assert repr(JordanCell(3, 5, output_size=5)) == "JordanCell(3, 5)"
    assert repr(JordanCell(3, 5, output_size=2, retain=0.5)) == "JordanCell(3, 5, retain=0.5, output_size=2)"
