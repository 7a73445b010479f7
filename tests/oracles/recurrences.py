"""NumPy transcriptions of the recurrences and of their gradients, written from the equations and not from the package.

Every function takes the weights by the names of torch's cells, as arrays; x is (T, B, I); states are (B, width).
The backward functions follow the chain rule by hand: for a step with pre-activation a, dL/dW += dL/da^T x, and so on.
"""

from __future__ import annotations

import numpy as np


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def _affine(x, weight, bias):
    product = x @ weight.T
    return product if bias is None else product + bias


def _accumulate(grads, da, x, h, db_state=None):
    """Add one step's share to the weight gradients; ``db_state`` is dL/d(W_h h + b_h) where it differs from ``da``."""
    db_state = da if db_state is None else db_state
    grads["weight_ih"] += da.T @ x
    grads["weight_hh"] += db_state.T @ h
    grads["bias_ih"] += da.sum(0)
    grads["bias_hh"] += db_state.sum(0)


def _empty_grads(w):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    rows = w["weight_ih"].shape[0]
    shapes = {name: w[name].shape if w.get(name) is not None else (rows,) for name in names}
    return {name: np.zeros(shape) for name, shape in shapes.items()}


# --- Elman: h = phi(W x + U h + b) ---


def elman(x, h, w, phi=np.tanh):
    hs = []
    for x_t in x:
        h = phi(_affine(x_t, w["weight_ih"], w.get("bias_ih")) + _affine(h, w["weight_hh"], w.get("bias_hh")))
        hs.append(h)
    return np.stack(hs), (h,)


def elman_relu(x, h, w):
    return elman(x, h, w, phi=lambda a: np.where(a > 0, a, 0.0))


def _elman_backward(x, h_0, w, d_output, d_last, hs, slopes):
    """Gradients of sum(output * d_output) + sum(h_n * d_last); ``slopes`` is phi' at each step, (T, B, H)."""
    grads, dx, dh = _empty_grads(w), np.zeros_like(x), d_last[0].copy()
    for t in reversed(range(len(x))):
        previous = hs[t - 1] if t else h_0
        da = (dh + d_output[t]) * slopes[t]
        _accumulate(grads, da, x[t], previous)
        dx[t] = da @ w["weight_ih"]
        dh = da @ w["weight_hh"]
    return grads, dx, (dh,)


def elman_backward(x, h_0, w, d_output, d_last):
    hs = elman(x, h_0, w)[0]
    return _elman_backward(x, h_0, w, d_output, d_last, hs, 1 - hs**2)


def elman_relu_backward(x, h_0, w, d_output, d_last):
    hs = elman_relu(x, h_0, w)[0]
    return _elman_backward(x, h_0, w, d_output, d_last, hs, (hs > 0).astype(float))


# --- LSTM, Gers form ---


def _lstm_step(x, h, c, w):
    a = _affine(x, w["weight_ih"], w.get("bias_ih")) + _affine(h, w["weight_hh"], w.get("bias_hh"))
    n = c.shape[1]
    i, f, o = sigmoid(a[:, :n]), sigmoid(a[:, n : 2 * n]), sigmoid(a[:, 3 * n :])
    g = np.tanh(a[:, 2 * n : 3 * n])
    c_new = f * c + i * g
    m = o * np.tanh(c_new)
    return i, f, g, o, c_new, m


def lstm(x, state, w):
    h, c = state
    hs = []
    for x_t in x:
        *_, c, m = _lstm_step(x_t, h, c, w)
        h = m if w.get("weight_hr") is None else m @ w["weight_hr"].T
        hs.append(h)
    return np.stack(hs), (h, c)


def lstm_backward(x, state, w, d_output, d_last):
    """Gradients of sum(output * d_output) + sum(h_n * d_last[0]) + sum(c_n * d_last[1])."""
    h, c = state
    tape = []
    for x_t in x:
        i, f, g, o, c_new, m = _lstm_step(x_t, h, c, w)
        tape.append((x_t, h, c, i, f, g, o, c_new, m))
        h, c = (m if w.get("weight_hr") is None else m @ w["weight_hr"].T), c_new
    grads, dx = _empty_grads(w), np.zeros_like(x)
    if w.get("weight_hr") is not None:
        grads["weight_hr"] = np.zeros_like(w["weight_hr"])
    dh, dc = d_last[0].copy(), d_last[1].copy()
    for t in reversed(range(len(x))):
        x_t, h, c, i, f, g, o, c_new, m = tape[t]
        dm = dh + d_output[t]
        if w.get("weight_hr") is not None:
            grads["weight_hr"] += dm.T @ m
            dm = dm @ w["weight_hr"]
        squashed = np.tanh(c_new)
        dc = dc + dm * o * (1 - squashed**2)
        da = np.concatenate(
            [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dm * squashed * o * (1 - o)], axis=1
        )
        _accumulate(grads, da, x_t, h)
        dx[t] = da @ w["weight_ih"]
        dh, dc = da @ w["weight_hh"], dc * f
    return grads, dx, (dh, dc)


# --- GRU, reset gate after the product ---


def _gru_step(x, h, w):
    n = h.shape[1]
    from_x = _affine(x, w["weight_ih"], w.get("bias_ih"))
    from_h = _affine(h, w["weight_hh"], w.get("bias_hh"))
    r = sigmoid(from_x[:, :n] + from_h[:, :n])
    z = sigmoid(from_x[:, n : 2 * n] + from_h[:, n : 2 * n])
    u = from_h[:, 2 * n :]
    candidate = np.tanh(from_x[:, 2 * n :] + r * u)
    return r, z, u, candidate, (1 - z) * candidate + z * h


def gru(x, h, w):
    hs = []
    for x_t in x:
        h = _gru_step(x_t, h, w)[-1]
        hs.append(h)
    return np.stack(hs), (h,)


def gru_backward(x, h_0, w, d_output, d_last):
    """Gradients of sum(output * d_output) + sum(h_n * d_last)."""
    hs = gru(x, h_0, w)[0]
    grads, dx, dh = _empty_grads(w), np.zeros_like(x), d_last[0].copy()
    for t in reversed(range(len(x))):
        h = hs[t - 1] if t else h_0
        r, z, u, candidate, _ = _gru_step(x[t], h, w)
        total = dh + d_output[t]
        dz = total * (h - candidate) * z * (1 - z)
        dn = total * (1 - z) * (1 - candidate**2)
        dr = dn * u * r * (1 - r)
        da_x = np.concatenate([dr, dz, dn], axis=1)
        da_h = np.concatenate([dr, dz, dn * r], axis=1)
        _accumulate(grads, da_x, x[t], h, da_h)
        dx[t] = da_x @ w["weight_ih"]
        dh = total * z + da_h @ w["weight_hh"]
    return grads, dx, (dh,)


#: name -> (forward, backward, number of parameters for d inputs, n units, with both biases)
ORACLES = {
    "elman": (elman, elman_backward, lambda d, n: n * (d + n + 2)),
    "elman-relu": (elman_relu, elman_relu_backward, lambda d, n: n * (d + n + 2)),
    "gru": (gru, gru_backward, lambda d, n: 3 * n * (d + n + 2)),
    "lstm": (lstm, lstm_backward, lambda d, n: 4 * n * (d + n + 2)),
    # half of the units are projected by default
    "projected-lstm": (lstm, lstm_backward, lambda d, n: 4 * n * (d + n // 2) + 8 * n + (n // 2) * n),
}
