"""Weights between libraries: equal outputs by each library's own equations, and equal bits where nothing is summed."""

import itertools

import numpy as np
import pytest
import torch

from recurra.errors import ArgumentError, ChoiceError
from recurra.layers import convert_weights
from tests.layers.conversion.library_steps import (
    BATCH,
    GATES,
    HIDDEN,
    INPUT,
    STEPS,
    TIME,
    assert_equal_trees,
    drawn,
    leaves,
    run,
    run_format,
    shapes_of,
)

FORMATS = {
    "rnn": list(STEPS),
    "lstm": list(STEPS),
    "gru": list(STEPS),
    "gru-reset-before": ["torch-cell", "recurra", "keras", "onnx"],
}
PAIRS = [(kind, *pair) for kind, forms in FORMATS.items() for pair in itertools.permutations(forms, 2)]
TORCH = ("torch", "torch-cell", "recurra")
TWO_BIASES = {
    "rnn": (*TORCH, "onnx"),
    "lstm": (*TORCH, "onnx"),
    "gru": (*TORCH, "onnx", "keras"),
    "gru-reset-before": ("onnx",),
}


def native(form, kind, **options):
    """Weights in float64 as the library has them; the numbers of a state dict are tensors."""
    weights = drawn(shapes_of(form, kind, **options))
    return {name: torch.from_numpy(value) for name, value in weights.items()} if form in TORCH else weights


def sequence():
    return np.random.default_rng(3).normal(0, 1, (TIME, BATCH, INPUT))


def is_nnx(form):
    return form.startswith("flax-nnx")


@pytest.mark.parametrize(("kind", "from_format", "to_format"), PAIRS)
def test_converted_weights_give_the_same_states_by_the_other_librarys_equations(kind, from_format, to_format):
    weights = native(from_format, kind)
    if kind == "gru" and is_nnx(to_format) and not is_nnx(from_format):
        weights = without_second_bias_of_n(from_format, weights)

    converted = convert_weights(weights, kind, from_format, to_format)

    assert {k: v.shape for k, v in leaves(converted).items()} == {
        k: v.shape for k, v in leaves(drawn(shapes_of(to_format, kind))).items()
    }
    x = sequence()
    found, wanted = run_format(to_format, kind, converted, x), run_format(from_format, kind, weights, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)


def without_second_bias_of_n(form, weights):
    if form == "keras":
        weights[2][1, -HIDDEN:] = 0
    elif form == "onnx":
        weights["B"][:, -HIDDEN:] = 0
    elif form == "flax":
        weights["hn"]["bias"][:] = 0
    else:
        next(value for name, value in weights.items() if "bias_hh" in name)[-HIDDEN:] = 0
    return weights


@pytest.mark.parametrize(
    ("kind", "from_format", "to_format"),
    [
        (kind, first, second)
        for kind, first, second in PAIRS
        if not (is_nnx(second) and kind == "gru" and not is_nnx(first))
        and (first not in TWO_BIASES[kind] or second in TWO_BIASES[kind])
    ],
)
def test_weights_come_back_bit_by_bit_where_no_two_biases_were_summed(kind, from_format, to_format):
    weights = native(from_format, kind)

    back = convert_weights(convert_weights(weights, kind, from_format, to_format), kind, to_format, from_format)

    assert_equal_trees(back, weights)


@pytest.mark.parametrize(
    ("kind", "from_format", "to_format"), [p for p in PAIRS if not {p[1][:4], p[2][:4]} & {"flax"}]
)
def test_weights_without_biases_have_none_in_the_other_library(kind, from_format, to_format):
    weights = native(from_format, kind, bias=False)

    converted = convert_weights(weights, kind, from_format, to_format)
    back = convert_weights(converted, kind, to_format, from_format)

    assert leaves(converted).keys() == leaves(drawn(shapes_of(to_format, kind, bias=False))).keys()
    assert_equal_trees(back, weights)


