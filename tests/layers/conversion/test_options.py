"""What a layer has beside its cells is not lost on the way to another library: it is refused."""

import dataclasses
import inspect

import pytest
import torch

from recurra.cells import GRUCell
from recurra.errors import ArgumentError
from recurra.layers import Recurrent, export_weights
from recurra.layers.conversion.converting import FORMATS
from recurra.layers.modifiers import Modifiers
from tests.layers.conversion.library_steps import BATCH, HIDDEN, INPUT, TIME, leaves

KEPT = {
    "batch_first": True,
    "dropout": 0.5,
    "dropout_mask": "sequence",
    "input_dropout": 0.5,
    "engine": "torch",
    "recurrent_dropout_mask": "sequence",
    "weight_dropout": 0.5,
    "weight_norm": True,
    "orthogonal": True,
}
"""Options under which the cells' weights alone give a layer's outputs in evaluation."""
REFUSED = {
    "residual": {"residual": True, "merge_mode": "sum"},
    "projection_size": {"projection_size": 5},
    "merge_mode": {"merge_mode": "mean"},
    "learn_initial_state": {"learn_initial_state": True},
    "zoneout": {"zoneout": 0.3},
    "recurrent_dropout": {"recurrent_dropout": 0.3},
    "variational_dropout": {"variational_dropout": 0.3},
    "skip_through_time": {"skip_through_time": 2},
}
BUILT = {"num_layers", "bidirectional", "cell", "input_size", "hidden_size", "self", "options"}


def build(**options):
    torch.manual_seed(5)
    layer = Recurrent("gru", INPUT, HIDDEN, **{"num_layers": 2, "bidirectional": True, "engine": "eager", **options})
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.6)
    return layer


def test_every_option_is_tested():
    names = {
        *inspect.signature(Recurrent.__init__).parameters,
        *(field.name for field in dataclasses.fields(Modifiers)),
    }

    assert {*KEPT, *REFUSED, *BUILT} == names


@pytest.mark.parametrize("name", KEPT)
def test_a_layer_with_such_an_option_computes_what_torchs_does_with_its_weights(name):
    layer = build(**{name: KEPT[name]})
    theirs = torch.nn.GRU(INPUT, HIDDEN, num_layers=2, bidirectional=True, batch_first=name == "batch_first")
    x = torch.randn(TIME, BATCH, INPUT)

    theirs.load_state_dict(export_weights(layer, "torch"))

    torch.testing.assert_close(layer.eval()(x)[0], theirs(x)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("to_format", sorted({*FORMATS} - {"recurra"}))
@pytest.mark.parametrize("name", REFUSED)
def test_what_other_libraries_lack_is_refused_by_its_name(name, to_format):
    layer = build(**REFUSED[name])
    listed = ", ".join(f"{option}={value!r}" for option, value in REFUSED[name].items())

    with pytest.raises(ArgumentError) as found:
        export_weights(layer, to_format)

    assert found.value.message == (
        f"export_weights expected a Recurrent that {to_format!r} has a place for, got {listed}"
    )
    assert found.value.hint.startswith("export one cell at a time, as module.cell_l0")


@pytest.mark.parametrize("name", ["residual", "projection_size", "merge_mode", "learn_initial_state"])
def test_the_weights_of_the_cells_of_such_a_layer_come_out_alone(name):
    layer = build(**REFUSED[name])

    weights = export_weights(layer, "recurra")

    state = layer.state_dict()
    assert set(weights) == {key for key in state if key.startswith("cell_")}
    assert all(torch.equal(value, state[key]) for key, value in weights.items())


@pytest.mark.filterwarnings("ignore:residual=True has no effect")
def test_options_without_effect_are_none():
    layer = build(num_layers=1, bidirectional=False, residual=True, merge_mode="sum")

    assert len(export_weights(layer, "keras")) == 3


@pytest.mark.parametrize("without", ["cell_l0", "cell_l0_reverse"])
@pytest.mark.parametrize("to_format", ["keras", "onnx"])
def test_a_direction_without_biases_beside_one_with_has_zeros(without, to_format):
    layer = build(num_layers=1)
    setattr(layer, without, GRUCell(INPUT, HIDDEN, bias=False))
    filled = build(num_layers=1)
    filled.load_state_dict(layer.state_dict() | {f"{without}.bias_{side}": torch.zeros(12) for side in ("ih", "hh")})

    found, wanted = (leaves(export_weights(module, to_format)) for module in (layer, filled))

    assert found.keys() == wanted.keys()
    assert all((found[key] == wanted[key]).all() for key in found)
