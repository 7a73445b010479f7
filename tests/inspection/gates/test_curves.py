"""Response curves of gates, against the cells' weights taken by hand."""

import numpy as np
import pytest
import torch

from recurra.cells import find_cell
from recurra.errors import ArgumentError
from recurra.inspection.equations.plain import plain_line
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.gates.curves import gate_curves


def build(name, input_size=3, hidden_size=4, **options):
    torch.manual_seed(4)
    cell = find_cell(name)(input_size, hidden_size, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.uniform_(-1.0, 1.0)
    return cell


def curves_of(cell, **options):
    return {curves.gate.name: curves for curves in gate_curves(cell, record_step(cell), **options)}


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def rows(tensor, block, size=4):
    return tensor.detach().double().numpy()[block * size : (block + 1) * size]


@pytest.mark.parametrize(("gate", "block"), [("i", 0), ("f", 1), ("o", 3)])
def test_lstm_gate_answers_as_its_weights_say(gate, block):
    cell = build("lstm")

    found = curves_of(cell)[gate]

    bias = (rows(cell.bias_ih, block) + rows(cell.bias_hh, block))[:3]
    by_x, by_h = found.sweeps
    np.testing.assert_allclose(found.values, np.tile(sigmoid(found.at), (3, 1)), rtol=1e-13)
    np.testing.assert_allclose(found.rest, bias)
    np.testing.assert_allclose(found.values_at_rest, sigmoid(bias))
    first_column, diagonal = rows(cell.weight_ih, block)[:3, :1], np.diag(rows(cell.weight_hh, block))[:3, None]
    np.testing.assert_allclose(by_x.values, sigmoid(bias[:, None] + first_column * by_x.at))
    np.testing.assert_allclose(by_h.values, sigmoid(bias[:, None] + diagonal * by_h.at))
    assert (by_x.symbol.name, by_x.entries, by_x.is_own) == ("x", (0, 0, 0), False)
    assert (by_h.symbol.name, by_h.entries, by_h.is_own) == ("h", (0, 1, 2), True)


def test_gates_that_see_c_answer_to_it():
    cell = build("peephole-lstm", bias=False)

    found = curves_of(cell, num_units=2)["f"]

    by_c = found.sweeps[-1]
    weight = rows(cell.weight_ch, 1)[:2, None]
    assert [sweep.symbol.name for sweep in found.sweeps] == ["x", "h", "c"]
    np.testing.assert_allclose(by_c.values, sigmoid(weight * by_c.at))


def test_a_gate_that_does_not_see_the_state_has_no_curve_for_it():
    found = curves_of(build("mut1"))

    assert [sweep.symbol.name for sweep in found["z"].sweeps] == ["x"]
    assert [sweep.symbol.name for sweep in found["r"].sweeps] == ["x", "h"]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("gru", "r gate, z gate, n candidate"),
        ("elman", "h state"),
        ("scrn", "h state"),
        ("jordan", "h activation"),
        ("intersection-rnn", "yn activation, hn candidate, gy gate, gh gate"),
        ("slstm", "f activation, z candidate, o gate"),
        ("on-lstm", "i gate, f gate, g candidate, o gate"),
        ("lem", "d1 gate, d2 gate"),
    ],
)
def test_gates_are_told_from_all_else_that_is_squashed(name, kinds):
    found = curves_of(build(name))

    assert ", ".join(f"{gate} {curves.kind}" for gate, curves in found.items()) == kinds


def test_an_output_gate_that_squashes_by_tanh_is_a_gate():
    found = curves_of(build("lstm-b", output_gate="tanh"))

    assert {name: curves.kind for name, curves in found.items()}["o"] == "gate"


class UndeclaredGRUCell(torch.nn.Module):
    """A user's gated cell, which declares nothing."""

    input_size = 2

    def __init__(self, squash=torch.tanh):
        super().__init__()
        self.squash = squash
        self.to_update, self.to_new = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2)

    def forward(self, x, h=None):
        h = x.new_zeros(len(x), 2) if h is None else h
        both = torch.cat((x, h), 1)
        z = torch.sigmoid(self.to_update(both))
        n = self.squash(self.to_new(both))
        return z * h + (1 - z) * n


