"""Steps of Keras, Flax, ONNX and torch in NumPy, from their documentation, and weights as they have them.

Nothing here is the package's: names, shapes, orders of gates and equations are written down from the libraries.
"""

import numpy as np

INPUT, HIDDEN, TIME, BATCH = 3, 4, 5, 2
GATES = {"rnn": 1, "lstm": 4, "gru": 3, "gru-reset-before": 3}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm(i, f, g, o, c):
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def keras_step(kind, weights, x, state, activation=np.tanh):
    kernel, recurrent, *rest = weights
    columns = kernel.shape[1]
    h = state[0]
    if kind == "rnn":
        return (activation(x @ kernel + h @ recurrent + (rest[0] if rest else 0)),)
    if kind == "lstm":
        i, f, c_hat, o = np.split(x @ kernel + h @ recurrent + (rest[0] if rest else 0), 4, -1)
        return lstm(i, f, c_hat, o, state[1])
    bias = rest[0] if rest else np.zeros((2, columns) if kind == "gru" else columns)
    input_bias, recurrent_bias = bias if kind == "gru" else (bias, np.zeros(columns))
    x_z, x_r, x_h = np.split(x @ kernel + input_bias, 3, -1)
    z_part, r_part, h_part = np.split(recurrent, 3, -1)
    b_z, b_r, b_h = np.split(recurrent_bias, 3)
    z = sigmoid(x_z + h @ z_part + b_z)
    r = sigmoid(x_r + h @ r_part + b_r)
    inner = r * (h @ h_part + b_h) if kind == "gru" else (r * h) @ h_part
    return (z * h + (1 - z) * np.tanh(x_h + inner),)


def dense(part, value):
    return value @ part["kernel"] + part.get("bias", 0)


def linen_step(kind, tree, x, state):
    if kind == "rnn":
        return (np.tanh(dense(tree["i"], x) + dense(tree["h"], state[0])),)
    if kind == "lstm":
        h, c = state
        gates = {gate: dense(tree[f"i{gate}"], x) + dense(tree[f"h{gate}"], h) for gate in "ifgo"}
        return lstm(**gates, c=c)
    (h,) = state
    r = sigmoid(dense(tree["ir"], x) + dense(tree["hr"], h))
    z = sigmoid(dense(tree["iz"], x) + dense(tree["hz"], h))
    n = np.tanh(dense(tree["in"], x) + r * dense(tree["hn"], h))
    return ((1 - z) * n + z * h,)


