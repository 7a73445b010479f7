"""The layer for any cell."""

import copy
import pickle

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from recurra import Recurrent
from recurra.cells import Cell, GRUCell, cell_names
from recurra.errors import ArgumentError, ChoiceError, ShapeError, UnsupportedCellError

D = torch.float64
X = torch.randn(6, 4, 3, dtype=D)
LENGTHS = [4, 6, 0, 3]


class Foreign(torch.nn.Module):
    """A cell that knows nothing of Recurra: three states of different widths."""

    def __init__(self, input_size, hidden_size, dtype=None):
        super().__init__()
        self.widths = (hidden_size, 2, 1)
        self.mix = torch.nn.Linear(input_size + sum(self.widths), sum(self.widths), dtype=dtype)

    def forward(self, x, state=None):
        state = tuple(x.new_zeros(len(x), width) for width in self.widths) if state is None else state
        return tuple(torch.tanh(self.mix(torch.cat((x, *state), 1))).split(self.widths, 1))


class Reading(torch.nn.Module):
    """The output is no state, and wider than it."""

    returns_output = True

    def __init__(self, input_size, hidden_size, dtype=None):
        super().__init__()
        self.cell = torch.nn.GRUCell(input_size, hidden_size, dtype=dtype)

    def forward(self, x, state=None):
        state = self.cell(x, state)
        return torch.cat((state, state), 1), state


CELLS = [*cell_names(), torch.nn.GRUCell, torch.nn.LSTMCell, torch.nn.RNNCell, Foreign, Reading]


