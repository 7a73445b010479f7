"""NumPy transcriptions of the plain recurrences and of the first half of the LSTM family, from their sources."""

from __future__ import annotations

import numpy as np

from tests.oracles.lstm_odyssey import ORACLES as ODYSSEY
from tests.oracles.steps import from_both, from_h, from_x, over_time, sigmoid

# --- Plain recurrences ---


@over_time
def irnn(x, h, w):
    """Le, Jaitly and Hinton 2015, sections 2 and 3: a rectified network, which differs by its start only."""
    h = np.maximum(from_x(x, w) + from_h(h, w), 0.0)
    return h, (h,)


@over_time
def leaky(x, h, w, retain=0.9):
    """Jaeger et al. 2007, with retain = 1 - leaking rate."""
    n = np.tanh(from_x(x, w) + from_h(h, w))
    h = retain * h + (1 - retain) * n
    return h, (h,)


@over_time
def learned_leaky(x, h, w):
    retain = sigmoid(w["weight_retain"])
    n = np.tanh(from_x(x, w) + from_h(h, w))
    h = retain * h + (1 - retain) * n
    return h, (h,)


@over_time
def jordan(x, y, s, w, retain=0.0):
    """Jordan 1986: the context s gathers what was put out, after the output's own function."""
    s = retain * s + y
    h = np.tanh(from_x(x, w) + from_h(s, w))
    y = sigmoid(h @ w["weight_hy"].T + w.get("bias_y", 0.0))
    return y, (y, s)


# --- Jozefowicz, Zaremba and Sutskever 2015; output_gate=np.tanh is the form that the paper prints ---


@over_time
def lstm_f(x, h, c, w, output_gate=sigmoid):
    a_i, a_g, a_o = from_both(x, h, w, 3)
    c = c + sigmoid(a_i) * np.tanh(a_g)
    h = output_gate(a_o) * np.tanh(c)
    return h, (h, c)


@over_time
def lstm_i(x, h, c, w, output_gate=sigmoid):
    """Read as input gate = 1; the paper's letter i is the candidate, without which every write would be positive."""
    a_f, a_g, a_o = from_both(x, h, w, 3)
    c = sigmoid(a_f) * c + np.tanh(a_g)
    h = output_gate(a_o) * np.tanh(c)
    return h, (h, c)


@over_time
def lstm_o(x, h, c, w):
    a_i, a_f, a_g = from_both(x, h, w, 3)
    c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
    h = np.tanh(c)
    return h, (h, c)


@over_time
def lstm_b(x, h, c, w, output_gate=sigmoid):
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
    h = output_gate(a_o) * np.tanh(c)
    return h, (h, c)


# --- Peepholes of full matrices ---


@over_time
def full_peephole_lstm(x, h, c, w):
    """Gates of W [c, h, x] + b, with the old c for i and f and the new one for o; nothing squashes the sum in c."""
    v_i, v_f, v_o = np.split(w["weight_ch"], 3)
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    i = sigmoid(a_i + c @ v_i.T)
    f = sigmoid(a_f + c @ v_f.T)
    c = f * c + i * np.tanh(a_g)
    o = sigmoid(a_o + c @ v_o.T)
    h = o * np.tanh(c)
    return h, (h, c)


# --- Krause et al. 2016 ---


def _multiplied(x, h, w):
    """Return the pre-activations of i, f, g and o, in which m = (W_mx x) * (W_mh h) stands for the state."""
    mx, *xs = from_x(x, w, 5)
    m = mx * (h @ w["weight_hm"].T)
    return [a + b for a, b in zip(xs, from_h(m, w, 4), strict=True)]


@over_time
def multiplicative_lstm(x, h, c, w):
    a_i, a_f, a_g, a_o = _multiplied(x, h, w)
    c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
    h = sigmoid(a_o) * np.tanh(c)
    return h, (h, c)


@over_time
def multiplicative_lstm_inside(x, h, c, w):
    """The authors' first program (benkrause/mLSTM, matlab/mLSTMhutter.m): linear candidate, output gate inside tanh.

    There the biases are those of i, f and o and that of the output, and the candidate has none.
    """
    a_i, a_f, a_g, a_o = _multiplied(x, h, w)
    c = sigmoid(a_f) * c + sigmoid(a_i) * a_g
    h = np.tanh(c * sigmoid(a_o) + w.get("bias_h", 0.0))
    return h, (h, c)


#: name -> (forward, number of parameters for d inputs and n units)
ORACLES = {
    "irnn": (irnn, lambda d, n: n * (d + n + 1)),
    "leaky": (leaky, lambda d, n: n * (d + n + 1)),
    "leaky-learned": (learned_leaky, lambda d, n: n * (d + n + 1) + n),
    # the formula with m outputs is n (d + m + 1) + m (n + 1), and m is n by default
    "jordan": (jordan, lambda d, n: n * (d + n + 1) + n * (n + 1)),
    "lstm-f": (lstm_f, lambda d, n: 3 * n * (d + n + 1)),
    "lstm-i": (lstm_i, lambda d, n: 3 * n * (d + n + 1)),
    "lstm-o": (lstm_o, lambda d, n: 3 * n * (d + n + 1)),
    "lstm-b": (lstm_b, lambda d, n: 4 * n * (d + n + 1)),
    "full-peephole-lstm": (full_peephole_lstm, lambda d, n: 4 * n * (d + n + 1) + 3 * n**2),
    "multiplicative-lstm": (multiplicative_lstm, lambda d, n: 5 * n * d + 5 * n**2 + 4 * n),
    # four biases of the gates and one of the output
    "multiplicative-lstm-inside": (multiplicative_lstm_inside, lambda d, n: 5 * n * d + 5 * n**2 + 5 * n),
    **ODYSSEY,
}
