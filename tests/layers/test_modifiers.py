"""What a layer gives its cells, and what it does between them."""

import copy
import pickle

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra import Recurrent
from recurra.cells import Cell, GRUCell, LSTMCell
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.layers import Modifiers, RecurrentDropout, SkipThroughTime, VariationalDropout, Zoneout
from recurra.loop import unroll

D = torch.float64
X = torch.randn(6, 4, 3, dtype=D)
LENGTHS = [4, 6, 0, 3]
ALL = {
    "zoneout": {"h": 0.1, "c": 0.3},
    "recurrent_dropout": 0.2,
    "recurrent_dropout_mask": "sequence",
    "variational_dropout": 0.3,
    "weight_dropout": 0.4,
    "orthogonal": True,
    "skip_through_time": 2,
}


def build(cell="lstm", hidden_size=4, **options):
    torch.manual_seed(3)
    return Recurrent(cell, 3, hidden_size, dtype=D, **options)


def tensors(state):
    return [state] if isinstance(state, torch.Tensor) else [t for part in state for t in tensors(part)]


# --- cells


def test_every_cell_is_given_all_that_the_options_say():
    layer = build(num_layers=2, bidirectional=True, **ALL)

    for cell in layer.children():
        assert isinstance(cell, SkipThroughTime)
        assert (cell.distance, cell.cell.p) == (2, ALL["zoneout"])
        assert [type(one) for one in (cell.cell, cell.cell.cell, cell.cell.cell.cell)] == [
            Zoneout,
            VariationalDropout,
            RecurrentDropout,
        ]
        core = cell.cell.cell.cell.cell
        assert isinstance(core, LSTMCell)
        kinds = [type(rule).__name__ for rule in core.parametrizations.weight_hh]
        assert kinds == ["_Orthogonal", "_WeightDropout"]
    assert layer.cell_l0.input_size == 3
    assert layer.cell_l1.input_size == 8


@pytest.mark.parametrize("name", [*ALL, "weight_norm"])
def test_each_option_alone_reaches_the_cell(name):
    given = {name: ALL.get(name, True)}
    if name == "recurrent_dropout_mask":
        given["recurrent_dropout"] = 0.2
    layer = build(**given)
    text = repr(layer)

    assert f"{name}={given[name]!r}" in text
    assert layer.modifiers.changed() == given
    assert type(layer.cell_l0) is not LSTMCell


def test_without_options_the_cells_are_plain():
    layer = build(zoneout=0.0, weight_dropout=0, recurrent_dropout=0.0, variational_dropout=0.0)

    assert type(layer.cell_l0) is LSTMCell
    assert layer.modifiers == Modifiers()
    torch.manual_seed(3)
    wanted = LSTMCell(3, 4, dtype=D)
    assert torch.equal(layer.cell_l0.weight_ih, wanted.weight_ih)


@pytest.mark.parametrize("call", [{}, {"lengths": LENGTHS}, {"reset": torch.rand(6, 4) < 0.3}])
def test_all_together_train_the_same_in_both_engines(call):
    # zoneout draws at every step, and compiled code draws all steps at once
    options = {name: value for name, value in ALL.items() if name != "zoneout"}
    layer = build(num_layers=2, bidirectional=True, dropout=0.3, dropout_mask="sequence", input_dropout=0.2, **options)
    found = []
    for engine in ("eager", "native"):
        layer.engine = engine
        torch.manual_seed(7)
        output, last = layer(X, **call)
        total = sum((t * torch.arange(t.numel(), dtype=D).view_as(t)).sum() for t in (output, *last))
        found.append((output, *last, *torch.autograd.grad(total, list(layer.parameters()))))

    torch.testing.assert_close(*found, rtol=1e-8, atol=1e-10)


