"""Weights into and out of layers and cells."""

import numpy as np
import pytest
import torch
from torch.nn.utils import prune

from recurra.cells import find_cell
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.layers import (
    GRU,
    LSTM,
    RNN,
    Recurrent,
    Zoneout,
    convert_weights,
    export_weights,
    load_weights,
    weight_norm,
)
from tests.layers.conversion.library_steps import BATCH, HIDDEN, INPUT, TIME, assert_equal_trees, run_format

D = torch.float64
SIZES = {"num_layers": 2, "bidirectional": True, "dtype": D}
LAYERS = {
    "torch.nn.RNN": lambda: torch.nn.RNN(INPUT, HIDDEN, **SIZES),
    "torch.nn.LSTM": lambda: torch.nn.LSTM(INPUT, HIDDEN, **SIZES),
    "torch.nn.GRU": lambda: torch.nn.GRU(INPUT, HIDDEN, **SIZES),
    "RNN": lambda: RNN(INPUT, HIDDEN, **SIZES),
    "LSTM": lambda: LSTM(INPUT, HIDDEN, **SIZES),
    "GRU": lambda: GRU(INPUT, HIDDEN, **SIZES),
    **{
        name: lambda name=name: Recurrent(name, INPUT, HIDDEN, engine="eager", **SIZES)
        for name in ("elman", "irnn", "lstm", "lstm-b", "lstm-np", "gru", "gru-reset-before")
    },
}
CELLS = {
    "torch.nn.RNNCell": ("rnn", lambda: torch.nn.RNNCell(INPUT, HIDDEN, dtype=D)),
    "torch.nn.LSTMCell": ("lstm", lambda: torch.nn.LSTMCell(INPUT, HIDDEN, dtype=D)),
    "torch.nn.GRUCell": ("gru", lambda: torch.nn.GRUCell(INPUT, HIDDEN, dtype=D)),
    **{
        name: (kind, lambda name=name: find_cell(name)(INPUT, HIDDEN, dtype=D))
        for name, kind in {
            "elman": "rnn",
            "lstm": "lstm",
            "lstm-b": "lstm",
            "lstm-np": "lstm",
            "gru": "gru",
            "gru-reset-before": "gru-reset-before",
        }.items()
    },
}


def drawn(module, seed=5):
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.6)
    return module


def sequence():
    torch.manual_seed(3)
    return torch.randn(TIME, BATCH, INPUT, dtype=D)


@torch.no_grad()
def outputs(cell, x):
    state, found = None, []
    for x_t in x:
        state = cell(x_t, state)
        found.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(found).numpy()


