"""The layers on the compiled engine against torch's own, in float64: outputs, states and all gradients."""

import itertools

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from recurra.cells import GRUCell, LSTMCell
from tests.loop.native.comparing import ENGINE, D, as_tuple
from tests.loop.native.own_cells import Normed, ResetBefore

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

KINDS = {
    "rnn": ("RNN", {}),
    "rnn-relu": ("RNN", {"nonlinearity": "relu"}),
    "gru": ("GRU", {}),
    "lstm": ("LSTM", {}),
    "lstm-proj": ("LSTM", {"proj_size": 2}),
}
kinds = pytest.mark.parametrize("kind", KINDS)
LENGTHS = torch.tensor([4, 6, 1, 3])
CLOSE = {"rtol": 1e-9, "atol": 1e-11}


def both(kind, **options):
    """Return our layer on the compiled engine, and torch's with the same weights."""
    name, extra = KINDS[kind]
    torch.manual_seed(9)
    theirs = getattr(torch.nn, name)(3, 4, **extra, **options, dtype=D)
    ours = getattr(recurra, name)(3, 4, **extra, **options, dtype=D, engine=ENGINE)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def random_state(layer, *batch):
    lead = (layer.num_layers * (1 + layer.bidirectional), *batch)
    widths = (layer.proj_size or 4, 4) if isinstance(layer, torch.nn.LSTM) else (4,)
    state = tuple(torch.randn(*lead, width, dtype=D).requires_grad_() for width in widths)
    return state if len(state) > 1 else state[0]


def results(layer, given, state, leaves, *, batch_first=False, **options):
    """Return output, last states, and the gradients of the leaves and weights."""
    output, last = layer(given, state, **options)
    if not isinstance(output, torch.Tensor):
        output, _ = pad_packed_sequence(output, batch_first=batch_first)
    total = (output * output.cos()).sum() + sum((k + 1) * s.sin().sum() for k, s in enumerate(as_tuple(last)))
    gradients = torch.autograd.grad(total, [*leaves, *layer.parameters()])
    return [output.detach(), *(s.detach() for s in as_tuple(last)), *gradients]


FORMS = {
    "batch": (6, 4, 3),
    "batch first": (4, 6, 3),
    "single": (6, 3),
    "packed": (6, 4, 3),
    "packed, batch first": (4, 6, 3),
}


@kinds
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
def test_layers_equal_torchs_in_every_form_of_input(kind, form, bidirectional):
    batch_first = form.endswith("first")
    for num_layers, bias, with_state in ((1, True, True), (3, False, False), (2, True, True)):
        options = {"num_layers": num_layers, "bias": bias, "bidirectional": bidirectional, "batch_first": batch_first}
        ours, theirs = both(kind, **options)
        torch.manual_seed(1)
        x = torch.randn(*FORMS[form], dtype=D, requires_grad=True)
        state = random_state(theirs, *(() if form == "single" else (4,))) if with_state else None
        leaves = [x, *(() if state is None else as_tuple(state))]

        outcomes = []
        for layer in (ours, theirs):
            is_packed = form.startswith("packed")
            given = pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False) if is_packed else x
            outcomes.append(results(layer, given, state, leaves, batch_first=batch_first))

        found, wanted = outcomes
        torch.testing.assert_close(found, wanted, **CLOSE)


@kinds
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
def test_lengths_equal_torchs_packed_sequences(kind, bidirectional):
    ours, theirs = both(kind, num_layers=2, bidirectional=bidirectional)
    torch.manual_seed(1)
    x = torch.randn(6, 4, 3, dtype=D, requires_grad=True)
    state = random_state(theirs, 4)
    leaves = [x, *as_tuple(state)]

    found = results(ours, x, state, leaves, lengths=LENGTHS)

    packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    torch.testing.assert_close(found, results(theirs, packed, state, leaves), **CLOSE)


@kinds
def test_a_row_of_length_zero_keeps_its_state_and_gives_zeros(kind):
    ours, theirs = both(kind, num_layers=2)
    x, state = torch.randn(6, 4, 3, dtype=D), random_state(theirs, 4)

    output, last = ours(x, state, lengths=[6, 0, 2, 5])

    assert not output[:, 1].any()
    for new, old in zip(as_tuple(last), as_tuple(state), strict=True):
        torch.testing.assert_close(new[:, 1], old[:, 1], rtol=0, atol=0)