@pytest.mark.parametrize("squash", [torch.tanh, torch.relu])
def test_what_a_users_cell_writes_newly_is_no_gate(squash):
    found = curves_of(UndeclaredGRUCell(squash))

    assert {name: curves.kind for name, curves in found.items()} == {"z": "gate", "n": "activation"}


def test_states_move_within_their_range_and_others_by_three():
    by_x, by_h, by_c = curves_of(build("peephole-lstm"))["i"].sweeps

    assert [(sweep.at[0], sweep.at[-1]) for sweep in (by_x, by_h, by_c)] == [(-3, 3), (-1, 1), (-3, 3)]


def test_preactivations_reach_as_far_as_the_biases():
    cell = build("elman")
    with torch.no_grad():
        cell.bias_ih[1], cell.bias_hh[1] = -20.0, 0.0

    found = curves_of(cell)["h"]

    assert found.rest[1] == -20
    assert (found.at[0], found.at[-1]) == (-22, 22)


def test_the_letter_for_the_preactivation_is_not_a_name_of_the_cell():
    found = curves_of(build("gru"))

    assert plain_line(found["z"].line) == "zₜ = σ(a)"


def test_no_more_units_than_there_are():
    found = curves_of(build("gru", hidden_size=2), num_units=5)

    assert found["r"].values.shape[0] == 2


def test_a_projected_state_moves_by_its_first_entry():
    found = curves_of(build("projected-lstm", proj_size=2))["i"]

    by_h = found.sweeps[1]
    assert (by_h.entries, by_h.is_own) == ((0, 0, 0), False)


class HardGateCell(torch.nn.Module):
    """A user's cell: names no gates, and has a clipped line for one, scaled by a weight."""

    input_size = 2

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[0.5, 0.0], [0.0, -1.0], [0.25, 0.25]]))
        self.scale = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, x, h=None):
        h = x.new_zeros(len(x), 3) if h is None else h
        k = self.scale * torch.clamp(0.2 * (x @ self.weight.t() + h) + 0.5, 0, 1)
        return k * h + (1 - k) * torch.tanh(h)


def test_gates_of_a_cell_that_names_none_are_found_in_its_lines():
    cell = HardGateCell()

    (found,) = gate_curves(cell, record_step(cell))

    wanted = np.array([[1.0], [2.0], [3.0]]) * np.clip(0.2 * found.at + 0.5, 0, 1)
    assert (found.gate.name, found.kind) == ("k", "gate")
    np.testing.assert_allclose(found.values, wanted)
    np.testing.assert_allclose(found.sweeps[0].values[:, -1], [0.8, 1.0, 3 * 0.65])


def test_weights_that_are_no_numbers_leave_the_other_units_as_they_are():
    cell = build("elman")
    with torch.no_grad():
        cell.bias_ih[0] = torch.nan

    found = curves_of(cell)["h"]

    assert np.isnan(found.rest[0])
    assert np.isfinite(found.values).all()
    assert np.isfinite(found.sweeps[0].values[1:]).all()
    assert found.faulty == {0}


def test_all_units_of_finite_weights_are_sound():
    assert [curves.faulty for curves in curves_of(build("slstm")).values()] == [frozenset()] * 3


@pytest.mark.parametrize("bias", [1e19, -1e30, 1.7e308])
def test_biases_of_any_size_are_drawn(bias):
    cell = build("elman").double()
    with torch.no_grad():
        cell.bias_ih[1], cell.bias_hh[1] = bias, 0.0

    found = curves_of(cell)["h"]

    assert np.isfinite(found.at).all()
    assert found.at[0] == -found.at[-1]
    assert found.at[-1] == pytest.approx(min(1.1 * abs(bias), 1e300))
    assert found.values_at_rest[1] == np.sign(bias)


@pytest.mark.parametrize("name", ["lru", "unitary"])
def test_a_cell_without_gates_is_an_error(name):
    cell = build(name)

    with pytest.raises(
        ArgumentError, match=f"expected a cell with gates, .* got {type(cell).__name__}, whose step has"
    ):
        curves_of(cell)


def test_no_units_are_an_error():
    with pytest.raises(ArgumentError, match="gate_curves expected num_units to be an integer of at least 1, got 0"):
        curves_of(build("gru"), num_units=0)