@pytest.mark.parametrize("form", ["keras", "onnx"])
@pytest.mark.parametrize("name", CELLS)
def test_exported_weights_give_the_cells_states_by_the_other_librarys_equations(name, form):
    kind, build = CELLS[name]
    cell = drawn(build())

    weights = export_weights(cell, form)

    found = run_format(form, kind, weights, sequence().numpy())
    np.testing.assert_allclose(found, outputs(cell, sequence()), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("form", ["keras", "onnx"])
@pytest.mark.parametrize("name", CELLS)
def test_loaded_weights_make_the_cell_what_the_other_was(name, form):
    _, build = CELLS[name]
    first, second = drawn(build()), drawn(build(), seed=6)

    load_weights(second, export_weights(first, form), form)

    np.testing.assert_allclose(outputs(second, sequence()), outputs(first, sequence()), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("form", ["keras", "onnx", "recurra"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_take_all_layers_and_directions(name, form):
    first, second = drawn(LAYERS[name]()), drawn(LAYERS[name](), seed=6)

    load_weights(second, export_weights(first, form), form)

    with torch.no_grad():
        torch.testing.assert_close(second(sequence())[0], first(sequence())[0], rtol=1e-12, atol=1e-13)


def test_weights_move_from_a_layer_of_torch_to_any_of_the_same_equations():
    first = drawn(LAYERS["torch.nn.GRU"]())
    second = drawn(LAYERS["gru"](), seed=6)

    load_weights(second, first.state_dict(), "torch")

    assert_equal_trees(convert_weights(second.state_dict(), "gru", "recurra", "torch"), dict(first.state_dict()))
    assert_equal_trees(export_weights(second, "torch"), dict(first.state_dict()))


def test_a_learned_initial_state_and_a_projection_stay():
    layer = drawn(Recurrent("lstm", INPUT, HIDDEN, learn_initial_state=True, projection_size=2))
    before = {name: value.clone() for name, value in layer.state_dict().items() if "cell" not in name}

    load_weights(layer, export_weights(torch.nn.LSTM(INPUT, HIDDEN), "onnx"), "onnx")

    assert set(before) == {"h_0", "c_0", "projection_l0.weight"}
    assert all(torch.equal(layer.state_dict()[name], value) for name, value in before.items())


def test_values_are_rounded_to_the_type_of_the_module():
    layer = torch.nn.RNN(INPUT, HIDDEN)
    weights = export_weights(drawn(torch.nn.RNN(INPUT, HIDDEN, dtype=D)), "torch")

    load_weights(layer, weights, "torch")

    assert torch.equal(layer.weight_ih_l0, weights["weight_ih_l0"].float())


def test_exported_weights_are_copies():
    layer = torch.nn.RNN(INPUT, HIDDEN)
    before = layer.weight_ih_l0.detach().clone()

    for value in export_weights(layer, "torch").values():
        value.add_(1)

    assert torch.equal(layer.weight_ih_l0, before)


def test_a_module_without_biases_takes_weights_without():
    first, second = (drawn(LSTM(INPUT, HIDDEN, bias=False, dtype=D), seed) for seed in (5, 6))

    load_weights(second, export_weights(first, "keras"), "keras")

    assert len(export_weights(first, "keras")) == 2
    assert_equal_trees(dict(second.state_dict()), dict(first.state_dict()))


def test_computed_weights_are_exported_and_not_loaded_into():
    cell = find_cell("gru")(INPUT, HIDDEN)
    normed = weight_norm(cell)

    exported = export_weights(normed, "torch-cell")

    torch.testing.assert_close(exported["weight_hh"], cell.weight_hh)
    with pytest.raises(
        ArgumentError, match="expected weights that are parameters, got weight_hh, computed by"
    ) as found:
        load_weights(normed, exported, "torch-cell")
    assert "load first" in found.value.hint


def test_weights_under_dropout_are_exported_whole_and_the_module_stays_in_training():
    layer = Recurrent("lstm", INPUT, HIDDEN, weight_dropout=0.5, weight_norm=True)
    plain = layer.eval().cell_l0.weight_hh.detach().clone()
    layer.train()

    exported = export_weights(layer, "recurra")

    assert torch.equal(exported["cell_l0.weight_hh"], plain)
    assert all(part.training for part in layer.modules())


def test_a_parametrisation_that_learns_in_training_does_not_move_on():
    cell = torch.nn.utils.parametrizations.spectral_norm(torch.nn.GRUCell(INPUT, HIDDEN), "weight_hh")
    before = {name: value.clone() for name, value in cell.state_dict().items()}

    export_weights(cell, "keras")

    assert all(torch.equal(value, before[name]) for name, value in cell.state_dict().items())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_hooks_compute_are_refused_both_ways():
    normed, pruned = torch.nn.LSTM(INPUT, HIDDEN), Recurrent("gru", INPUT, HIDDEN)
    of_normed, of_pruned = export_weights(normed, "onnx"), export_weights(pruned, "onnx")
    torch.nn.utils.weight_norm(normed, "weight_hh_l0")
    prune.random_unstructured(pruned.cell_l0, "weight_ih", 0.5)
    message = "expected weights that are parameters, got {}, which is none"

    for module, weights, name in ((normed, of_normed, "weight_hh_l0"), (pruned, of_pruned, "cell_l0.weight_ih")):
        with pytest.raises(ArgumentError, match="load_weights " + message.format(name)) as of_loading:
            load_weights(module, weights, "onnx")
        with pytest.raises(ArgumentError, match="export_weights " + message.format(name)):
            export_weights(module, "onnx")
        assert "remove_weight_norm" in of_loading.value.hint
        assert "prune.remove" in of_loading.value.hint


@pytest.mark.parametrize("bias", [True, False])
def test_biases_that_one_side_lacks_are_refused(bias):
    first, second = torch.nn.GRU(INPUT, HIDDEN, bias=not bias), torch.nn.GRU(INPUT, HIDDEN, bias=bias)
    wanted = "expected biases for GRU, got none" if bias else "expected no biases for GRU, got some"

    with pytest.raises(ShapeError, match=wanted) as found:
        load_weights(second, export_weights(first, "torch"), "torch")

    assert found.value.hint == f"build the module with bias={not bias}"


def test_weights_of_another_size_are_refused_and_change_nothing():
    layer = Recurrent("gru", INPUT, HIDDEN, num_layers=2)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    other = export_weights(Recurrent("gru", INPUT, (HIDDEN, 7), num_layers=2), "keras")

    with pytest.raises(ShapeError, match=r"weight_ih of shape \(12, 4\) for Recurrent, got \(21, 4\)") as found:
        load_weights(layer, other, "keras")

    assert found.value.hint == "build the module with input_size=4, hidden_size=7"
    assert all(torch.equal(layer.state_dict()[name], value) for name, value in before.items())


def test_another_number_of_layers_or_directions_is_refused():
    two = torch.nn.LSTM(INPUT, HIDDEN, num_layers=2)
    both = torch.nn.LSTM(INPUT, HIDDEN, bidirectional=True)
    message = "expected weights of 2 layers with 1 directions each for LSTM, got 1 layers with {}"

    with pytest.raises(ShapeError, match=message.format(2)):
        load_weights(two, export_weights(both, "keras"), "keras")
    with pytest.raises(ShapeError, match=message.format(1)):
        load_weights(two, export_weights(torch.nn.LSTM(INPUT, HIDDEN), "keras"), "keras")


def test_what_has_no_counterpart_is_refused_by_name():
    message = "expected module to be one of RNN, LSTM, GRU, Recurrent, RNNCell, ElmanCell, .* got {}"

    with pytest.raises(ArgumentError, match="load_weights " + message.format("Linear")) as of_linear:
        load_weights(torch.nn.Linear(3, 4), [], "keras")
    with pytest.raises(ArgumentError, match="export_weights " + message.format("int")):
        export_weights(5, "keras")
    with pytest.raises(
        ArgumentError, match=r"export_weights expected cell_l0 of module to be one of RNNCell, .* got MGUCell"
    ):
        export_weights(Recurrent("mgu", INPUT, HIDDEN), "keras")
    with pytest.raises(ArgumentError, match=message.format("Zoneout")) as of_zoneout:
        export_weights(Zoneout(find_cell("gru")(INPUT, HIDDEN), 0.1), "keras")
    with pytest.raises(ArgumentError, match=r"expected cell_l0 of module to be one of .* got Zoneout") as of_layer:
        load_weights(Recurrent("gru", INPUT, HIDDEN, zoneout=0.1), [], "keras")
    with pytest.raises(ArgumentError, match="expected a layer without projection, got proj_size=2"):
        export_weights(torch.nn.LSTM(INPUT, HIDDEN, proj_size=2), "keras")
    assert of_linear.value.hint == ""
    assert of_zoneout.value.hint == "give the cell inside, module.cell"
    assert of_layer.value.hint == "give the cell inside, module.cell_l0.cell"


def test_unknown_formats_are_refused():
    with pytest.raises(ChoiceError, match="from_format of load_weights"):
        load_weights(torch.nn.LSTM(3, 4), {}, "tensorflow")
    with pytest.raises(ChoiceError, match="to_format of export_weights"):
        export_weights(torch.nn.LSTM(3, 4), "tensorflow")
