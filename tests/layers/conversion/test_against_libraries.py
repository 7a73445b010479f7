"""Converted weights in the libraries themselves: Keras, Flax (linen and nnx), ONNX's reference and run-time."""

import numpy as np
import pytest
import torch

from recurra.layers import GRU, LSTM, RNN, Recurrent, convert_weights, export_weights, load_weights

pytestmark = [
    pytest.mark.slow,
    # of Keras's own get_weights on NumPy
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

INPUT, HIDDEN, TIME, BATCH = 3, 4, 6, 2
D = torch.float64
KINDS = ["rnn", "lstm", "gru", "gru-reset-before"]
CELLS = {"rnn": "elman", "lstm": "lstm", "gru": "gru", "gru-reset-before": "gru-reset-before"}


def build(kind, dtype=D, seed=5, **options):
    """Build a layer of ours with drawn weights."""
    torch.manual_seed(seed)
    layer = Recurrent(CELLS[kind], INPUT, HIDDEN, dtype=dtype, engine="eager", batch_first=True, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.6)
    return layer


def sequence(dtype=np.float64):
    return np.random.default_rng(3).normal(0, 1, (BATCH, TIME, INPUT)).astype(dtype)


@torch.no_grad()
def run(layer, x):
    return layer(torch.from_numpy(x))[0].numpy()


def assert_same_in_float32(found, wanted):
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-5, atol=2e-6)


def assert_same(found, wanted):
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-10, atol=1e-12)


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras on NumPy, which computes in float32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "numpy")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return pytest.importorskip("keras", reason="keras is one of the peers")


def keras_layer(keras, kind, **options):
    names = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU", "gru-reset-before": "GRU"}
    if kind.startswith("gru"):
        options["reset_after"] = kind == "gru"
    return getattr(keras.layers, names[kind])(HIDDEN, return_sequences=True, **options)