def tensors(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def build(cell="gru", *, hidden_size=4, **options):
    torch.manual_seed(3)
    return Recurrent(cell, 3, hidden_size, dtype=D, **options)


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_cell_makes_a_layer(cell, bidirectional):
    # what compiled code makes of each cell is tested with the cells
    layer = build(cell, num_layers=2, bidirectional=bidirectional, engine="eager")

    output, last = layer(X, lengths=LENGTHS)

    count = 4 if bidirectional else 2
    assert output.shape == (6, 4, layer.output_size)
    if layer.is_stacked:
        assert [tuple(s.shape) for s in tensors(last)] == [(count, 4, width) for width in layer.state_widths]
    else:
        found = [tuple(s.shape[1] for s in tensors(of_cell)) for of_cell in last]
        assert (found, len(found)) == (list(layer.state_widths), count)
    again, _ = layer(X, last)
    assert again.shape == output.shape
    output.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_forms_of_the_input_agree(cell):
    layer, first = (build(cell, bidirectional=True, batch_first=flag, engine="eager") for flag in (False, True))
    lengths = [4, 6, 1, 3]

    output, last = layer(X, lengths=lengths)

    turned, turned_last = first(X.transpose(0, 1), lengths=lengths)
    torch.testing.assert_close(turned.transpose(0, 1), output, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(turned_last, last, rtol=1e-12, atol=1e-14)
    packed, packed_last = layer(pack_padded_sequence(X, torch.tensor(lengths), enforce_sorted=False))
    torch.testing.assert_close(pad_packed_sequence(packed)[0], output, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(packed_last, last, rtol=1e-12, atol=1e-14)
    for row, length in enumerate(lengths):
        single, single_last = layer(X[:length, row])
        torch.testing.assert_close(single, output[:length, row], rtol=1e-12, atol=1e-14)
        for found, wanted in zip(tensors(single_last), tensors(last), strict=True):
            torch.testing.assert_close(found, wanted[:, row], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("name", "kind"), [("elman", "RNN"), ("lstm", "LSTM"), ("gru", "GRU")])
@pytest.mark.parametrize("engine", ["auto", "eager", "torch"])
def test_layers_of_torchs_cells_equal_torchs_layers(name, kind, engine):
    layer = build(name, num_layers=2, bidirectional=True, engine=engine)
    theirs = getattr(torch.nn, kind)(3, 4, 2, bidirectional=True, dtype=D)
    weights = {}
    for key, value in layer.state_dict().items():
        place, tensor = key.removeprefix("cell_").split(".")
        weights[f"{tensor}_{place}"] = value
    theirs.load_state_dict(weights)

    torch.testing.assert_close(layer(X), theirs(X), rtol=1e-11, atol=1e-13)


def test_cells_are_submodules_named_by_layer_and_direction():
    layer = build("elman", num_layers=2, bidirectional=True)

    names = [name for name, _ in layer.named_children()]

    assert names == ["cell_l0", "cell_l0_reverse", "cell_l1", "cell_l1_reverse"]
    assert layer.cell_l0.input_size == 3
    assert layer.cell_l1.input_size == 8


@pytest.mark.parametrize("mode", ["concat", "sum", "mean", "mul"])
def test_merging_is_by_name(mode):
    layer = build(bidirectional=True, merge_mode=mode)
    ahead, _ = build()(X)
    alone = build()
    alone.cell_l0.load_state_dict(layer.cell_l0_reverse.state_dict())
    back = alone(X.flip(0))[0].flip(0)

    output, _ = layer(X)

    wanted = {
        "concat": torch.cat((ahead, back), -1),
        "sum": ahead + back,
        "mean": (ahead + back) / 2,
        "mul": ahead * back,
    }
    torch.testing.assert_close(output, wanted[mode], rtol=1e-12, atol=1e-14)
    assert layer.output_size == (8 if mode == "concat" else 4)
    assert build(bidirectional=True, merge_mode=mode, num_layers=2).cell_l1.input_size == layer.output_size


def test_a_projected_cell_feeds_its_projection_on():
    layer = build("projected-lstm", hidden_size=5, proj_size=3, num_layers=2, bidirectional=True)

    assert layer.cell_l1.input_size == 6
    assert layer.state_widths == (3, 5)


def test_dropout_acts_between_layers_in_training_only():
    layer = build("elman", num_layers=2, dropout=1.0, bias=False)

    output, last = layer(X)
    assert not output.any()
    assert last[0].any()
    assert layer.eval()(X)[0].any()


def test_dropout_zeroes_the_share_that_it_names():
    layer = build("elman", num_layers=2, dropout=0.3, bias=False, init="eye", hidden_size=3, engine="eager")
    seen = []
    layer.cell_l1.register_forward_pre_hook(lambda module, args: seen.append(args[0]))

    layer(torch.ones(50, 40, 3, dtype=D))

    share = float((torch.stack(seen) == 0).double().mean())
    assert share == pytest.approx(0.3, abs=0.03)


def test_learned_initial_states_are_parameters_by_name():
    layer = build("lstm", num_layers=2, bidirectional=True, learn_initial_state=True)

    assert layer.h_0.shape == layer.c_0.shape == (4, 4)
    assert layer.h_0.dtype == D
    assert {"h_0", "c_0"} < dict(layer.named_parameters()).keys()
    assert not layer.h_0.any()


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_learned_initial_states_are_used_and_learn(engine):
    layer = build("lstm", num_layers=2, bidirectional=True, learn_initial_state=True, engine=engine)
    with torch.no_grad():
        layer.h_0.normal_()
        layer.c_0.normal_()
    given = tuple(s.detach().unsqueeze(1).expand(4, 4, 4) for s in (layer.h_0, layer.c_0))

    output, last = layer(X, lengths=LENGTHS)

    torch.testing.assert_close((output, last), layer(X, given, lengths=LENGTHS), rtol=1e-12, atol=1e-14)
    assert torch.equal(last[1][:, 2], layer.c_0)
    output.sum().backward()
    assert layer.h_0.grad.abs().min() > 0
    assert layer.c_0.grad.abs().min() > 0


def test_a_reset_returns_to_the_learned_state():
    layer = build(num_layers=2, learn_initial_state=True)
    with torch.no_grad():
        layer.h_0.normal_()
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[3] = True

    output, last = layer(X, torch.randn(2, 4, 4, dtype=D), reset=reset)

    wanted, wanted_last = layer(X[3:])
    torch.testing.assert_close(output[3:], wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(last, wanted_last, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("cell", "names"),
    [(torch.nn.LSTMCell, ["h_0", "c_0"]), (torch.nn.GRUCell, ["h_0"]), (Foreign, ["s1_0", "s2_0", "s3_0"])],
)
def test_learned_states_of_foreign_cells_have_names(cell, names):
    layer = build(cell, learn_initial_state=True)

    own = [name for name, _ in layer.named_parameters(recurse=False)]

    assert own == names
    layer(X)[0].sum().backward()
    assert all(getattr(layer, name).grad is not None for name in names)


def test_reset_parameters_draws_all_cells_again():
    layer = build(num_layers=2, learn_initial_state=True)
    before = copy.deepcopy(layer.state_dict())
    with torch.no_grad():
        layer.h_0.fill_(1)
    torch.manual_seed(99)

    layer.reset_parameters()

    assert not layer.h_0.any()
    changed = [key for key, value in layer.state_dict().items() if not torch.equal(value, before[key])]
    assert len(changed) == len(before) - 1
    with pytest.raises(ArgumentError, match="Recurrent expected Foreign to have reset_parameters, got none"):
        build(Foreign).reset_parameters()


def test_options_reach_every_cell():
    layer = build("gru", num_layers=2, bidirectional=True, bias=False, init="orthogonal")

    assert all(cell.bias is False and cell.init == "orthogonal" for cell in layer.children())


def test_nan_behind_the_lengths_reaches_nothing_through_all_layers():
    layer = build("lstm", num_layers=3, bidirectional=True, merge_mode="mul")
    x = X.clone()
    x[torch.arange(6).unsqueeze(1) >= torch.tensor(LENGTHS)] = torch.nan
    x.requires_grad_()

    output, last = layer(x, lengths=LENGTHS)
    (output.sum() + last[1].sum()).backward()

    assert output.isfinite().all()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_copies_and_pickles_give_the_same_results():
    layer = build("lstm", num_layers=2, learn_initial_state=True)

    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(X), layer(X), rtol=0, atol=0)
    twin.load_state_dict(layer.state_dict())


def test_building_draws_nothing_beside_the_weights():
    torch.manual_seed(0)
    Recurrent(Foreign, 3, 4)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    Foreign(3, 4)

    assert torch.equal(torch.get_rng_state(), after)


def test_repr_names_what_is_not_at_its_default():
    text = repr(Recurrent("gru", 3, 4, 2, merge_mode="sum", bidirectional=True, learn_initial_state=True))

    assert text.splitlines()[1] == (
        "  3, 4, num_layers=2, bidirectional=True, merge_mode='sum', learn_initial_state=True"
    )
    assert repr(Recurrent("gru", 3, 4)).splitlines()[:2] == ["Recurrent(", "  3, 4"]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"num_layers": 0}, ArgumentError, "Recurrent expected num_layers to be an integer of at least 1, got 0"),
        ({"num_layers": True}, ArgumentError, "Recurrent expected num_layers to be an integer of at least 1, got True"),
        ({"batch_first": 1}, ArgumentError, "Recurrent expected batch_first to be True or False, got 1"),
        ({"bidirectional": None}, ArgumentError, "Recurrent expected bidirectional to be True or False, got None"),
        (
            {"learn_initial_state": 0},
            ArgumentError,
            "Recurrent expected learn_initial_state to be True or False, got 0",
        ),
        ({"dropout": 1.1}, ArgumentError, r"Recurrent expected dropout to be a probability in \[0, 1\], got 1.1"),
        ({"dropout": True}, ArgumentError, r"Recurrent expected dropout to be a probability in \[0, 1\], got True"),
        ({"dropout": float("nan")}, ArgumentError, r"Recurrent expected dropout to be a probability in .*, got nan"),
        ({"merge_mode": "add"}, ChoiceError, "merge_mode of Recurrent to be one of concat, sum, mean, mul; got 'add'"),
        ({"engine": "fast"}, ChoiceError, "engine of Recurrent to be one of auto, native, eager, torch; got 'fast'"),
        ({"cell": "grue"}, ChoiceError, "expected cell to be one of .*; got 'grue'"),
        (
            {"cell": GRUCell(3, 4)},
            ArgumentError,
            "expected cell to be a name or a class of torch.nn.Module, got GRUCell",
        ),
        ({"input_size": 0}, ArgumentError, "Recurrent expected input_size to be an integer of at least 1, got 0"),
        ({"hidden_size": "4"}, ArgumentError, "Recurrent expected hidden_size to be an integer of at least 1, got '4'"),
    ],
)
def test_wrong_arguments_are_errors(options, kind, message):
    with pytest.raises(kind, match=message):
        Recurrent(**({"cell": "gru", "input_size": 3, "hidden_size": 4} | options))