@kinds
def test_dropout_between_layers_draws_as_torchs(kind):
    ours, theirs = both(kind, num_layers=3, dropout=0.4, bidirectional=True)
    x = torch.randn(6, 4, 3, dtype=D, requires_grad=True)

    # torch draws its masks between the layers in the same order and shape
    torch.manual_seed(5)
    found = results(ours, x, None, [x])
    torch.manual_seed(5)
    wanted = results(theirs, x, None, [x])
    torch.testing.assert_close(found, wanted, **CLOSE)

    ours.eval()
    theirs.eval()
    torch.testing.assert_close(results(ours, x, None, [x]), results(theirs, x, None, [x]), **CLOSE)
    assert not torch.allclose(results(ours, x, None, [x])[0], found[0])


@kinds
def test_state_dicts_load_both_ways_after_use(kind):
    ours, theirs = both(kind, num_layers=2, bidirectional=True)
    x = torch.randn(5, 2, 3, dtype=D)
    ours(x)[0].sum().backward()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.1 * parameter.grad)

    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), theirs(x), **CLOSE)

    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(-1)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(x), theirs(x), **CLOSE)


@kinds
def test_training_ends_where_torchs_does(kind):
    layers = both(kind, num_layers=2)
    x = torch.randn(6, 4, 3, dtype=D)
    losses = []
    for layer in layers:
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.2, momentum=0.9)
        for _ in range(12):
            optimizer.zero_grad()
            loss = (layer(x)[0][..., :2] - x[..., :2].sin()).square().mean()
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))

    assert losses[0] == pytest.approx(losses[1], rel=1e-7)


@pytest.mark.parametrize("cell", ["gru", "lstm", torch.nn.GRUCell, ResetBefore], ids=str)
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul"])
def test_recurrent_equals_itself_in_the_plain_loop(cell, merge_mode):
    torch.manual_seed(3)
    layers = [
        recurra.Recurrent(
            cell, 3, 4, 2, bidirectional=True, merge_mode=merge_mode, engine=engine, learn_initial_state=True
        ).double()
        for engine in (ENGINE, "eager")
    ]
    with torch.no_grad():
        for name, parameter in layers[0].named_parameters():
            if name in ("h_0", "c_0"):
                parameter.normal_()
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(6, 4, 3, dtype=D, requires_grad=True)
    reset = torch.rand(6, 4) < 0.3

    found, wanted = (results(layer, x, None, [x], lengths=[6, 0, 3, 5], reset=reset) for layer in layers)

    torch.testing.assert_close(found, wanted, **CLOSE)


def test_recurrent_runs_cells_with_states_of_several_widths():
    torch.manual_seed(3)
    layers = [recurra.Recurrent(Normed, 3, 4, 2, batch_first=True, engine=engine) for engine in (ENGINE, "eager")]
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(4, 6, 3, dtype=D, requires_grad=True)

    found, wanted = (results(layer, x, None, [x]) for layer in layers)

    torch.testing.assert_close(found, wanted, **CLOSE)


@pytest.mark.parametrize("cell_class", [LSTMCell, GRUCell])
def test_recurrent_of_an_own_cell_equals_torchs_layer(cell_class):
    name = cell_class.__name__.removesuffix("Cell")
    theirs = getattr(torch.nn, name)(3, 4, 2, dtype=D)
    ours = recurra.Recurrent(cell_class, 3, 4, 2, engine=ENGINE, dtype=D)
    with torch.no_grad():
        for layer, role in itertools.product(range(2), ("weight_ih", "weight_hh", "bias_ih", "bias_hh")):
            getattr(ours.get_submodule(f"cell_l{layer}"), role).copy_(getattr(theirs, f"{role}_l{layer}"))
    x = torch.randn(6, 4, 3, dtype=D)

    output, last = ours(x)

    wanted, wanted_last = theirs(x)
    torch.testing.assert_close(output, wanted, **CLOSE)
    torch.testing.assert_close(as_tuple(last), as_tuple(wanted_last), **CLOSE)
