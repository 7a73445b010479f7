"""Cells that lack a gate are the vanilla cell with that gate open, and one gate for both is two opposite ones."""

import pytest
import torch

from recurra.cells import (
    CoupledGatesLSTMCell,
    NoForgetGateLSTMCell,
    NoInputGateLSTMCell,
    NoOutputGateLSTMCell,
    PeepholeLSTMCell,
)
from recurra.loop import unroll

H = 5
WITHOUT = {"i": NoInputGateLSTMCell, "f": NoForgetGateLSTMCell, "o": NoOutputGateLSTMCell}
ALL = [*WITHOUT.values(), CoupledGatesLSTMCell]
SHARED = ("weight_ih", "weight_hh", "bias_ih", "weight_ch")


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def double(cell_class, **options):
    torch.manual_seed(0)
    cell = cell_class(3, H, dtype=torch.float64, **options)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return cell


def blocks(cell, name):
    return dict(zip(cell.row_names(name), getattr(cell, name).split(H), strict=True))


def vanilla(cell):
    """Return the vanilla cell with the weights of ``cell``, and zeros for the gate it lacks."""
    full = PeepholeLSTMCell(3, H, dtype=torch.float64)
    with torch.no_grad():
        for name in SHARED:
            getattr(full, name).zero_()
            for gate, block in blocks(cell, name).items():
                blocks(full, name)[gate].copy_(block)
    return full


@pytest.mark.parametrize("gate", WITHOUT)
def test_a_missing_gate_is_a_gate_that_is_open(gate):
    cell = double(WITHOUT[gate])
    full = vanilla(cell)
    with torch.no_grad():
        blocks(full, "bias_ih")[gate].fill_(1e3)
    x, state = random(6, 4, 3), (random(4, H), random(4, H))

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"), unroll(full, x, state, engine="eager"), rtol=1e-12, atol=1e-13
    )


def test_coupled_gates_are_the_gates_of_opposite_weights():
    cell = double(CoupledGatesLSTMCell)
    full = vanilla(cell)
    with torch.no_grad():
        for name in SHARED:
            blocks(full, name)["f"].copy_(-blocks(full, name)["i"])
    x, state = random(6, 4, 3), (random(4, H), random(4, H))

    torch.testing.assert_close(
        unroll(cell, x, state, engine="eager"), unroll(full, x, state, engine="eager"), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(
    ("cell_class", "peepholes"), list(zip(ALL, [("f", "o"), ("i", "o"), ("i", "f"), ("i", "o")], strict=True))
)
def test_the_gates_that_are_left_keep_their_peepholes(cell_class, peepholes):
    cell = double(cell_class)

    assert cell.row_names("weight_ch") == peepholes
    assert cell.weight_ch.shape == (2 * H,)


@pytest.mark.parametrize("cell_class", ALL)
def test_the_published_start_is_normal_for_every_parameter(cell_class):
    torch.manual_seed(0)
    cell = cell_class(40, 300)

    for name, parameter in cell.named_parameters():
        assert float(parameter.detach().std()) == pytest.approx(0.1, rel=0.1), name


@pytest.mark.parametrize("cell_class", ALL)
def test_in_another_initialisation_peepholes_start_at_zero(cell_class):
    assert not cell_class(3, H, init="torch").weight_ch.any()
