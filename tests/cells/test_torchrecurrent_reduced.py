"""Our cells against cells of torchrecurrent that turn into them when weights are set: a gate at 1, a matrix at 0.

These are cells that have no public implementation of their own here.
"""

import math

import pytest
import torch

from recurra.cells import find_cell
from tests.support.peers import HIDDEN, INPUT, D, assert_same, build_ours, draw, drawn_weights, rows, trace

torchrecurrent = pytest.importorskip("torchrecurrent", reason="torchrecurrent is a development dependency")

GATES, PEEPHOLES = "ifgo", "ifo"
OPEN = 1e3
"""A bias at which a gate is exactly 1."""


def build_theirs(cell_class, **options):
    cell = getattr(torchrecurrent, cell_class)(INPUT, HIDDEN, dtype=D, **options).double()
    return cell, drawn_weights(cell)


# --- long short-term memories, from the one with peepholes


def set_gate(w, gate, bias):
    """Make a gate constant, in place."""
    place = GATES.index(gate)
    for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        w[key].chunk(4)[place].zero_()
    w["weight_ph"].chunk(3)[PEEPHOLES.index(gate)].zero_()
    w["bias_ih"].chunk(4)[place].fill_(bias)


def couple(w):
    """Make f = 1 - i, in place: sigmoid(-a) = 1 - sigmoid(a)."""
    for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_ph"):
        i, f, *_ = w[key].chunk(3 if key == "weight_ph" else 4)
        f.copy_(-i)


def kept(w, cell_class, peepholes):
    """Return the blocks of the gates and peepholes that our cell has."""
    blocks = [GATES.index(gate) for gate in cell_class.gates]
    found = {
        "weight_ih": rows(w["weight_ih"], 4, blocks),
        "weight_hh": rows(w["weight_hh"], 4, blocks),
        "bias_ih": rows(w["bias_ih"] + w["bias_hh"], 4, blocks),
    }
    return found | (
        {"weight_ch": rows(w["weight_ph"], 3, [PEEPHOLES.index(p) for p in peepholes])} if peepholes else {}
    )


LACKING = {
    "lstm-b": ("", ""),
    "lstm-cifg": ("", "io"),
    "lstm-f": ("f", ""),
    "lstm-i": ("i", ""),
    "lstm-nfg": ("f", "io"),
    "lstm-nig": ("i", "fo"),
    "lstm-nog": ("o", "if"),
    "lstm-np": ("", ""),
    "lstm-o": ("o", ""),
}
"""By our name: the gate that is 1, the gates that peek."""


@pytest.mark.parametrize("name", LACKING)
def test_a_memory_without_a_gate_is_one_whose_gate_stays_open(name):
    missing, peepholes = LACKING[name]
    theirs, w = build_theirs("PeepholeLSTMCell")
    for gate in missing:
        set_gate(w, gate, OPEN)
    if name == "lstm-cifg":
        couple(w)
    if not peepholes:
        w["weight_ph"].zero_()
    ours = build_ours(name, kept(w, find_cell(name), peepholes))
    x, state = draw(HIDDEN, HIDDEN)

    assert_same(trace(ours, x, state), trace(theirs, x, state))


class InTurn(torch.nn.Module):
    """One function for the candidate, another for the output: they are called one after the other in a step."""

    def __init__(self, *functions):
        super().__init__()
        self.functions = functions
        self.calls = 0

    def forward(self, value):
        self.calls += 1
        return self.functions[(self.calls - 1) % len(self.functions)](value)


@pytest.mark.parametrize(
    ("name", "functions"),
    [("lstm-niaf", (torch.nn.Identity(), torch.tanh)), ("lstm-noaf", (torch.tanh, torch.nn.Identity()))],
)
def test_a_memory_without_an_activation_function_is_one_with_the_identity(name, functions):
    theirs, w = build_theirs("PeepholeLSTMCell", nonlinearity=InTurn(*functions))
    ours = build_ours(name, kept(w, find_cell(name), PEEPHOLES))
    x, state = draw(HIDDEN, HIDDEN)

    assert_same(trace(ours, x, state), trace(theirs, x, state))


def test_full_peepholes_on_the_diagonal_are_the_ones_of_single_units():
    theirs, w = build_theirs("PeepholeLSTMCell")
    weights = kept(w, find_cell("full-peephole-lstm"), PEEPHOLES)
    weights["weight_ch"] = torch.cat([torch.diag(part) for part in weights["weight_ch"].chunk(3)])
    ours = build_ours("full-peephole-lstm", weights)
    x, state = draw(HIDDEN, HIDDEN)

    assert_same(trace(ours, x, state), trace(theirs, x, state))


def test_gates_that_do_not_read_the_last_gates_are_the_ones_of_the_peephole_memory():
    theirs, w = build_theirs("PeepholeLSTMCell")
    weights = kept(w, find_cell("lstm-fgr"), PEEPHOLES) | {"weight_gh": torch.zeros(3 * HIDDEN, 3 * HIDDEN, dtype=D)}
    ours = build_ours("lstm-fgr", weights)
    x, state = draw(*ours.state_size)

    found = trace(ours, x, state)[..., : 2 * HIDDEN]

    assert_same(found, trace(theirs, x, state[:2]))


# --- others


def test_the_leaky_unit_is_their_fastrnn_with_shares_that_add_to_one():
    theirs, w = build_theirs("FastRNNCell")
    w["beta"].fill_(math.log(0.7 / 0.3))
    w["alpha"].copy_(-w["beta"])
    weights = {"weight_ih": w["weight_ih"], "weight_hh": w["weight_hh"], "bias_ih": w["bias_ih"] + w["bias_hh"]}
    ours = build_ours("leaky", weights, retain=0.7)
    x, state = draw(HIDDEN)

    assert_same(trace(ours, x, state), trace(theirs, x, state))


def test_the_learned_leaky_unit_is_their_update_gate_without_weights():
    theirs, w = build_theirs("UGRNNCell")
    for key in ("weight_ih", "weight_hh"):
        w[key].chunk(2)[1].zero_()
    weights = {key: rows(w[key], 2, (0,)) for key in ("weight_ih", "weight_hh")}
    bias_n, retain = (w["bias_ih"] + w["bias_hh"]).chunk(2)
    ours = build_ours("leaky-learned", weights | {"bias_ih": bias_n, "weight_retain": retain})
    x, state = draw(HIDDEN)

    assert_same(trace(ours, x, state), trace(theirs, x, state))


@pytest.mark.parametrize("name", ["sru", "sru-v1"])
def test_the_memory_of_the_simple_unit_is_their_strongly_typed_recurrence(name):
    theirs, w = build_theirs("TRNNCell")
    w["bias_ih"].chunk(2)[0].zero_()  # the simple unit's candidate has no bias
    ours = find_cell(name)(INPUT, HIDDEN, dtype=D)
    with torch.no_grad():
        ours.weight_ih[: 2 * HIDDEN] = w["weight_ih"]
        ours.bias_f.copy_(w["bias_ih"].chunk(2)[1])
        if name == "sru":
            ours.weight_ch[:HIDDEN] = 0.0  # the forget gate's view of the memory
    x, state = draw(HIDDEN)

    found = trace(ours, x, state, returns_output=True)[..., HIDDEN:]

    assert_same(found, trace(theirs, x, state))
