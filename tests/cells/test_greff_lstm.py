"""Peepholes: which memory each gate peeks at, what the variants change, and the start."""

import math

import pytest
import torch

from recurra.cells import (
    FullGateRecurrenceLSTMCell,
    LinearCandidateLSTMCell,
    LinearOutputLSTMCell,
    LSTMCell,
    NoPeepholeLSTMCell,
    PeepholeLSTMCell,
    find_cell,
)
from recurra.loop import unroll

H = 5
WITH_PEEPHOLES = [PeepholeLSTMCell, LinearCandidateLSTMCell, LinearOutputLSTMCell, FullGateRecurrenceLSTMCell]
ALL = [*WITH_PEEPHOLES, NoPeepholeLSTMCell]


def double(cell_class, **options):
    torch.manual_seed(0)
    return cell_class(3, H, dtype=torch.float64, **options)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def plain(cell):
    """Return an LSTM of torch's form with the weights of ``cell``."""
    lstm = LSTMCell(3, H, dtype=torch.float64)
    shared = {name: cell.state_dict()[name] for name in ("weight_ih", "weight_hh", "bias_ih")}
    lstm.load_state_dict({**shared, "bias_hh": torch.zeros(4 * H)})
    return lstm


def without_products(cell_class=PeepholeLSTMCell, *, peepholes=(0.0, 0.0, 0.0), **biases):
    """Return a cell whose gates see the memory and their biases only."""
    cell = double(cell_class, init="zeros", gate_biases=biases)
    with torch.no_grad():
        cell.weight_ch.copy_(torch.tensor(peepholes).repeat_interleave(H))
    return cell


def test_the_vanilla_cell_is_known_under_both_names():
    assert find_cell("peephole-lstm") is find_cell("vanilla-lstm") is PeepholeLSTMCell


def test_without_peepholes_it_is_the_lstm():
    cell = double(PeepholeLSTMCell)
    x, state = random(6, 4, 3), (random(4, H), random(4, H))
    peeping = unroll(cell, x, state, engine="eager")
    with torch.no_grad():
        cell.weight_ch.zero_()

    found = unroll(cell, x, state, engine="eager")

    torch.testing.assert_close(found, unroll(plain(cell), x, state, engine="eager"), rtol=1e-13, atol=1e-14)
    assert not torch.allclose(found[0], peeping[0])


def test_the_cell_that_has_none_is_the_lstm():
    cell = double(NoPeepholeLSTMCell)
    x, state = random(6, 4, 3), (random(4, H), random(4, H))

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"), unroll(plain(cell), x, state, engine="eager"), rtol=1e-13, atol=1e-14
    )


def test_the_output_gate_peeks_at_the_new_memory():
    cell = without_products(peepholes=(0.0, 0.0, 1.5), g=0.4)
    old = random(4, H)

    h, c = cell(random(4, 3), (random(4, H), old))

    torch.testing.assert_close(c, 0.5 * old + 0.5 * math.tanh(0.4))
    torch.testing.assert_close(h, torch.sigmoid(1.5 * c) * torch.tanh(c))


def test_input_and_forget_gate_peek_at_the_old_memory():
    cell = without_products(peepholes=(1.5, -0.7, 0.0), g=0.4)
    old = random(4, H)

    _, c = cell(random(4, 3), (random(4, H), old))

    torch.testing.assert_close(c, torch.sigmoid(-0.7 * old) * old + torch.sigmoid(1.5 * old) * math.tanh(0.4))


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_memory_is_not_squashed(sign):
    cell = without_products(i=1e3, f=1e3, g=sign * 1e3)

    _, (_, c) = unroll(cell, random(7, 4, 3), engine="eager")

    torch.testing.assert_close(c, torch.full((4, H), 7.0 * sign).double())


def test_a_linear_candidate_has_no_bound():
    cell = without_products(LinearCandidateLSTMCell, i=1e3, g=-4.0)

    h, c = cell(random(4, 3))

    torch.testing.assert_close(c, torch.full((4, H), -4.0).double())
    torch.testing.assert_close(h, 0.5 * torch.tanh(c))


def test_a_linear_output_has_no_bound():
    cell = without_products(LinearOutputLSTMCell, f=1e3, o=1e3)
    old = 6 * random(4, H)

    h, c = cell(random(4, 3), (random(4, H), old))

    assert torch.equal(h, c)
    assert float(h.detach().abs().max()) > 1


def test_without_weights_between_gates_full_recurrence_is_vanilla():
    cell, vanilla = double(FullGateRecurrenceLSTMCell), double(PeepholeLSTMCell)
    x = random(6, 4, 3)
    recurrent = unroll(cell, x, engine="eager")[0]
    with torch.no_grad():
        cell.weight_gh.zero_()
    vanilla.load_state_dict({key: value for key, value in cell.state_dict().items() if key != "weight_gh"})

    output, (h, c, *_) = unroll(cell, x, engine="eager")

    torch.testing.assert_close((output, (h, c)), unroll(vanilla, x, engine="eager"), rtol=1e-13, atol=1e-14)
    assert not torch.allclose(output, recurrent)


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", range(3))
def test_every_gate_reads_every_gate_of_the_step_before(row, column):
    cell = without_products(FullGateRecurrenceLSTMCell)
    with torch.no_grad():
        cell.weight_gh[row * H : (row + 1) * H, column * H : (column + 1) * H] = torch.eye(H)
    h, c, *gates = (random(4, H) for _ in cell.states)

    new = cell(random(4, 3), (h, c, *gates))[2:]

    wanted = [torch.full((4, H), 0.5).double()] * 3
    wanted[row] = torch.sigmoid(gates[column])
    torch.testing.assert_close(list(new), wanted)


def test_the_gates_before_the_first_step_are_zero():
    cell = double(FullGateRecurrenceLSTMCell)

    assert not any(state.any() for state in cell.initial_state(4))
    assert len(cell.initial_state(4)) == 5


@pytest.mark.parametrize("cell_class", ALL)
def test_the_published_start_is_normal_for_every_parameter(cell_class):
    torch.manual_seed(0)
    cell = cell_class(40, 300)

    for name, parameter in cell.named_parameters():
        assert float(parameter.detach().std()) == pytest.approx(0.1, rel=0.1), name
        assert abs(float(parameter.detach().mean())) < 0.02, name


@pytest.mark.parametrize("cell_class", WITH_PEEPHOLES)
@pytest.mark.parametrize("init", ["torch", "orthogonal", "normal", torch.nn.init.ones_])
def test_in_another_initialisation_peepholes_start_at_zero(cell_class, init):
    cell = double(cell_class, init=init)

    assert not cell.weight_ch.any()
    assert cell.weight_ih.any()


def test_no_gate_has_a_bias_of_its_own_at_the_start():
    cell = double(PeepholeLSTMCell, init="orthogonal")

    assert not cell.bias_ih.any()