def nnx_step(kind, tree, x, state):
    if "if_" in tree:
        return linen_step(kind, {"if" if name == "if_" else name: part for name, part in tree.items()}, x, state)
    h = state[0]
    of_input, of_state = dense(tree["dense_i"], x), dense(tree["dense_h"], h)
    if kind == "rnn":
        return (np.tanh(of_input + of_state),)
    if kind == "lstm":
        return lstm(*np.split(of_input + of_state, 4, -1), state[1])
    (xr, xz, xn), (hr, hz, hn) = np.split(of_input, 3, -1), np.split(of_state, 3, -1)
    z = sigmoid(xz + hz)
    return ((1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h,)


def onnx_step(kind, node, x, state, direction=0):
    count = GATES[kind]
    w, r = (np.split(node[name][direction], count) for name in "WR")
    bias = node["B"][direction] if "B" in node else np.zeros(2 * count * HIDDEN)
    wb, rb = (np.split(half, count) for half in np.split(bias, 2))
    h = state[0]
    if kind == "rnn":
        return (np.tanh(x @ w[0].T + h @ r[0].T + wb[0] + rb[0]),)
    if kind == "lstm":
        i, o, f, c_hat = (x @ w[k].T + h @ r[k].T + wb[k] + rb[k] for k in range(4))
        return lstm(i, f, c_hat, o, state[1])
    z, reset = (sigmoid(x @ w[k].T + h @ r[k].T + wb[k] + rb[k]) for k in range(2))
    if kind == "gru":
        candidate = np.tanh(x @ w[2].T + reset * (h @ r[2].T + rb[2]) + wb[2])
    else:
        candidate = np.tanh(x @ w[2].T + (reset * h) @ r[2].T + rb[2] + wb[2])
    return ((1 - z) * candidate + z * h,)


def torch_step(kind, weights, x, state, suffix="_l0"):
    w, u = (weights[f"weight_{name}{suffix}"].numpy() for name in ("ih", "hh"))
    none = np.zeros(len(w))
    b, d = (np.asarray(weights.get(f"bias_{name}{suffix}", none)) for name in ("ih", "hh"))
    of_input, of_state = x @ w.T + b, state[0] @ u.T + d
    if kind == "rnn":
        return (np.tanh(of_input + of_state),)
    if kind == "lstm":
        return lstm(*np.split(of_input + of_state, 4, -1), state[1])
    (xr, xz, xn), (hr, hz, hn) = np.split(of_input, 3, -1), np.split(of_state, 3, -1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    if kind == "gru-reset-before":
        hn, r = (r * state[0]) @ np.split(u, 3)[2].T, 1
    return ((1 - z) * np.tanh(xn + r * hn) + z * state[0],)


def cell_step(kind, weights, x, state):
    return torch_step(kind, weights, x, state, suffix="")


def recurra_step(kind, weights, x, state):
    return cell_step(kind, {name.removeprefix("cell_l0."): value for name, value in weights.items()}, x, state)


STEPS = {
    "torch": torch_step,
    "torch-cell": cell_step,
    "recurra": recurra_step,
    "keras": keras_step,
    "flax": linen_step,
    "flax-nnx": nnx_step,
    "flax-nnx-optimized": nnx_step,
    "onnx": onnx_step,
}


def run(step, kind, x, *, backward=False):
    """Run ``step(kind, x, state)`` from zeros over x (T, B, I), and return all h (T, B, H)."""
    state = (np.zeros((x.shape[1], HIDDEN)),) * (2 if kind == "lstm" else 1)
    found = []
    for x_t in x[::-1] if backward else x:
        state = step(x_t, state)
        found.append(state[0])
    return np.stack(found[::-1] if backward else found)


def run_format(form, kind, weights, x, **options):
    return run(lambda x_t, state: STEPS[form](kind, weights, x_t, state, **options), kind, x)


def shapes_of(form, kind, *, bias=True):
    """Return the shapes of a layer's weights as the library has them."""
    rows = GATES[kind] * HIDDEN
    if form == "keras":
        bias_shape = (2, rows) if kind == "gru" else (rows,)
        return [(INPUT, rows), (HIDDEN, rows), *([bias_shape] if bias else [])]
    if form == "onnx":
        return {"W": (1, rows, INPUT), "R": (1, rows, HIDDEN), **({"B": (1, 2 * rows)} if bias else {})}
    if form in ("torch", "torch-cell", "recurra"):
        before, after = {"torch": ("", "_l0"), "torch-cell": ("", ""), "recurra": ("cell_l0.", "")}[form]
        names = {"weight_ih": (rows, INPUT), "weight_hh": (rows, HIDDEN)}
        if bias:
            names |= {"bias_ih": (rows,)} | ({} if kind == "gru-reset-before" else {"bias_hh": (rows,)})
        return {f"{before}{name}{after}": shape for name, shape in names.items()}
    return flax_shapes(form, kind)


def flax_shapes(form, kind):
    columns = GATES[kind] * HIDDEN
    if form == "flax-nnx-optimized" or (form == "flax-nnx" and kind != "lstm"):
        biased = "dense_h" if kind == "lstm" else "dense_i"
        tree = {"dense_i": {"kernel": (INPUT, columns)}, "dense_h": {"kernel": (HIDDEN, columns)}}
        tree[biased]["bias"] = (columns,)
        return tree
    of_input = {"kernel": (INPUT, HIDDEN)}
    of_state = {"kernel": (HIDDEN, HIDDEN)}
    bias = {"bias": (HIDDEN,)}
    if kind == "rnn":
        return {"i": of_input | bias, "h": of_state}
    if kind == "gru":
        inputs = {f"i{gate}": of_input | bias for gate in "rzn"}
        return inputs | {"hr": of_state, "hz": of_state, "hn": of_state | bias}
    forget = "if_" if form == "flax-nnx" else "if"
    return dict.fromkeys(["ii", forget, "ig", "io"], of_input) | {f"h{gate}": of_state | bias for gate in "ifgo"}


def drawn(shapes, seed=5):
    """Fill a tree of shapes with numbers, float64."""
    generator = np.random.default_rng(seed)

    def fill(tree):
        if isinstance(tree, dict):
            return {name: fill(part) for name, part in tree.items()}
        if isinstance(tree, list):
            return [fill(part) for part in tree]
        return generator.normal(0, 0.6, tree)

    return fill(shapes)


def leaves(tree):
    """Return all arrays of a tree by their path."""
    if isinstance(tree, dict | list):
        pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {f"{name}.{path}": leaf for name, part in pairs for path, leaf in leaves(part).items()}
    return {"": np.asarray(tree)}


def assert_equal_trees(found, wanted):
    """Check that two trees have the same names, shapes and bits."""
    found, wanted = leaves(found), leaves(wanted)
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        assert value.dtype == wanted[name].dtype, name
        np.testing.assert_array_equal(value, wanted[name], err_msg=name)
