"""What is wrong with weights is said by the name that their library gives them."""

import numpy as np
import pytest
import torch

from recurra.errors import ShapeError
from recurra.layers import Recurrent, convert_weights, export_weights, load_weights
from tests.layers.conversion.library_steps import HIDDEN, INPUT, drawn, shapes_of


def keras(*shapes):
    return [np.zeros(shape) for shape in shapes]


def refused(message, weights, kind, form):
    with pytest.raises(ShapeError, match=message) as found:
        convert_weights(weights, kind, form, "keras" if form != "keras" else "torch")
    return found.value.hint


def test_missing_and_surplus_names_of_a_state_dict_are_listed():
    weights = torch.nn.LSTM(INPUT, HIDDEN, bias=False).state_dict()
    weights["weight_hr_l0"] = torch.zeros(2, 4)
    del weights["weight_hh_l0"]

    refused(
        "convert_weights expected weight_ih_l0, weight_hh_l0 in 'torch' weights of kind 'lstm', "
        "got weight_ih_l0, weight_hr_l0: missing weight_hh_l0; surplus weight_hr_l0",
        weights,
        "lstm",
        "torch",
    )


def test_a_layer_that_is_left_out_is_missing():
    weights = torch.nn.GRU(INPUT, HIDDEN, num_layers=3, bias=False).state_dict()
    weights = {name: value for name, value in weights.items() if "_l1" not in name}

    refused("missing weight_ih_l1, weight_hh_l1; surplus weight_hh_l2, weight_ih_l2", weights, "gru", "torch")


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_half_of_the_biases_is_missing(kind):
    name = "bias_hh_l0" if kind == "gru" else "bias_ih_l0"
    weights = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](INPUT, HIDDEN).state_dict()
    del weights[name]

    refused(f"missing {name}$", weights, kind, "torch")


def test_a_second_bias_is_surplus_where_the_reset_gate_stands_before_the_product():
    weights = torch.nn.GRUCell(INPUT, HIDDEN).state_dict()

    refused("surplus bias_hh$", weights, "gru-reset-before", "torch-cell")


def test_names_of_nothing_known_are_compared_with_those_of_the_format():
    refused(r"expected cell_l0.weight_ih, cell_l0.weight_hh .* got none: missing cell_l0", {}, "gru", "recurra")
    names = {f"encoder.{k}": 0 for k in range(9)} | {5: 0}
    refused(r"surplus 5, encoder\.0, .*, encoder\.4 and 4 more$", names, "gru", "torch")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("torch", "expected 'torch' weights of kind 'rnn' as a dict of tensors, got int"),
        ("keras", "expected 'keras' weights of kind 'rnn' as a list of arrays, got int"),
        ("flax", "expected 'flax' weights of kind 'rnn' as a tree of dicts, or a list of one a layer, got int"),
        ("onnx", "expected 'onnx' weights of kind 'rnn' as a dict of W, R and, where there are biases, B, .* got int"),
    ],
)
def test_what_is_no_container_is_refused(form, message):
    refused(message, 5, "rnn", form)


def test_no_arrays_are_refused():
    refused("as a list of arrays, got an empty list", [], "rnn", "keras")
    refused("a list of one a layer, got list", [], "rnn", "onnx")
    refused("a list of one a layer, got list", [], "rnn", "flax")


def test_another_number_of_arrays_than_keras_has_is_refused():
    message = "twice for two directions, got {}"

    hint = refused(message.format("5 arrays"), keras(*[(1, 1)] * 5), "rnn", "keras")
    refused(message.format("1 array"), keras((1, 1)), "rnn", "keras")

    assert "a list of one such list a layer" in hint


def test_the_bias_of_keras_tells_on_which_side_of_the_product_the_reset_gate_stands():
    matrices = (INPUT, 3 * HIDDEN), (HIDDEN, 3 * HIDDEN)

    before = refused(
        r"expected bias of shape \(2, 12\) in 'keras' weights of kind 'gru', got \(12,\), which is that of a layer "
        "with reset_after=False",
        keras(*matrices, (3 * HIDDEN,)),
        "gru",
        "keras",
    )
    after = refused(
        r"bias of shape \(12,\) .*, got \(2, 12\), .* with reset_after=True",
        keras(*matrices, (2, 3 * HIDDEN)),
        "gru-reset-before",
        "keras",
    )

    assert before == "name the kind 'gru-reset-before'"
    assert after == "name the kind 'gru'"


