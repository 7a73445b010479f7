"""A module takes all of the weights or none."""

import numpy as np
import pytest
import torch

from recurra.errors import ArgumentError
from recurra.layers import GRU, Recurrent, export_weights, load_weights
from tests.layers.conversion.library_steps import HIDDEN, INPUT


def tied(other=None):
    """Two layers of torch, the second with the recurrent weights of the first, or with what is given."""
    layer = torch.nn.GRU(HIDDEN, HIDDEN, num_layers=2)
    layer.weight_hh_l1 = layer.weight_hh_l0 if other is None else torch.nn.Parameter(other(layer.weight_hh_l0))
    return layer


@pytest.mark.parametrize(
    "other",
    [
        None,
        lambda weight: weight.detach(),
        lambda weight: weight.detach().flip(0)[:0].new_empty(0).set_(weight.untyped_storage(), 0, (12, 4), (1, 12)),
    ],
    ids=["one parameter", "one memory", "one memory in another order"],
)
def test_tied_weights_are_not_overwritten(other):
    layer = tied(other)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    weights = export_weights(torch.nn.GRU(HIDDEN, HIDDEN, num_layers=2), "keras")

    with pytest.raises(
        ArgumentError, match="expected equal values where weights are tied, got others for weight_hh_l0 than for one"
    ) as found:
        load_weights(layer, weights, "keras")

    assert "its own torch.nn.Parameter" in found.value.hint
    assert all(torch.equal(layer.state_dict()[name], value) for name, value in before.items())


def test_cells_that_are_one_module_are_tied():
    layer = Recurrent("gru", HIDDEN, HIDDEN, num_layers=2)
    layer.cell_l1 = layer.cell_l0
    weights = export_weights(torch.nn.GRU(HIDDEN, HIDDEN, num_layers=2), "keras")

    with pytest.raises(ArgumentError, match=r"weights are tied, got others for cell_l0.weight_ih than"):
        load_weights(layer, weights, "keras")


def test_tied_weights_take_equal_values_also_where_they_are_no_numbers():
    first, second = tied(), tied()
    with torch.no_grad():
        first.weight_hh_l0[0, :2] = torch.tensor([torch.nan, torch.inf])

    load_weights(second, export_weights(first, "onnx"), "onnx")

    torch.testing.assert_close(dict(second.state_dict()), dict(first.state_dict()), rtol=0, atol=0, equal_nan=True)


def test_weights_that_lie_side_by_side_in_one_memory_are_not_tied():
    first, second = GRU(INPUT, HIDDEN), GRU(INPUT, HIDDEN)
    flat = torch.zeros(12 * (HIDDEN + INPUT))
    second.weight_hh_l0 = torch.nn.Parameter(flat[: 12 * HIDDEN].view(12, HIDDEN))
    second.weight_ih_l0 = torch.nn.Parameter(flat[12 * HIDDEN :].view(12, INPUT))

    load_weights(second, export_weights(first, "flax"), "flax")

    assert torch.equal(second.weight_hh_l0, first.weight_hh_l0)
    assert torch.equal(second.weight_ih_l0, first.weight_ih_l0)


@pytest.mark.parametrize(
    ("dtype", "value"), [(torch.float16, 70000.0), (torch.float32, -1e39), (torch.bfloat16, 1.7e308)]
)
def test_values_too_large_for_the_module_are_refused(dtype, value):
    layer = Recurrent("elman", INPUT, HIDDEN, dtype=dtype)
    before = layer.cell_l0.weight_ih.clone()
    weights = [np.ones((INPUT, HIDDEN)), np.ones((HIDDEN, HIDDEN)), np.full(HIDDEN, value)]

    with pytest.raises(ArgumentError) as found:
        load_weights(layer, weights, "keras")

    name = str(dtype).removeprefix("torch.")
    assert found.value.message == (f"load_weights expected values of cell_l0.bias_ih that {name} holds, got {value:g}")
    assert found.value.hint == "build the module with dtype=torch.float64"
    assert torch.equal(layer.cell_l0.weight_ih, before)


def test_infinite_values_stay_so():
    layer = torch.nn.RNNCell(INPUT, HIDDEN, dtype=torch.float16)
    weights = [np.ones((INPUT, HIDDEN)), np.ones((HIDDEN, HIDDEN)), np.array([np.inf, -np.inf, np.nan, 1.0])]

    load_weights(layer, weights, "keras")

    assert np.array_equal(layer.bias_ih.detach().numpy(), weights[2], equal_nan=True)


def test_a_module_without_memory_is_refused():
    layer = Recurrent("lstm", INPUT, HIDDEN).to("meta")

    with pytest.raises(
        ArgumentError, match=r"expected weights that hold numbers, got cell_l0.weight_ih on the meta device"
    ) as found:
        load_weights(layer, export_weights(torch.nn.LSTM(INPUT, HIDDEN), "keras"), "keras")

    assert found.value.hint == 'module.to_empty(device="cpu") makes room for them'