@pytest.mark.parametrize("to_format", ["flax", "flax-nnx", "flax-nnx-optimized"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_weights_without_biases_have_zeros_in_flax(kind, to_format):
    weights = native("keras", kind, bias=False)

    tree = convert_weights(weights, kind, "keras", to_format)

    biases = [value for name, value in leaves(tree).items() if name.endswith("bias.")]
    assert biases
    assert not any(value.any() for value in biases)
    x = sequence()
    np.testing.assert_allclose(
        run_format(to_format, kind, tree, x), run_format("keras", kind, weights, x), rtol=1e-12, atol=1e-13
    )


def test_the_gates_of_each_library_lie_in_its_order():
    blocks = torch.arange(1.0, 5).repeat_interleave(HIDDEN)  # i f g o are 1 2 3 4
    weights = {
        "weight_ih_l0": blocks[:, None].repeat(1, INPUT),
        "weight_hh_l0": blocks[:, None].repeat(1, HIDDEN),
        "bias_ih_l0": blocks,
        "bias_hh_l0": 10 * blocks,
    }

    kernel, recurrent, bias = convert_weights(weights, "lstm", "torch", "keras")
    node = convert_weights(weights, "lstm", "torch", "onnx")
    tree = convert_weights(weights, "lstm", "torch", "flax")

    assert kernel[0, ::HIDDEN].tolist() == recurrent[0, ::HIDDEN].tolist() == [1, 2, 3, 4]
    assert bias[::HIDDEN].tolist() == [11, 22, 33, 44]
    assert node["W"][0, ::HIDDEN, 0].tolist() == node["R"][0, ::HIDDEN, 0].tolist() == [1, 4, 2, 3]
    assert node["B"][0, ::HIDDEN].tolist() == [1, 4, 2, 3, 10, 40, 20, 30]
    assert {name: part["kernel"].flat[0] for name, part in tree.items()} == {
        f"{side}{gate}": value for side in "ih" for gate, value in zip("ifgo", (1, 2, 3, 4), strict=True)
    }
    assert tree["ho"]["bias"].tolist() == [44] * HIDDEN


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_type_of_number_stays(dtype):
    weights = [array.astype(dtype) for array in native("keras", "gru")]

    found = convert_weights(weights, "gru", "keras", "torch")

    assert {str(value.dtype) for value in found.values()} == {f"torch.{np.dtype(dtype).name}"}
    assert_equal_trees(convert_weights(found, "gru", "torch", "keras"), weights)


def test_numbers_in_the_byte_order_of_another_machine_are_read():
    weights = native("keras", "rnn")

    found = convert_weights([array.astype(">f8") for array in weights], "rnn", "keras", "torch")

    assert_equal_trees(convert_weights(found, "rnn", "torch", "keras"), weights)


@pytest.mark.parametrize("form", sorted(set(STEPS) - set(TORCH)))
def test_the_result_shares_no_memory_with_what_was_given(form):
    weights = native(form, "rnn")
    kept = {name: value.copy() for name, value in leaves(weights).items()}

    same = convert_weights(weights, "rnn", form, form)
    for value in leaves(same).values():
        value += 1

    for name, value in leaves(weights).items():
        np.testing.assert_array_equal(value, kept[name])


@pytest.mark.parametrize("to_format", ["keras", "flax", "flax-nnx", "flax-nnx-optimized", "onnx", "recurra"])
@pytest.mark.parametrize("kind", ["rnn", "lstm"])
def test_two_layers_in_both_directions_convert_and_come_back(kind, to_format):
    torch.manual_seed(2)
    layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}[kind](
        INPUT, HIDDEN, num_layers=2, bidirectional=True, dtype=torch.float64
    )
    x = sequence()

    converted = convert_weights(layer.state_dict(), kind, "torch", to_format)

    y = x
    for index in range(2):
        both = [run_direction(to_format, kind, converted, index, backward, y) for backward in (False, True)]
        y = np.concatenate(both, -1)
    wanted = layer(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(y, wanted, rtol=1e-11, atol=1e-12)
    layer.load_state_dict(convert_weights(converted, kind, to_format, "torch"), strict=True)
    np.testing.assert_allclose(layer(torch.from_numpy(x))[0].detach().numpy(), wanted, rtol=1e-11, atol=1e-12)


def run_direction(form, kind, weights, index, backward, x):
    """Run one direction of one layer, by where the library keeps it."""
    if form == "recurra":
        prefix = f"cell_l{index}{'_reverse' if backward else ''}."
        one = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        step = lambda x_t, state: STEPS["torch-cell"](kind, one, x_t, state)  # noqa: E731
    elif form == "onnx":
        step = lambda x_t, state: STEPS["onnx"](kind, weights[index], x_t, state, int(backward))  # noqa: E731
    else:
        layer = weights[index]
        if form == "keras":
            one = layer[3:] if backward else layer[:3]
        else:
            one = layer["backward_rnn" if backward else "forward_rnn"]["cell"]
        step = lambda x_t, state: STEPS[form](kind, one, x_t, state)  # noqa: E731
    return run(step, kind, x, backward=backward)


def test_trees_of_flax_may_stand_in_params_and_rnn():
    tree = native("flax", "gru")

    found = convert_weights({"params": {"cell": tree}}, "gru", "flax", "torch")

    assert_equal_trees(found, convert_weights(tree, "gru", "flax", "torch"))


def test_a_state_dict_of_any_form_is_told_by_its_names():
    weights = native("recurra", "lstm")

    assert_equal_trees(
        convert_weights(weights, "lstm", "torch", "keras"), convert_weights(weights, "lstm", "recurra", "keras")
    )


def test_unknown_kinds_and_formats_are_refused_by_name():
    with pytest.raises(ChoiceError, match=r"kind of convert_weights to be one of rnn, lstm, gru, .*; got 'ltsm'"):
        convert_weights({}, "ltsm", "torch", "keras")
    with pytest.raises(ChoiceError, match=r"from_format of convert_weights .* got 'pytorch'.*\n.*'torch'"):
        convert_weights({}, "lstm", "pytorch", "keras")
    with pytest.raises(ChoiceError, match=r"to_format of convert_weights .* got 'jax'"):
        convert_weights(native("torch", "lstm"), "lstm", "torch", "jax")


def test_kinds_and_formats_that_are_no_names_are_refused():
    with pytest.raises(ChoiceError, match=r"kind of convert_weights .* got \['lstm'\]"):
        convert_weights({}, ["lstm"], "torch", "keras")
    with pytest.raises(ChoiceError, match=r"from_format of convert_weights .* got \{\}"):
        convert_weights({}, "lstm", {}, "keras")
    with pytest.raises(ChoiceError, match=r"to_format of convert_weights .* got None"):
        convert_weights(native("torch", "lstm"), "lstm", "torch", None)


@pytest.mark.parametrize("form", ["flax", "flax-nnx"])
def test_flax_has_no_gru_with_the_reset_gate_before_the_product(form):
    message = f"expected weights that '{form}' has a place for, got a GRU whose reset gate stands before the product"

    with pytest.raises(ArgumentError, match=message):
        convert_weights(native("keras", "gru-reset-before"), "gru-reset-before", "keras", form)
    with pytest.raises(ArgumentError, match=message):
        convert_weights({}, "gru-reset-before", form, "keras")


def test_torchs_layers_have_no_gru_with_the_reset_gate_before_the_product():
    with pytest.raises(ArgumentError, match="'torch' has a place for, got a GRU whose reset gate stands before") as e:
        convert_weights(native("keras", "gru-reset-before"), "gru-reset-before", "keras", "torch")

    assert "gru-reset-before" in e.value.hint


def test_the_gru_of_nnx_has_no_place_for_the_second_bias_of_the_candidate():
    with pytest.raises(ArgumentError, match=r"'flax-nnx' has a place for, got a GRU with a bias within") as e:
        convert_weights(native("torch", "gru"), "gru", "torch", "flax-nnx")

    assert "'flax'" in e.value.hint


def test_a_cells_state_dict_holds_one_cell():
    torch.manual_seed(2)
    weights = torch.nn.LSTM(INPUT, HIDDEN, num_layers=2).state_dict()

    with pytest.raises(ArgumentError, match="'torch-cell' has a place for, got 2 layers of 1 directions"):
        convert_weights(weights, "lstm", "torch", "torch-cell")


def test_torchs_layers_have_one_width_and_read_all_of_the_layer_below():
    first, second = native("keras", "rnn"), native("keras", "rnn")
    wide = [np.zeros((HIDDEN, 7)), np.zeros((7, 7)), np.zeros(7)]
    part = [np.zeros((HIDDEN, HIDDEN)), np.zeros((HIDDEN, HIDDEN)), np.zeros(HIDDEN)]

    with pytest.raises(ArgumentError, match=r"got layers of the widths \[4, 7\]"):
        convert_weights([first, wide], "rnn", "keras", "torch")
    with pytest.raises(ArgumentError, match="got an input of width 3 in layer 1, where the layer below gives 4"):
        convert_weights([first, second], "rnn", "keras", "torch")
    with pytest.raises(ArgumentError, match="got some layers of one direction and some of two"):
        convert_weights([[*first, *second], first], "rnn", "keras", "torch")
    with pytest.raises(ArgumentError, match="got biases in some layers only"):
        convert_weights([first, part[:2]], "rnn", "keras", "torch")
    assert convert_weights([first, wide], "rnn", "keras", "recurra")["cell_l1.weight_ih"].shape == (7, HIDDEN)


def test_all_kinds_are_tested():
    from recurra.layers.conversion.kinds import KINDS

    assert {name: len(kind.gates) for name, kind in KINDS.items()} == GATES
