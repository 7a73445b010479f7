"""Learned initial states: what is learned, and what stays as the cell has it."""

import copy

import pytest
import torch

from recurra import Recurrent
from recurra.cells import cell_names, find_cell
from recurra.loop import unroll
from tests.layers.test_every_cell import NO_MEMORIES

D = torch.float64
X = torch.randn(6, 4, 3, dtype=D)


def build(cell, **options):
    torch.manual_seed(3)
    return Recurrent(cell, 3, 4, dtype=D, **{"engine": "eager", "learn_initial_state": True, **options})


def own_names(layer):
    return [name for name, _ in layer.named_parameters(recurse=False)]


NOT_LEARNED = {**NO_MEMORIES, "unitary": ("re", "im")}
# by default a state of the first does nothing, and units of the others are closed at most steps
OPTIONS = {
    "jordan": {"retain": 0.5},
    "phased-lstm": {"open_ratio": 1.0},
    "phased-lstm-gated": {"open_ratio": 1.0},
}


@pytest.mark.parametrize("name", cell_names())
def test_memories_are_parameters_that_learn_and_no_other_states_are(name):
    # of one width, so that states are stacked; some recurrent weights start at zero
    torch.manual_seed(3)
    layer = Recurrent(name, 4, 4, 2, learn_initial_state=True, engine="eager", dtype=D, **OPTIONS.get(name, {}))
    with torch.no_grad():
        for parameter in (p for cell in layer.children() for p in cell.parameters()):
            parameter.add_(0.1 * torch.randn_like(parameter))
    states = [state for state in find_cell(name).states if state not in NOT_LEARNED.get(name, ())]

    layer(torch.randn(3, 4, 4, dtype=D))[0].square().sum().backward()

    assert own_names(layer) == [f"{state}_0" for state in states]
    assert all(getattr(layer, name).grad.any() for name in own_names(layer))


@pytest.mark.parametrize("name", NOT_LEARNED)
@pytest.mark.parametrize("wrapped", [{}, {"zoneout": 0.2, "skip_through_time": 2}])
def test_the_other_states_start_as_without_learning(name, wrapped):
    learned, plain = (
        build(name, learn_initial_state=flag, bidirectional=True, **wrapped).eval() for flag in (True, False)
    )
    reset = torch.rand(6, 4) < 0.3

    torch.testing.assert_close(learned(X, reset=reset), plain(X, reset=reset), rtol=0, atol=0)


def test_a_clock_counts_from_zero_whatever_is_learned():
    layer = build("clockwork", num_layers=2)
    with torch.no_grad():
        layer.h_0.normal_()

    _, (_, t) = layer(X)

    assert (t == 6).all()


def test_an_slstms_output_stays_within_one_after_optimisation():
    layer = build("slstm")
    optimizer = torch.optim.SGD(layer.parameters(), lr=5.0)
    for _ in range(20):
        optimizer.zero_grad()
        # asks for more than the cell may give
        (layer(X)[0] - 10).square().mean().backward()
        optimizer.step()

    output, _ = layer(X)

    assert layer.h_0.abs().max() > 1
    assert output.abs().max() <= 1


def test_a_unitary_cells_own_state_learns_and_is_used_at_resets():
    layer = build("unitary")
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[3] = True

    output, _ = layer(X, reset=reset)
    output.sum().backward()

    assert own_names(layer) == []
    assert layer.cell_l0.initial_re.grad.any()
    torch.testing.assert_close(output[3:], layer(X[3:])[0], rtol=1e-12, atol=1e-14)


def test_a_unitary_cell_keeps_its_own_also_without_gradients_and_when_frozen():
    with torch.no_grad():
        layer = build("unitary")
    assert own_names(layer) == []
    layer.cell_l0.initial_re.requires_grad_(False)

    layer.reset_parameters()

    assert own_names(layer) == []


def test_learned_and_own_states_are_used_together_at_resets_in_both_engines():
    layer = build("qrnn")
    with torch.no_grad():
        layer.c_0.normal_()
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[3] = True
    native = copy.deepcopy(layer)
    native.engine = "native"

    output, last = layer(X, reset=reset)

    start = layer.c_0[0].expand(4, -1), torch.zeros(4, 3, dtype=D)
    wanted, _ = unroll(layer.cell_l0, X[3:], start, engine="eager")
    torch.testing.assert_close(output[3:], wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(native(X, reset=reset), (output, last), rtol=1e-10, atol=1e-12)


def test_layers_of_different_widths_name_what_they_learn_by_cell():
    layer = Recurrent("clockwork", 3, (8, 4), 2, learn_initial_state=True, dtype=D, engine="eager")

    layer(X)[0].sum().backward()

    assert own_names(layer) == ["h_0_l0", "h_0_l1"]
    assert all(getattr(layer, name).grad.any() for name in own_names(layer))
    layer.reset_parameters()
