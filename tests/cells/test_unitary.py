"""The unitary recurrence: length of the state, rectifier, learned start."""

import math

import pytest
import torch

from recurra.cells import UnitaryCell
from recurra.cells.unitary import length
from recurra.errors import ArgumentError
from recurra.loop import unroll


def build(hidden_size=5, **options):
    torch.manual_seed(4)
    return UnitaryCell(3, hidden_size, dtype=torch.float64, **options)


def test_length_of_the_state_is_kept_without_input():
    cell = build(bias=False)
    x = torch.zeros(50, 2, 3, dtype=torch.float64)
    state = tuple(100 * torch.randn(2, 5, dtype=torch.float64) for _ in range(2))

    output, _ = unroll(cell, x, state, engine="eager")

    length = torch.cat(state, 1).norm(dim=1)
    torch.testing.assert_close(output.norm(dim=2), length.expand(50, 2), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("bias", "wanted"), [(-2.0, 3.0), (0.0, 5.0), (1.0, 6.0), (-7.0, 0.0)])
def test_rectifier_shortens_a_number_and_keeps_its_angle(bias, wanted):
    cell = build(1)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.weight_ih[:, 0] = torch.tensor([3.0, 4.0])
        cell.bias_m.fill_(bias)
    zero = torch.zeros(1, 1, dtype=torch.float64)

    output, (re, im) = cell(torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64), (zero, zero))

    assert [re.item(), im.item()] == pytest.approx([0.6 * wanted, 0.8 * wanted], abs=1e-4)
    assert torch.equal(output, torch.cat((re, im), 1))


def test_first_state_is_learned_and_has_length_one_on_average():
    cell = build(2000)

    re, im = cell.initial_state(3)
    (re.sum() + 2 * im.sum()).backward()

    assert re.shape == im.shape == (3, 2000)
    assert torch.cat((re[0], im[0])).norm().item() == pytest.approx(1.0, rel=0.05)
    assert re.abs().max() <= math.sqrt(3 / 4000)
    assert (cell.initial_re.grad == 3).all()
    assert (cell.initial_im.grad == 6).all()


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_a_sequence_trains_every_parameter(engine):
    cell = build()

    output, _ = unroll(cell, torch.randn(4, 2, 3, dtype=torch.float64), engine=engine)
    output.square().sum().backward()

    for name, parameter in cell.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_a_state_of_zero_has_finite_gradients(engine):
    cell = build()
    x = torch.zeros(2, 1, 3, dtype=torch.float64)
    state = (torch.zeros(1, 5, dtype=torch.float64), torch.zeros(1, 5, dtype=torch.float64))

    output, _ = unroll(cell, x, state, engine=engine)
    output.sum().backward()

    assert not output.any()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in cell.parameters())


def test_a_state_of_zero_has_finite_gradients_in_half_precision():
    cell = build().half()
    x = torch.zeros(2, 3, dtype=torch.float16)
    state = tuple(torch.zeros(2, 5, dtype=torch.float16, requires_grad=True) for _ in range(2))

    output, _ = cell(x, state)
    output.sum().backward()

    assert not output.any()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in cell.parameters())
    assert all(s.grad.isfinite().all() for s in state)


def test_a_state_of_zero_has_finite_second_derivatives():
    zero = torch.zeros(4, dtype=torch.float64, requires_grad=True)

    (first,) = torch.autograd.grad(1000 * length(zero, 2 * zero).sum(), zero, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), zero)

    assert first.isfinite().all()
    assert second.isfinite().all()


def test_inputs_add_up_like_a_random_walk():
    cell = build(50, bias=False)
    x = torch.randn(400, 20, 3, dtype=torch.float64)

    output, _ = unroll(cell, x, engine="native")

    length_of = output.detach().norm(dim=2).mean(1)
    assert length_of[399] / length_of[99] == pytest.approx(2.0, rel=0.15)


def test_the_output_is_made_of_the_states_alone():
    cell = build()

    output, state = cell(torch.randn(2, 3, dtype=torch.float64))

    assert torch.equal(cell.output_from(*state), output)
    assert cell.recurrent_size == output.shape[1] == 10


def test_parameters_start_as_published():
    cell = build(500)

    assert 3.1 < cell.phases.abs().max() <= math.pi
    assert 0.0099 < cell.bias_m.abs().max() <= 0.01
    assert cell.weight_ih.abs().max() <= math.sqrt(6 / 503)
    assert cell.reflections.any()


def test_output_is_twice_as_wide_as_a_state():
    cell = build()

    assert cell.output_size == 10
    assert cell.state_size == (5, 5)


def test_a_negative_batch_size_is_an_error():
    with pytest.raises(ArgumentError, match="UnitaryCell expected batch_size to be at least 0, got -1"):
        build().initial_state(-1)