@pytest.mark.parametrize(
    ("form", "kind", "name", "shape", "message"),
    [
        ("keras", "lstm", 0, (3, 17), r"kernel of shape \(3, 16\) in 'keras' weights of kind 'lstm', got \(3, 17\)"),
        ("keras", "lstm", 1, (4, 17), r"recurrent_kernel of shape \(4, 16\) .* got \(4, 17\)"),
        ("keras", "lstm", 2, (17,), r"bias of shape \(16,\) .* got \(17,\)"),
        ("keras", "gru", 2, (2, 13), r"bias of shape \(2, 12\) .* got \(2, 13\)"),
        ("torch", "lstm", "bias_hh_l0", (17,), r"bias_hh_l0 of shape \(16,\) .* got \(17,\)"),
        ("torch", "lstm", "weight_ih_l0", (17, 3), r"weight_ih_l0 of shape \(16, 3\) .* got \(17, 3\)"),
        ("torch", "lstm", "weight_hh_l0", (17, 4), r"weight_hh_l0 of shape \(16, 4\) .* got \(17, 4\)"),
        ("onnx", "gru", "W", (1, 13, 3), r"W of shape \(1, 12, 3\) .* got \(1, 13, 3\)"),
        ("onnx", "gru", "R", (2, 12, 4), r"R of shape \(1, 12, 4\) .* got \(2, 12, 4\)"),
        ("onnx", "gru", "B", (1, 25), r"B of shape \(1, 24\) .* got \(1, 25\)"),
    ],
)
def test_an_array_of_another_shape_is_named(form, kind, name, shape, message):
    shapes = shapes_of(form, kind)
    shapes[name] = shape

    refused(message, drawn(shapes), kind, form)


@pytest.mark.parametrize(
    ("form", "part", "name", "message"),
    [
        ("flax", "if", "kernel", r"if.kernel of shape \(3, 4\) .* got \(3, 5\)"),
        ("flax", "ho", "bias", r"ho.bias of shape \(4,\) .* got \(5,\)"),
        ("flax-nnx-optimized", "dense_h", "bias", r"dense_h.bias of shape \(16,\) .* got \(17,\)"),
    ],
)
def test_an_array_of_a_tree_of_another_shape_is_named(form, part, name, message):
    tree = drawn(shapes_of(form, "lstm"))
    value = tree[part][name]
    tree[part][name] = np.zeros((*value.shape[:-1], value.shape[-1] + 1))

    refused(message, tree, "lstm", form)


def test_missing_and_surplus_leaves_of_a_tree_are_named():
    tree = drawn(shapes_of("flax", "lstm"))
    tree["peephole"] = tree.pop("io")
    joined = drawn(shapes_of("flax-nnx", "gru"))
    joined["dense_h"]["bias"] = np.zeros(12)

    refused("missing io.kernel; surplus peephole.kernel", tree, "lstm", "flax")
    refused("surplus dense_h.bias", joined, "gru", "flax-nnx")
    refused("expected i.kernel, h.kernel, i.bias .* got none: missing i.kernel", {}, "rnn", "flax")
    refused("missing .*if_.kernel", {}, "lstm", "flax-nnx")


def test_the_peepholes_of_onnx_are_surplus():
    node = drawn(shapes_of("onnx", "lstm") | {"P": (1, 12)})

    refused("expected W, R, B in 'onnx' weights of kind 'lstm', got W, R, B, P: surplus P", node, "lstm", "onnx")


def test_a_node_of_onnx_has_one_or_two_directions():
    refused(
        "W of 'onnx' weights of kind 'rnn' to have 1 or 2 directions, got 3",
        {
            "W": np.zeros((3, 4, 3)),
            "R": np.zeros((3, 4, 4)),
        },
        "rnn",
        "onnx",
    )


def test_another_number_of_axes_is_named():
    refused(
        r"R of 'onnx' weights of kind 'rnn' with 3 axes, got shape \(4, 4\)",
        {
            "W": np.zeros((1, 4, 3)),
            "R": np.zeros((4, 4)),
        },
        "rnn",
        "onnx",
    )


def test_numbers_of_another_type_are_refused():
    whole = [np.ones((3, 4), dtype=int), np.ones((4, 4)), np.ones(4)]
    bfloat16 = torch.nn.RNN(INPUT, HIDDEN, dtype=torch.bfloat16).state_dict()
    ragged = {"weight_ih": [[1.0], [1.0, 2.0]], "weight_hh": np.ones((1, 1))}

    refused(
        "kernel of 'keras' weights of kind 'rnn' to be of float16, float32, float64, got int64", whole, "rnn", "keras"
    )
    hint = refused("weight_hh_l0 of .* to be of float16, float32, float64, got bfloat16", bfloat16, "rnn", "torch")
    refused("weight_ih of .* to be of float16, float32, float64, got list", ragged, "rnn", "torch-cell")

    assert "float32 first" in hint


def test_arrays_of_two_types_are_refused():
    weights = [np.ones((3, 4)), np.ones((4, 4), np.float32), np.ones(4)]

    refused("all 'keras' weights of kind 'rnn' to be of one type, got float32, float64", weights, "rnn", "keras")


