"""Which modules have a counterpart in other libraries: by the equations that they compute."""

import inspect

import numpy as np
import pytest
import torch

from recurra.cells import Cell, ElmanReLUCell, GRUCell, IRNNCell
from recurra.errors import ArgumentError
from recurra.layers import LSTM, Recurrent, export_weights, load_weights
from recurra.layers.conversion.places import CELLS, LAYERS
from tests.layers.conversion.library_steps import BATCH, HIDDEN, INPUT, TIME, keras_step, run

D = torch.float64
GATES = {cls: getattr(cls, "gates", ()) for cls in CELLS}
VALUES = {
    "bias": [False],
    "device": ["cpu"],
    "dtype": [torch.float32],
    "init": ["orthogonal"],
    "nonlinearity": ["tanh", "relu"],
    "output_gate": ["sigmoid", "tanh"],
    "scale": [0.3],
}
"""Values of each option of a cell that could change its equations or its parameters."""


def options_of(cell_class):
    """Name all options of a constructor: its own, and what it passes on."""
    names = dict.fromkeys(
        name
        for cls in (cell_class, Cell)
        if issubclass(cell_class, cls)
        for name, option in inspect.signature(cls.__init__).parameters.items()
        if option.kind in (option.KEYWORD_ONLY, option.POSITIONAL_OR_KEYWORD)
    )
    return [name for name in names if name not in ("self", "input_size", "hidden_size")]


CASES = [
    pytest.param(
        cell_class, name, value, id=f"{cell_class.__module__.partition('.')[0]}-{cell_class.__name__}-{name}-{value}"
    )
    for cell_class in CELLS
    for name in options_of(cell_class)
    for value in ([{gate: 2.0 for gate in GATES[cell_class]}] if name == "gate_biases" else VALUES[name])
]


def drawn(module):
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.6)
    return module


@torch.no_grad()
def outputs(cell, x):
    state, found = None, []
    for x_t in torch.from_numpy(x).to(cell.weight_ih.dtype):
        state = cell(x_t, state)
        found.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(found).numpy()


def activation_of(cell):
    is_relu = isinstance(cell, ElmanReLUCell | IRNNCell) or getattr(cell, "nonlinearity", "tanh") == "relu"
    return (lambda a: np.maximum(a, 0)) if is_relu else np.tanh


@pytest.mark.parametrize(("cell_class", "name", "value"), CASES)
def test_whatever_an_option_says_a_cell_computes_what_its_weights_do_elsewhere_or_is_refused(cell_class, name, value):
    cell = drawn(cell_class(INPUT, HIDDEN, **{"dtype": D} | {name: value}))
    x = np.random.default_rng(3).normal(0, 1, (TIME, BATCH, INPUT))
    if (name, value) == ("output_gate", "tanh"):
        with pytest.raises(ArgumentError, match="output_gate='sigmoid'"):
            export_weights(cell, "keras")
        return

    weights = export_weights(cell, "keras")

    kind, activation = CELLS[cell_class], activation_of(cell)
    found = run(lambda x_t, state: keras_step(kind, weights, x_t, state, activation), kind, x)
    tolerance = 2e-5 if name == "dtype" else 1e-12
    np.testing.assert_allclose(found, outputs(cell, x), rtol=tolerance, atol=tolerance)


def test_an_output_gate_that_no_other_library_has_is_refused_both_ways():
    layer = Recurrent("lstm-b", INPUT, HIDDEN, output_gate="tanh")
    message = (
        "{} expected cell_l0 of module, a ForgetBiasLSTMCell, to have output_gate='sigmoid', "
        "as the other libraries compute, got 'tanh'"
    )

    with pytest.raises(ArgumentError, match=message.format("export_weights")):
        export_weights(layer, "recurra")
    with pytest.raises(ArgumentError, match=message.format("load_weights")):
        load_weights(layer, export_weights(torch.nn.LSTM(INPUT, HIDDEN), "keras"), "keras")


def test_all_cells_of_a_layer_are_looked_at():
    mixed, rectified = (Recurrent(cell, HIDDEN, HIDDEN, num_layers=2) for cell in ("lstm", "elman"))
    mixed.cell_l1 = GRUCell(HIDDEN, HIDDEN)
    rectified.cell_l1 = ElmanReLUCell(HIDDEN, HIDDEN)
    message = "expected all cells of module to have the same equations, got {} in cell_l0, {} in cell_l1"

    with pytest.raises(ArgumentError, match=message.format("lstm", "gru")):
        export_weights(mixed, "keras")
    with pytest.raises(ArgumentError, match="load_weights " + message.format("rnn with tanh", "rnn with relu")):
        load_weights(rectified, [], "keras")


def test_a_cell_that_was_replaced_by_something_else_is_named():
    layer = Recurrent("gru", HIDDEN, HIDDEN, num_layers=2, bidirectional=True)
    layer.cell_l1_reverse = torch.nn.Identity()

    with pytest.raises(
        ArgumentError, match=r"expected cell_l1_reverse of module to be one of RNNCell, .*, got Identity"
    ):
        export_weights(layer, "keras")


@pytest.mark.parametrize("base", [*LAYERS, *CELLS, Recurrent], ids=lambda base: f"{base.__module__}.{base.__name__}")
def test_a_subclass_may_compute_something_else(base):
    derived = type("Derived", (base,), {})
    module = derived("gru", INPUT, HIDDEN) if base is Recurrent else derived(INPUT, HIDDEN)

    with pytest.raises(ArgumentError, match=r"expected module to be one of .*, got Derived") as found:
        export_weights(module, "recurra")

    owner = base.__module__.partition(".")[0]
    assert found.value.hint.startswith(f"it is a subclass of {owner}'s {base.__name__} and may compute something else")


def test_a_parametrised_layer_is_known_by_its_own_class():
    layer = LSTM(INPUT, HIDDEN)
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")

    exported = export_weights(layer, "torch")

    torch.testing.assert_close(exported["weight_hh_l0"], layer.weight_hh_l0.detach())
