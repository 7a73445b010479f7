"""Our cells against those of Flax, with their weights, in float64.

| Flax | ours |
|---|---|
| LSTM: the state is (c, h), the bias stands at the state's product | (h, c); the two biases act as their sum |
| GRU: of the state's products that of n alone has a bias | all have, those of r and z act as their sum |
| MGU: its gate comes after the product and keeps h | ``mgu-reset-after`` has this form, ``mgu`` the paper's |
| input weights start LeCun-normal | Xavier-uniform |
"""

import numpy as np
import pytest
import torch

from recurra.cells.layer_norm import layer_norm
from tests.support.peers import BATCH, HIDDEN, INPUT, D, assert_same, build_ours, draw, trace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def linen():
    """Flax on the CPU, with numbers of 64 bits, which JAX otherwise cuts to 32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_PLATFORMS", "cpu")
        jax = pytest.importorskip("jax", reason="jax is one of the peers")
        module = pytest.importorskip("flax.linen", reason="flax is one of the peers")
        before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        yield module
        jax.config.update("jax_enable_x64", before)


def drawn(shapes, generator):
    """Fill the leaves of a tree of parameters."""
    if hasattr(shapes, "items"):
        return {key: drawn(value, generator) for key, value in sorted(shapes.items())}
    return generator.normal(0, 0.6, shapes.shape)


def stacked(w, prefix, gates, key):
    """Put the matrices (columns are units) or biases of some gates on each other, as ours are."""
    return torch.from_numpy(np.concatenate([w[prefix + gate][key].T for gate in gates]))


def weights(w, gates):
    return {"weight_ih": stacked(w, "i", gates, "kernel"), "weight_hh": stacked(w, "h", gates, "kernel")}


def simple(w):
    return weights(w, [""]) | {"bias_ih": stacked(w, "i", [""], "bias")}


def simple_of_torch_form(w):
    return simple(w) | {"bias_hh": torch.zeros(HIDDEN, dtype=D)}


def lstm(w):
    return weights(w, "ifgo") | {"bias_ih": stacked(w, "h", "ifgo", "bias")}


def lstm_of_torch_form(w):
    return weights(w, "ifgo") | {
        "bias_hh": stacked(w, "h", "ifgo", "bias"),
        "bias_ih": torch.zeros(4 * HIDDEN, dtype=D),
    }


def gru(w):
    none = torch.zeros(2 * HIDDEN, dtype=D)
    return weights(w, "rzn") | {
        "bias_ih": stacked(w, "i", "rzn", "bias"),
        "bias_hh": torch.cat((none, stacked(w, "h", "n", "bias"))),
    }


def mgu(w):
    return weights(w, "fn") | {"bias_ih": stacked(w, "i", "fn", "bias"), "bias_hn": stacked(w, "h", "n", "bias")}


EQUAL = {
    "elman": ("SimpleCell", simple_of_torch_form, {}),
    "irnn": ("SimpleCell", simple, {"activation_fn": lambda a: a * (a > 0)}),
    "gru": ("GRUCell", gru, {}),
    "lstm": ("LSTMCell", lstm_of_torch_form, {}),
    "lstm-b": ("OptimizedLSTMCell", lstm, {}),
    "lstm-np": ("OptimizedLSTMCell", lstm, {}),
    "mgu-reset-after": ("MGUCell", mgu, {}),
}
"""By our name: the class in Flax, its weights as ours, its options."""


@pytest.mark.parametrize("name", EQUAL)
def test_ours_equals_the_cell_of_flax_with_its_weights(linen, name):
    import jax

    cell_class, convert, options = EQUAL[name]
    theirs = getattr(linen, cell_class)(HIDDEN, param_dtype=np.float64, **options)
    carry = (np.zeros((BATCH, HIDDEN)),) * 2 if "LSTM" in cell_class else np.zeros((BATCH, HIDDEN))
    shapes = theirs.init(jax.random.key(0), carry, np.zeros((BATCH, INPUT)))["params"]
    w = drawn(shapes, np.random.default_rng(5))
    ours = build_ours(name, convert(w))
    torch.manual_seed(5)
    x, state = draw(*ours.state_size)

    def step(x, state):
        arrays = tuple(part.numpy() for part in reversed(state)) if isinstance(state, tuple) else state.numpy()
        given, _ = theirs.apply({"params": w}, arrays, x.numpy())
        if isinstance(given, tuple):
            return tuple(torch.from_numpy(np.array(part)) for part in reversed(given))
        return torch.from_numpy(np.array(given))

    assert_same(trace(ours, x, state), trace(step, x, state))


def test_the_norm_over_several_gates_is_that_of_flax_over_their_row(linen):
    torch.manual_seed(5)
    parts = [3 * torch.randn(BATCH, HIDDEN, dtype=D) + k for k in range(4)]
    gain, shift = torch.randn(2, 4 * HIDDEN, dtype=D)
    norm = linen.LayerNorm(epsilon=1e-5, use_fast_variance=False)

    found = torch.cat(layer_norm(parts, gain, shift), -1)

    wanted = norm.apply({"params": {"scale": gain.numpy(), "bias": shift.numpy()}}, torch.cat(parts, -1).numpy())
    assert_same(found, torch.from_numpy(np.array(wanted)))