def test_both_directions_have_one_width():
    weights = keras((3, 4), (4, 4), (3, 5), (5, 5))

    refused(
        r"both directions of layer 0 of 'keras' weights of kind 'rnn' .* got \(4, 3\), \(5, 3\)",
        weights,
        "rnn",
        "keras",
    )


@pytest.mark.parametrize(
    ("weights", "kind", "form", "message"),
    [
        (keras((0, 16), (4, 16), (16,)), "lstm", "keras", r"kernel of .* to hold numbers, got shape \(0, 16\)"),
        (keras((3, 0), (0, 0), (0,)), "rnn", "keras", r"recurrent_kernel of .* to hold numbers, got shape \(0, 0\)"),
        (
            {"weight_ih": np.zeros((0, 3)), "weight_hh": np.zeros((0, 0))},
            "gru",
            "torch-cell",
            r"weight_hh of .* to hold numbers, got shape \(0, 0\)",
        ),
        (
            {"W": np.zeros((1, 4, 0)), "R": np.zeros((1, 4, 4))},
            "rnn",
            "onnx",
            r"W of .* to hold numbers, got shape \(1, 4, 0\)",
        ),
        (
            {"i": {"kernel": np.zeros((0, 4)), "bias": np.zeros(4)}, "h": {"kernel": np.zeros((4, 4))}},
            "rnn",
            "flax",
            r"i.kernel of .* to hold numbers, got shape \(0, 4\)",
        ),
    ],
)
def test_arrays_without_numbers_are_refused(weights, kind, form, message):
    refused(message, weights, kind, form)


@pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning")
def test_tensors_that_are_not_dense_are_refused():
    weights = torch.nn.RNNCell(INPUT, HIDDEN, bias=False).state_dict()
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])

    sparse_hint = refused(
        "weight_hh of 'torch-cell' weights of kind 'rnn' to be a dense tensor, got a sparse_coo one",
        weights | {"weight_hh": weights["weight_hh"].to_sparse()},
        "rnn",
        "torch-cell",
    )
    refused("weight_ih of .* a dense tensor, got a nested one", weights | {"weight_ih": nested}, "rnn", "torch-cell")
    refused(
        "weight_hh of .* to hold numbers, got a tensor on the meta device",
        torch.nn.RNNCell(INPUT, HIDDEN, device="meta").state_dict(),
        "rnn",
        "torch-cell",
    )

    assert sparse_hint == "tensor.to_dense() gives one"


def test_a_list_of_tensors_that_need_gradients_is_no_array():
    weights = {"weight_ih": [torch.ones(1, requires_grad=True)], "weight_hh": torch.ones(1, 1)}

    refused("weight_ih of .* to be of float16, float32, float64, got list", weights, "rnn", "torch-cell")


def test_the_names_of_modules_around_a_cell_of_flax_are_told():
    tree = drawn(shapes_of("flax", "lstm"))
    joined = drawn(shapes_of("flax-nnx", "gru"))
    two = {"forward_rnn": {"cell": tree}, "backward_rnn": {"cell": tree}}

    hints = [
        refused("surplus OptimizedLSTMCell_0", {"params": {"OptimizedLSTMCell_0": tree}}, "lstm", "flax"),
        refused("surplus encoder", {"encoder": {"rnn": {"cell": joined}}}, "gru", "flax-nnx"),
        refused("surplus Bidirectional_0", {"params": {"Bidirectional_0": two}}, "lstm", "flax"),
        refused("surplus a.hf", {"b": tree, "a": tree}, "lstm", "flax"),
        refused("surplus Dense_0.bias", {"Dense_0": {"kernel": np.ones((2, 2)), "bias": np.ones(2)}}, "gru", "flax"),
    ]

    alone = "give the tree of the layer or cell alone, which lies at "
    assert hints[:3] == [f"{alone}OptimizedLSTMCell_0", f"{alone}encoder.rnn", f"{alone}Bidirectional_0"]
    assert hints[3:] == ["give the tree of one layer or cell, or a list of those of several, which lie at a, b", ""]
    convert_weights(two, "lstm", "flax", "torch")


@pytest.mark.parametrize("options", [{"projection_size": 2}, {"learn_initial_state": True}])
def test_of_a_whole_state_dict_of_recurrent_the_way_back_is_told(options):
    layer = Recurrent("gru", INPUT, HIDDEN, **options)

    with pytest.raises(ShapeError, match=r"surplus (projection_l0.weight|h_0)\n") as found:
        load_weights(layer, layer.state_dict(), "recurra")
    load_weights(layer, export_weights(layer, "recurra"), "recurra")

    assert found.value.hint.endswith("with projections and learned states, is for its load_state_dict")