def test_dropout_with_one_layer_warns():
    message = "dropout=0.5 has no effect in Recurrent with one layer: it acts between layers only"
    with pytest.warns(UserWarning, match=message) as caught:
        Recurrent("gru", 3, 4, dropout=0.5)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("cell", "x", "state", "message"),
    [
        ("gru", X, torch.zeros(1, 4, 4), r"Recurrent expected state to be of shape \(2, 4, 4\), got \(1, 4, 4\)"),
        ("gru", X, torch.zeros(2, 3, 4), r"Recurrent expected state to be of shape \(2, 4, 4\), got \(2, 3, 4\)"),
        ("gru", X[:, 0], torch.zeros(2, 4, 4), r"Recurrent expected state to be of shape \(2, 4\), got \(2, 4, 4\)"),
        ("gru", X, (torch.zeros(2, 4, 4),), "Recurrent expected state to be a tensor, got 1 value"),
        ("lstm", X, torch.zeros(2, 4, 4), "Recurrent expected state to be a tuple of tensors, got a tensor"),
        ("lstm", X, (torch.zeros(2, 4, 4),), "Recurrent expected state to have 2 tensors, got 1"),
        (
            "projected-lstm",
            X,
            (torch.zeros(2, 4, 4), torch.zeros(2, 4, 4)),
            r"Recurrent expected state\[0\] to be of shape \(2, 4, 2\), got \(2, 4, 4\)",
        ),
        ("gru", X[0, 0], None, r"input of shape \(time, batch, input_size\) or \(time, input_size\), got \(3,\)"),
        ("gru", [X], None, "Recurrent expected input to be a tensor or a PackedSequence, got list"),
        ("gru", X[..., :2], None, r"expected x of shape \(time, batch, input_size=3\) for GRUCell, got \(6, 4, 2\)"),
    ],
)
def test_a_wrong_call_is_an_error(cell, x, state, message):
    with pytest.raises(ShapeError, match=message):
        build(cell, num_layers=2)(x, state)


