"""Our cells, in float64, against the layers of Keras with their weights.

Keras promotes to float32 at most, whatever type a layer has (but on TensorFlow), so this is how far the two can agree.

| Keras | ours |
|---|---|
| GRU: blocks z, r, n; z = 1 keeps h, as here; with ``reset_after=False`` the paper's form | r, z, n |
| LSTM: blocks i, f, g, o; one bias | the same; the two of ``LSTMCell`` act as their sum |
| recurrent weights start orthogonal as a stack | gate by gate, which has another scale |
"""

import numpy as np
import pytest
import torch

from tests.support.peers import HIDDEN, build_ours, draw, rows, trace

pytestmark = pytest.mark.slow

GRU_BLOCKS = (1, 0, 2)


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras on NumPy, which shares no code with the package; it is asked for in the environment, and writes a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "numpy")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return pytest.importorskip("keras", reason="keras is one of the peers")


def fixed(values):
    """Return an array, or a transposed one, as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def assert_same_in_float32(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-6)


def transposed(kernel, recurrent_kernel, count, order):
    """Return Keras's matrices (columns are units) as ours, in another order of the gates."""
    return {
        "weight_ih": rows(fixed(kernel.T), count, order),
        "weight_hh": rows(fixed(recurrent_kernel.T), count, order),
    }


def one_bias(count, order):
    def convert(kernel, recurrent_kernel, bias):
        return transposed(kernel, recurrent_kernel, count, order) | {"bias_ih": rows(fixed(bias), count, order)}

    return convert


def no_second_bias(count, order):
    """For cells of torch's form."""

    def convert(*weights):
        found = one_bias(count, order)(*weights)
        return found | {"bias_hh": torch.zeros_like(found["bias_ih"])}

    return convert


def two_biases(count, order):
    def convert(kernel, recurrent_kernel, bias):
        found = transposed(kernel, recurrent_kernel, count, order)
        of_input, of_state = (rows(fixed(part), count, order) for part in bias)
        return found | {"bias_ih": of_input, "bias_hh": of_state}

    return convert


EQUAL = {
    "elman": ("SimpleRNN", no_second_bias(1, (0,)), {}),
    "elman-relu": ("SimpleRNN", no_second_bias(1, (0,)), {"activation": "relu"}),
    "irnn": ("SimpleRNN", one_bias(1, (0,)), {"activation": "relu"}),
    "gru": ("GRU", two_biases(3, GRU_BLOCKS), {"reset_after": True}),
    "gru-reset-before": ("GRU", one_bias(3, GRU_BLOCKS), {"reset_after": False}),
    "lstm": ("LSTM", no_second_bias(4, (0, 1, 2, 3)), {}),
    "lstm-b": ("LSTM", one_bias(4, (0, 1, 2, 3)), {}),
    "lstm-np": ("LSTM", one_bias(4, (0, 1, 2, 3)), {}),
}
"""By our name: the layer, its weights as ours, its options."""


@pytest.mark.parametrize("name", EQUAL)
def test_ours_equals_the_layer_with_its_weights(keras, name):
    layer_class, convert, options = EQUAL[name]
    torch.manual_seed(5)
    x, state = draw(*(HIDDEN,) * (2 if layer_class == "LSTM" else 1))
    states = [state] if isinstance(state, torch.Tensor) else list(state)
    layer = getattr(keras.layers, layer_class)(HIDDEN, return_sequences=True, return_state=True, **options)
    layer.build((len(x[0]), len(x), x.shape[-1]))
    weights = [np.random.default_rng(k).normal(0, 0.6, weight.shape) for k, weight in enumerate(layer.weights)]
    layer.set_weights(weights)
    ours = build_ours(name, convert(*weights))

    output, *last = layer(x.transpose(0, 1).numpy(), initial_state=[part.numpy() for part in states])
    found = trace(ours, x, state)

    assert_same_in_float32(found[..., :HIDDEN].transpose(0, 1), fixed(output))
    assert_same_in_float32(found[-1], torch.cat([fixed(part) for part in last], -1))