def test_evaluation_is_the_same_in_both_engines_and_for_each_form_of_the_input():
    layer = build(num_layers=2, bidirectional=True, **ALL).eval()
    output, last = layer(X, lengths=[4, 6, 1, 3])
    layer.engine = "eager"

    torch.testing.assert_close(layer(X, lengths=[4, 6, 1, 3]), (output, last), rtol=1e-9, atol=1e-11)
    packed, packed_last = layer(pack_padded_sequence(X, torch.tensor([4, 6, 1, 3]), enforce_sorted=False))
    torch.testing.assert_close(pad_packed_sequence(packed)[0], output, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(packed_last, last, rtol=1e-9, atol=1e-11)
    single, _ = layer(X[:4, 0])
    torch.testing.assert_close(single, output[:4, 0], rtol=1e-9, atol=1e-11)


def test_copies_and_state_dicts_hold_all():
    layer = build(num_layers=2, **ALL).eval()
    other = build(num_layers=2, **ALL).eval()
    for p in other.parameters():
        torch.nn.init.zeros_(p)

    other.load_state_dict(layer.state_dict())

    torch.testing.assert_close(other(X), layer(X), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(layer)(X), layer(X), rtol=0, atol=0)
    options = {name: ALL[name] for name in ("zoneout", "recurrent_dropout", "variational_dropout", "skip_through_time")}
    plain = build(num_layers=2, **options).eval()
    torch.testing.assert_close(pickle.loads(pickle.dumps(plain))(X), plain(X), rtol=0, atol=0)


def test_options_that_exclude_each_other_or_are_out_of_range_are_errors():
    with pytest.raises(ArgumentError, match="Recurrent expected one of weight_norm and orthogonal, got both"):
        build(weight_norm=True, orthogonal=True)
    for name in ("recurrent_dropout", "variational_dropout", "weight_dropout"):
        with pytest.raises(ArgumentError, match=f"Recurrent expected {name} to be a number of at least 0 and below 1"):
            build(**{name: 1.0})
    with pytest.raises(ArgumentError, match="Recurrent expected zoneout to be a number of at least 0 and of at most 1"):
        build(zoneout=-0.1)
    with pytest.raises(ChoiceError, match="recurrent_dropout_mask of Recurrent to be one of step, sequence; got 'x'"):
        build(recurrent_dropout_mask="x")
    with pytest.raises(ArgumentError, match="Recurrent expected orthogonal to be True or False, got 1"):
        build(orthogonal=1)
    with pytest.raises(ArgumentError, match="Recurrent expected weight_norm to be True or False, got 1"):
        build(weight_norm=1)
    with pytest.raises(ArgumentError, match="Recurrent expected skip_through_time to be an integer of at least 1"):
        build(skip_through_time=0)


class Copying(Cell):
    """Its output is as wide as its input."""

    states = ("h",)
    gates = ("n",)
    returns_output = True

    @property
    def output_size(self):
        return self.input_size

    def forward(self, x, h):
        return x, h


def test_skipping_needs_an_output_whose_width_does_not_grow_with_the_input():
    with pytest.raises(ArgumentError, match="skip_through_time widens the input by the output, got Copying with 3 and"):
        build(Copying, skip_through_time=2)


# --- learned initial states


class Starting(GRUCell):
    """A cell that starts from ones."""

    def initial_state(self, batch_size):
        return super().initial_state(batch_size) + 1


@pytest.mark.parametrize("options", [{}, {"zoneout": 0.2, "recurrent_dropout": 0.3}, {"skip_through_time": 2}])
def test_learned_states_start_from_the_cells_own_and_learn(options):
    layer = build(Starting, num_layers=2, learn_initial_state=True, **options)

    assert torch.equal(layer.h_0, torch.ones(2, 4, dtype=D))
    layer(X)[0].sum().backward()
    assert layer.h_0.grad.abs().min() > 0
    names = [name for name, _ in layer.named_parameters(recurse=False)]
    assert names == (["h_0", "skip_0"] if "skip_through_time" in options else ["h_0"])
    with torch.no_grad():
        layer.h_0.zero_()
    layer.reset_parameters()
    assert torch.equal(layer.h_0, torch.ones(2, 4, dtype=D))


def test_learned_states_of_wrapped_cells_are_used_at_resets():
    layer = build(num_layers=2, learn_initial_state=True, zoneout=0.4, engine="eager").eval()
    with torch.no_grad():
        layer.h_0.normal_()
        layer.c_0.normal_()
    reset = torch.zeros(6, 4, dtype=torch.bool)
    reset[3] = True

    torch.testing.assert_close(layer(X, reset=reset)[0][3:], layer(X[3:])[0], rtol=1e-12, atol=1e-14)


# --- widths


def test_layers_of_different_widths_have_a_state_each():
    layer = build(hidden_size=(4, 6, 2), num_layers=3, bidirectional=True)

    output, last = layer(X, lengths=LENGTHS)

    assert (layer.hidden_size, layer.output_size, layer.is_stacked) == ((4, 6, 2), 4, False)
    assert layer.state_widths == ((4, 4),) * 2 + ((6, 6),) * 2 + ((2, 2),) * 2
    assert [tuple(s.shape for s in state) for state in last] == [((4, w), (4, w)) for w in (4, 4, 6, 6, 2, 2)]
    assert [cell.input_size for cell in layer.children()] == [3, 3, 8, 8, 12, 12]
    again, _ = layer(X, last)
    x = X
    for k in range(3):
        cells = [layer.get_submodule(f"cell_l{k}{suffix}") for suffix in ("", "_reverse")]
        x = torch.cat([unroll(cell, x, last[2 * k + d], reverse=d == 1)[0] for d, cell in enumerate(cells)], -1)
    torch.testing.assert_close(again, x, rtol=1e-12, atol=1e-14)
    single, single_last = layer(X[:4, 0])
    torch.testing.assert_close(single, output[:4, 0], rtol=1e-10, atol=1e-12)
    assert [tuple(s.shape for s in state) for state in single_last][4] == ((2,), (2,))
    batched = tuple(tuple(s.unsqueeze(0) for s in state) for state in single_last)
    torch.testing.assert_close(layer(X[:, 0], single_last)[0], layer(X[:, :1], batched)[0][:, 0])


def test_one_state_a_cell_is_a_tensor_each():
    layer = build("gru", hidden_size=[4, 2], num_layers=2, batch_first=True)

    output, last = layer(X.transpose(0, 1))

    assert [tuple(s.shape) for s in last] == [(4, 4), (4, 2)]
    torch.testing.assert_close(layer(X.transpose(0, 1)[:, 3:], layer(X.transpose(0, 1)[:, :3])[1])[1], last)
    assert torch.equal(output[:, -1], last[1])


def test_equal_widths_in_a_list_keep_states_stacked():
    layer = build("gru", hidden_size=[4, 4], num_layers=2)

    assert layer(X)[1].shape == (2, 4, 4)
    assert layer.state_widths == (4,)


def test_learned_states_of_different_widths_are_named_by_cell():
    layer = build(hidden_size=(4, 2), num_layers=2, bidirectional=True, learn_initial_state=True)

    names = [name for name, _ in layer.named_parameters(recurse=False)]

    places = ("l0", "l0_reverse", "l1", "l1_reverse")
    assert names == [f"{state}_0_{place}" for place in places for state in ("h", "c")]
    layer(X)[0].sum().backward()
    assert all(getattr(layer, name).grad.abs().min() > 0 for name in names)
    layer.reset_parameters()


def test_wrong_widths_and_states_are_errors():
    with pytest.raises(
        ArgumentError, match=r"hidden_size to be one integer, or one for each of 3 layers, got \(4, 2\)"
    ):
        build(hidden_size=(4, 2), num_layers=3)
    with pytest.raises(
        ArgumentError, match=r"Recurrent expected hidden_size\[1\] to be an integer of at least 1, got 0"
    ):
        build(hidden_size=(4, 0), num_layers=2)
    layer = build(hidden_size=(4, 2), num_layers=2)
    with pytest.raises(ShapeError, match="to be a tuple of the states of 2 cells, which differ in width, got Tensor"):
        layer(X, torch.zeros(2, 4, 4, dtype=D))
    with pytest.raises(ShapeError, match="to be a tuple of the states of 2 cells, which differ in width, got 1"):
        layer(X, (torch.zeros(4, 4, dtype=D),))
    zeros = [(torch.zeros(4, w, dtype=D),) * 2 for w in (4, 3)]
    with pytest.raises(ShapeError, match=r"Recurrent expected state\[1\]\[0\] to be of shape \(4, 2\), got \(4, 3\)"):
        layer(X, zeros)


# --- between layers


def test_residual_layers_add_what_lies_below():
    layer = build("gru", num_layers=3, residual=True)
    x, _ = unroll(layer.cell_l0, X)
    for cell in (layer.cell_l1, layer.cell_l2):
        x = x + unroll(cell, x)[0]

    torch.testing.assert_close(layer(X)[0], x, rtol=1e-12, atol=1e-14)


def test_the_residual_way_is_not_dropped():
    layer = build("gru", num_layers=2, residual=True, dropout=1.0, bias=False)

    below, _ = unroll(layer.cell_l0, X)

    torch.testing.assert_close(layer(X)[0], below + unroll(layer.cell_l1, below * 0)[0], rtol=1e-12, atol=1e-14)


def test_residual_needs_equal_widths():
    message = "residual=True adds the two, got an input of width 4 and an output of width 6 in layer 1"
    with pytest.raises(ArgumentError, match=message) as caught:
        build(hidden_size=(4, 6), num_layers=2, residual=True)
    assert caught.value.hint == "projection_size gives all layers one width"
    assert build(hidden_size=(4, 6), num_layers=2, residual=True, projection_size=5)(X)[0].shape == (6, 4, 5)
    with pytest.warns(UserWarning, match="residual=True has no effect in Recurrent with one layer"):
        build(residual=True)


def test_each_layers_output_is_projected():
    layer = build("gru", num_layers=2, projection_size=5, bidirectional=True)
    weight = layer.projection_l0.weight

    assert (weight.shape, weight.dtype, layer.projection_l0.bias) == ((5, 8), D, None)
    assert (layer.cell_l1.input_size, layer.output_size) == (5, 5)
    x = X
    for k in range(2):
        cells = [layer.get_submodule(f"cell_l{k}{suffix}") for suffix in ("", "_reverse")]
        merged = torch.cat([unroll(cell, x, reverse=d == 1)[0] for d, cell in enumerate(cells)], -1)
        x = merged @ layer.get_submodule(f"projection_l{k}").weight.T
    torch.testing.assert_close(layer(X)[0], x, rtol=1e-12, atol=1e-14)
    before = weight.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(weight, before)
    assert not layer(X, lengths=LENGTHS)[0][:, 2].any()


def seen_by(layer, place, x):
    seen = []
    layer.get_submodule(place).register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    layer(x)
    return torch.stack(seen)


def test_a_mask_a_sequence_between_layers_drops_a_unit_at_all_steps():
    layer = build("elman", 3, num_layers=2, dropout=0.4, dropout_mask="sequence", engine="eager", bias=False)

    x = seen_by(layer, "cell_l1", torch.ones(20, 300, 3, dtype=D))

    dropped = x == 0
    assert torch.equal(dropped.all(0), dropped.any(0))
    # 900 draws: the standard deviation of the share is 0.016
    assert float(dropped[0].double().mean()) == pytest.approx(0.4, abs=0.06)
    below, _ = unroll(layer.cell_l0, torch.ones(20, 300, 3, dtype=D))
    torch.testing.assert_close(x[~dropped], below[~dropped] / 0.6, rtol=1e-12, atol=0)


def test_a_mask_a_step_between_layers_is_not_the_same_at_all_steps():
    layer = build("elman", 3, num_layers=2, dropout=0.4, engine="eager", bias=False)

    dropped = seen_by(layer, "cell_l1", torch.ones(20, 300, 3, dtype=D)) == 0

    assert not torch.equal(dropped.all(0), dropped.any(0))


def test_dropout_of_the_input_is_one_mask_a_sequence_in_training_only():
    layer = build("elman", input_dropout=0.3, engine="eager")
    x = torch.ones(20, 300, 3, dtype=D)

    found = seen_by(layer, "cell_l0", x)

    assert sorted(found.unique().tolist()) == [0.0, pytest.approx(1 / 0.7)]
    assert torch.equal(found[0], found[-1])
    assert float((found[0] == 0).double().mean()) == pytest.approx(0.3, abs=0.06)
    assert torch.equal(seen_by(layer.eval(), "cell_l0", x), x)
    assert not seen_by(build("elman", input_dropout=1, engine="eager"), "cell_l0", x).any()


def test_wrong_options_between_layers_are_errors():
    with pytest.raises(ArgumentError, match=r"input_dropout to be a probability in \[0, 1\], got 2"):
        build(input_dropout=2)
    with pytest.raises(ChoiceError, match="dropout_mask of Recurrent to be one of step, sequence; got 'row'"):
        build(dropout_mask="row")
    with pytest.raises(ArgumentError, match="Recurrent expected residual to be True or False, got 1"):
        build(residual=1)
    with pytest.raises(ArgumentError, match="Recurrent expected projection_size to be an integer of at least 1, got 0"):
        build(projection_size=0)