def fill(layer, input_size=INPUT):
    """Draw the weights of a layer of Keras."""
    layer.build((BATCH, TIME, input_size))
    generator = np.random.default_rng(7)
    layer.set_weights([generator.normal(0, 0.6, weight.shape) for weight in layer.weights])
    return layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_keras_takes_our_weights(keras, kind, bias):
    ours = build(kind, bias=bias)
    theirs = fill(keras_layer(keras, kind, use_bias=bias))

    theirs.set_weights(export_weights(ours, "keras"))

    assert_same_in_float32(theirs(sequence()), run(ours, sequence()))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_our_layers_take_those_of_keras(keras, kind, bias):
    theirs = fill(keras_layer(keras, kind, use_bias=bias))
    ours = build(kind, dtype=torch.float32, bias=bias)

    load_weights(ours, theirs.get_weights(), "keras")

    assert_same_in_float32(theirs(sequence()), run(ours, sequence(np.float32)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_two_layers_of_keras_in_both_directions_are_those_of_torch(keras, kind, bias):
    theirs = [
        fill(keras.layers.Bidirectional(keras_layer(keras, kind, use_bias=bias)), width)
        for width in (INPUT, 2 * HIDDEN)
    ]
    ours = {"rnn": RNN, "lstm": LSTM, "gru": GRU}[kind](
        INPUT, HIDDEN, num_layers=2, bias=bias, bidirectional=True, batch_first=True
    )

    load_weights(ours, [layer.get_weights() for layer in theirs], "keras")

    assert_same_in_float32(theirs[1](theirs[0](sequence())), run(ours, sequence(np.float32)))
    for layer, weights in zip(theirs, export_weights(ours, "keras"), strict=True):
        for found, wanted in zip(weights, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_relu_of_keras_is_the_relu_of_torch(keras):
    theirs = fill(keras_layer(keras, "rnn", activation="relu"))
    ours = torch.nn.RNN(INPUT, HIDDEN, nonlinearity="relu", batch_first=True)

    ours.load_state_dict(convert_weights(theirs.get_weights(), "rnn", "keras", "torch"))

    assert_same_in_float32(theirs(sequence()), run(ours, sequence(np.float32)))


@pytest.fixture(scope="module")
def flax():
    """Flax on the CPU, with numbers of 64 bits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_PLATFORMS", "cpu")
        jax = pytest.importorskip("jax", reason="jax is one of the peers")
        pytest.importorskip("flax", reason="flax is one of the peers")
        import flax.linen
        import flax.nnx

        before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        yield flax
        jax.config.update("jax_enable_x64", before)


LINEN = [("rnn", "SimpleCell"), ("lstm", "LSTMCell"), ("lstm", "OptimizedLSTMCell"), ("gru", "GRUCell")]


def linen_layer(flax, name, bidirectional):
    linen = flax.linen

    def one():
        return linen.RNN(getattr(linen, name)(HIDDEN, param_dtype=np.float64))

    return linen.Bidirectional(one(), one()) if bidirectional else one()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "name"), LINEN)
def test_linen_takes_our_weights_and_gives_them_back(flax, kind, name, bidirectional):
    ours = build(kind, bidirectional=bidirectional)

    tree = export_weights(ours, "flax")
    params = tree if bidirectional else {"cell": tree}
    found = linen_layer(flax, name, bidirectional).apply({"params": params}, sequence())
    again = build(kind, seed=6, bidirectional=bidirectional)
    load_weights(again, params, "flax")

    assert_same(found, run(ours, sequence()))
    assert_same(run(again, sequence()), run(ours, sequence()))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "name"), LINEN)
def test_our_layers_take_the_parameters_of_linen(flax, kind, name, bidirectional):
    import jax

    theirs = linen_layer(flax, name, bidirectional)
    variables = theirs.init(jax.random.key(0), sequence())
    variables = jax.tree.map(lambda leaf: np.random.default_rng(leaf.size).normal(0, 0.6, leaf.shape), variables)
    ours = build(kind, bidirectional=bidirectional)

    load_weights(ours, variables, "flax")

    assert_same(theirs.apply(variables, sequence()), run(ours, sequence()))


NNX = [
    ("rnn", "SimpleCell", "flax-nnx"),
    ("lstm", "LSTMCell", "flax-nnx"),
    ("lstm", "OptimizedLSTMCell", "flax-nnx-optimized"),
    ("gru", "GRUCell", "flax-nnx"),
]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "name", "form"), NNX)
def test_nnx_and_our_layers_take_each_others_weights(flax, kind, name, form, bidirectional):
    nnx = flax.nnx
    rngs = nnx.Rngs(0)

    def one():
        return nnx.RNN(
            getattr(nnx, name)(INPUT, HIDDEN, dtype=np.float64, param_dtype=np.float64, rngs=rngs), rngs=rngs
        )

    theirs = nnx.Bidirectional(one(), one(), rngs=rngs) if bidirectional else one()
    ours = build(kind, bidirectional=bidirectional)
    if kind == "gru":
        with torch.no_grad():
            for parameter_name, parameter in ours.named_parameters():
                if "bias_hh" in parameter_name:
                    parameter[-HIDDEN:] = 0

    tree = export_weights(ours, form)
    nnx.update(theirs, nnx.State(tree if bidirectional else {"cell": tree}))
    again = build(kind, seed=6, bidirectional=bidirectional)
    load_weights(again, nnx.state(theirs, nnx.Param), form)

    assert_same(theirs(sequence()), run(ours, sequence()))
    assert_same(run(again, sequence()), run(ours, sequence()))


@pytest.fixture(scope="module")
def onnx():
    return pytest.importorskip("onnx", reason="onnx is one of the peers")


def onnx_model(onnx, kind, node, activations=None):
    """Build a model of one node."""
    helper, types = onnx.helper, onnx.TensorProto
    is_both = len(node["W"]) == 2
    attributes = {"hidden_size": HIDDEN, "direction": "bidirectional" if is_both else "forward"}
    if kind == "gru":
        attributes["linear_before_reset"] = 1
    if activations:
        attributes["activations"] = activations
    operator = helper.make_node(kind.partition("-")[0].upper(), ["X", *node], ["Y"], **attributes)
    float_type = helper.np_dtype_to_tensor_dtype(node["W"].dtype)
    graph = helper.make_graph(
        [operator],
        "recurrence",
        [helper.make_tensor_value_info("X", float_type, [TIME, BATCH, INPUT])],
        [helper.make_tensor_value_info("Y", float_type, [TIME, len(node["W"]), BATCH, HIDDEN])],
        [onnx.numpy_helper.from_array(value, name) for name, value in node.items()],
    )
    assert float_type in (types.FLOAT, types.DOUBLE)
    # a version that both the reference and the run-time know
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def as_output(y):
    """Bring Y (T, D, B, H) into the form of a layer's output (B, T, D*H)."""
    return y.transpose(2, 0, 1, 3).reshape(BATCH, TIME, -1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_run_time_of_onnx_takes_our_weights(onnx, kind, bidirectional, bias):
    run_time = pytest.importorskip("onnxruntime", reason="onnxruntime is one of the peers")
    ours = build(kind, dtype=torch.float32, bidirectional=bidirectional, bias=bias)
    x = sequence(np.float32)

    model = onnx_model(onnx, kind, export_weights(ours, "onnx"))
    session = run_time.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"X": x.transpose(1, 0, 2)})

    assert_same_in_float32(as_output(y), run(ours, x))


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_of_onnx_takes_our_weights_and_gives_them_back(onnx, kind):
    from onnx.reference import ReferenceEvaluator

    ours, again = build(kind), build(kind, seed=6)
    x = sequence()

    model = onnx_model(onnx, kind, export_weights(ours, "onnx"))
    (y,) = ReferenceEvaluator(model).run(None, {"X": x.transpose(1, 0, 2)})
    node = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    load_weights(again, node, "onnx")

    assert_same(as_output(y), run(ours, x))
    assert_same(run(again, x), run(ours, x))


def test_a_relu_of_onnx_is_the_relu_of_torch(onnx):
    run_time = pytest.importorskip("onnxruntime", reason="onnxruntime is one of the peers")
    torch.manual_seed(5)
    ours = torch.nn.RNN(INPUT, HIDDEN, nonlinearity="relu", batch_first=True)
    x = sequence(np.float32)

    model = onnx_model(onnx, "rnn", export_weights(ours, "onnx"), activations=["Relu"])
    session = run_time.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"X": x.transpose(1, 0, 2)})

    assert_same_in_float32(as_output(y), run(ours, x))