def test_batch_first_is_named_in_the_message():
    with pytest.raises(
        ShapeError, match=r"expected input of shape \(batch, time, input_size\) or \(time, input_size\)"
    ):
        build(batch_first=True)(X[None])


def test_a_packed_state_is_checked_against_its_batch():
    packed = pack_sequence([torch.zeros(5, 3, dtype=D), torch.zeros(2, 3, dtype=D)])

    with pytest.raises(ShapeError, match=r"Recurrent expected state to be of shape \(1, 2, 4\), got \(1, 3, 4\)"):
        build()(packed, torch.zeros(1, 3, 4, dtype=D))
    with pytest.raises(ArgumentError, match="Recurrent expected no lengths with a PackedSequence"):
        build()(packed, lengths=[5, 2])


def test_a_reset_with_a_packed_batch_goes_by_the_rows_as_they_were_packed():
    lengths = torch.tensor([2, 6, 4, 3])
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[1, 0] = reset[3, 1] = True
    packed = pack_padded_sequence(X, lengths, enforce_sorted=False)

    output, _ = build()(packed, reset=reset)

    wanted, _ = build()(X, lengths=lengths, reset=reset)
    torch.testing.assert_close(pad_packed_sequence(output)[0], wanted, rtol=1e-12, atol=1e-14)


def test_a_cell_that_needs_a_state_and_declares_nothing_is_an_error():
    class Needy(torch.nn.Module):
        def __init__(self, input_size, hidden_size):
            super().__init__()

        def forward(self, x, h):
            return h

    with pytest.raises(UnsupportedCellError, match="Needy was expected to run without a state") as caught:
        Recurrent(Needy, 3, 4)
    assert caught.value.hint == "pass state, or give the class state_size and output_size"


def test_a_cell_of_recurra_written_by_a_user_needs_no_more_than_its_equations():
    class Leaky(Cell):
        states = ("h",)
        gates = ("n",)

        def forward(self, x, h):
            (xn,), (hn,) = self.from_input(x), self.from_state(h)
            return 0.9 * h + 0.1 * torch.tanh(xn + hn)

    output, h = build(Leaky, num_layers=2, bidirectional=True)(X, lengths=LENGTHS)

    assert output.shape == (6, 4, 8)
    assert h.abs().max() < 1


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("torch.nn:Linear", r"expected Linear to be a cell that is called with \(x, state\), got: too many positional"),
        ("torch.nn:LSTM", "expected LSTM to be a cell that returns its new state, a tensor or a tuple of tensors"),
        (
            "torch.nn:Conv1d",
            r"expected Conv1d to be a cell that is built from \(input_size, hidden_size\), got: .*kernel",
        ),
    ],
)
def test_modules_that_are_no_cells_are_refused(cell, message):
    with pytest.raises(UnsupportedCellError, match=message):
        Recurrent(cell, 3, 4)


def test_an_option_that_a_cell_lacks_is_named():
    with pytest.raises(UnsupportedCellError, match=r"\(input_size, hidden_size, leak=...\), got: .*'leak'"):
        Recurrent("torch.nn:GRUCell", 3, 4, leak=0.5)
