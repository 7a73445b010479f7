"""Every registered cell with all that a layer can give it: it works, or is declared here not to, and says why."""

import pytest
import torch

from recurra import Recurrent
from recurra.cells import cell_names, find_cell
from recurra.errors import ArgumentError
from recurra.loop import unroll
from tests.support.conformance import random_state, tensors

D = torch.float64
SIZE = 4
X = torch.randn(5, 3, SIZE, dtype=D)

MODIFIERS = {
    "zoneout": {"zoneout": 0.3},
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "recurrent dropout of a sequence": {"recurrent_dropout": 0.3, "recurrent_dropout_mask": "sequence"},
    "variational dropout": {"variational_dropout": 0.3},
    "weight dropout": {"weight_dropout": 0.3},
    "weight norm": {"weight_norm": True},
    "orthogonal": {"orthogonal": True},
    "skipping": {"skip_through_time": 2},
    "learned states": {"learn_initial_state": True},
}

# states that no number of zoneout keeps: clocks, past inputs, normalisers, and gates that are only read once more
NO_MEMORIES = {
    "clockwork": ("t",),
    "phased-lstm": ("psi",),
    "phased-lstm-gated": ("psi",),
    "qrnn": ("p",),
    "qrnn-f": ("p",),
    "qrnn-ifo": ("p",),
    "slstm": ("c", "n", "m"),
    "lstm-fgr": ("i", "f", "o"),
}

NO_CANDIDATES = ("elman", "elman-relu", "indrnn", "indrnn-tanh", "irnn", "jordan", "layer-norm-rnn", "lru", "unitary")
NO_PRODUCT = ("lru", "mingru", "minlstm", "qrnn", "qrnn-f", "qrnn-ifo", "sru", "sru-v1")
# a vector, or what a matrix is computed from, is no matrix that could be normed or made orthogonal
NO_MATRIX = (*NO_PRODUCT, "indrnn", "indrnn-tanh", "unitary")
NOT_SQUARE = {
    "clockwork": "weight_hh_1 of ClockworkCell to be square",  # a block sees itself and the slower ones
    "lstm-fgr": "weight_gh of FullGateRecurrenceLSTMCell to be square",  # each gate sees all three
    "projected-lstm": "weight_hh of ProjectedLSTMCell to be square",  # the output is narrower than a gate
}
REFUSED = {
    **{("recurrent dropout", name): "to have candidates, names in its forward" for name in NO_CANDIDATES},
    **{("recurrent dropout of a sequence", name): "to have candidates, names in its" for name in NO_CANDIDATES},
    **{("variational dropout", name): r"to be a method that calls self.from_state\(h" for name in NO_PRODUCT},
    **{
        (kind, name): f"{kind.replace(' ', '_')} expected .* to have recurrent weights, matrices that a state"
        for kind in ("weight dropout", "weight norm", "orthogonal")
        for name in NO_MATRIX
    },
    **{("orthogonal", name): message for name, message in NOT_SQUARE.items()},
    # its source starts all recurrent weights at zero
    ("weight norm", "slstm"): "no row of weight_hh to be zero, as it has no direction",
    # its output is as wide as its input, which skipping widens by the output
    ("skipping", "lru"): "cells whose output_size is no matter of their input_size",
}
WORKING = [(kind, name) for kind in MODIFIERS for name in cell_names() if (kind, name) not in REFUSED]


def build(name, **options):
    torch.manual_seed(3)
    return Recurrent(name, SIZE, SIZE, dtype=D, **{"engine": "eager", **options})


def train(layer):
    """Take one step and return the outputs before it."""
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    output, last = layer(X)
    (output.square().sum() + sum(s.sin().sum() for s in tensors(last))).backward()
    without = [name for name, p in layer.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    optimizer.step()
    assert not without
    assert output.isfinite().all()
    assert layer(X)[0].isfinite().all()
    return output


@pytest.mark.parametrize(("kind", "name"), REFUSED)
def test_what_a_cell_cannot_be_given_is_refused_when_it_is_built(kind, name):
    with pytest.raises(ArgumentError, match=REFUSED[kind, name]):
        build(name, **MODIFIERS[kind])


@pytest.mark.parametrize(("kind", "name"), WORKING)
def test_a_training_step_gives_every_parameter_a_gradient(kind, name):
    train(build(name, num_layers=2, **MODIFIERS[kind]))


@pytest.mark.parametrize("name", cell_names())
def test_compiled_code_trains_with_all_that_a_cell_can_be_given(name):
    given = [kind for kind in MODIFIERS if (kind, name) in WORKING and kind != "recurrent dropout of a sequence"]
    options = {option: value for kind in given for option, value in MODIFIERS[kind].items()}
    if "orthogonal" in options:
        options.pop("weight_norm", None)

    train(build(name, engine="native", **options))


# what does nothing in evaluation, or nothing before the first update
SILENT = (
    "recurrent dropout",
    "recurrent dropout of a sequence",
    "variational dropout",
    "weight dropout",
    "weight norm",
    "learned states",
)


@pytest.mark.parametrize(("kind", "name"), [pair for pair in WORKING if pair[0] in SILENT])
def test_in_evaluation_the_layer_is_the_plain_one(kind, name):
    layer, plain = build(name, **MODIFIERS[kind]).eval(), build(name).eval()

    torch.testing.assert_close(layer(X), plain(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", cell_names())
def test_in_evaluation_zoneout_mixes_memories_and_leaves_all_other_states(name):
    cell = build(name, **MODIFIERS["zoneout"]).eval().cell_l0
    state = random_state(cell.cell, 3)
    plain, zoned = (tensors(unroll(one, X[:1], state, engine="eager")[1]) for one in (cell.cell, cell))

    for known, old, new, found in zip(cell.states, tensors(state), plain, zoned, strict=True):
        p = 0.0 if known in NO_MEMORIES.get(name, ()) else 0.3
        torch.testing.assert_close(found, p * old + (1 - p) * new, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in NO_MEMORIES if name in ("clockwork", "phased-lstm", "qrnn")])
@pytest.mark.parametrize("training", [True, False])
def test_clocks_and_past_inputs_are_exact_under_zoneout(name, training):
    layer, plain = build(name, zoneout=0.9).train(training), build(name).train(training)

    found, wanted = (dict(zip(find_cell(name).states, one(X)[1], strict=True)) for one in (layer, plain))

    for state in NO_MEMORIES[name]:
        assert torch.equal(found[state], wanted[state])


@pytest.mark.parametrize("name", [name for kind, name in WORKING if kind == "orthogonal"])
def test_blocks_stay_orthogonal_under_training(name):
    layer = build(name, orthogonal=True)
    train(layer)
    core = layer.cell_l0

    for known in core.recurrent_weights:
        for block in getattr(core, known).detach().split(getattr(core, known).shape[1]):
            torch.testing.assert_close(block @ block.T, torch.eye(len(block), dtype=D), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [name for kind, name in WORKING if kind == "skipping"])
def test_skipping_reads_zeros_first_and_the_earlier_output_then(name):
    layer = build(name, skip_through_time=2).eval()
    core = layer.cell_l0.cell
    output, _ = layer(X)

    earlier = torch.cat((torch.zeros_like(output[:2]), output[:-2]))
    wanted, _ = unroll(core, torch.cat((X, earlier), -1), engine="eager")

    torch.testing.assert_close(output, wanted, rtol=1e-10, atol=1e-12)
