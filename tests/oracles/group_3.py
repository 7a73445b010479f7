"""NumPy transcriptions of the light cells and of those with several depths or time scales, from their sources."""

from __future__ import annotations

import numpy as np

from tests.oracles.steps import from_h, from_x, gates, over_time, projected, relu, sigmoid

# --- SRU, Lei et al. 2018: all but an element-wise recurrence depends on x alone ---


@over_time
def sru(x, c, w, highway_bias=0.0):
    """With the highway input scaled by alpha, as single cells of the authors' program (taolei87/sru) start."""
    candidate, a_f, a_r = from_x(x, w, 3)
    v_f, v_r = gates(w["weight_ch"], 2)
    f = sigmoid(a_f + v_f * c + w.get("bias_f", 0.0))
    r = sigmoid(a_r + v_r * c + w.get("bias_r", 0.0))
    alpha = np.sqrt(1 + 2 * np.exp(highway_bias))
    c = f * c + (1 - f) * candidate
    h = r * c + (1 - r) * alpha * projected(x, w, "weight_xh")
    return h, (c,)


@over_time
def sru_v1(x, c, w):
    candidate, a_f, a_r = from_x(x, w, 3)
    f = sigmoid(a_f + w.get("bias_f", 0.0))
    r = sigmoid(a_r + w.get("bias_r", 0.0))
    c = f * c + (1 - f) * candidate
    h = r * np.tanh(c) + (1 - r) * projected(x, w, "weight_xh")
    return h, (c,)


# --- QRNN, Bradbury et al. 2017: a causal convolution over time, then pooling ---
# f is what is kept, as in the paper; the program salesforce/pytorch-qrnn gives that name to the complement.


def _convolution(x, p, w, number):
    """Return the maps W * X, and the inputs to remember: p holds x_{t-1}, x_{t-2}, ..., newest first.

    x is x_t, or the whole window (x_t, x_{t-1}, ...), and then p is not read.
    """
    window = np.concatenate(x if isinstance(x, tuple) else (x, p), axis=1)
    return from_x(window, w, number), window[:, : p.shape[1]]


@over_time
def qrnn_f_pooling(x, h, p, w):
    (a_z, a_f), p = _convolution(x, p, w, 2)
    z, f = np.tanh(a_z), sigmoid(a_f)
    h = f * h + (1 - f) * z
    return h, (h, p)


@over_time
def qrnn_fo_pooling(x, c, p, w):
    (a_z, a_f, a_o), p = _convolution(x, p, w, 3)
    z, f, o = np.tanh(a_z), sigmoid(a_f), sigmoid(a_o)
    c = f * c + (1 - f) * z
    return o * c, (c, p)


@over_time
def qrnn_ifo_pooling(x, c, p, w):
    (a_z, a_f, a_o, a_i), p = _convolution(x, p, w, 4)
    z, f, o, i = np.tanh(a_z), sigmoid(a_f), sigmoid(a_o), sigmoid(a_i)
    c = f * c + i * z
    return o * c, (c, p)


# --- IndRNN, Li et al. 2018: a unit hears no other, so the recurrent weights are a vector u ---


@over_time
def indrnn(x, h, w):
    u = w["weight_hh"]
    h = relu(from_x(x, w) + u * h)
    return h, (h,)


@over_time
def indrnn_tanh(x, h, w):
    u = w["weight_hh"]
    h = np.tanh(from_x(x, w) + u * h)
    return h, (h,)


# --- FastRNN and FastGRNN, Kusupati et al. 2018 ---


@over_time
def fastrnn(x, h, w):
    """In the authors' program (microsoft/EdgeML) alpha goes with the candidate and beta with the old state."""
    candidate = np.tanh(from_x(x, w) + from_h(h, w))
    h = sigmoid(w["alpha"]) * candidate + sigmoid(w["beta"]) * h
    return h, (h,)


@over_time
def fastgrnn(x, h, w):
    """The gate and the candidate share W and U, and differ by their biases."""
    a = from_x(x, w) + from_h(h, w)
    z = sigmoid(a + w.get("bias_z", 0.0))
    candidate = np.tanh(a + w.get("bias_n", 0.0))
    zeta, nu = sigmoid(w["zeta"]), sigmoid(w["nu"])
    h = (zeta * (1 - z) + nu) * candidate + z * h
    return h, (h,)


# --- Recurrent highway network, Zilly et al. 2017, equations 6 to 9 ---


@over_time
def rhn(x, s, w, depth=3):
    """The carry gate is coupled, c = 1 - t; x enters the first of the micro-steps only."""
    recurrent = gates(w["weight_hh"].T, depth)
    biases = gates(w.get("bias_hh", np.zeros(len(w["weight_hh"]))), depth)
    for level in range(depth):
        a = s @ recurrent[level] + biases[level]
        if level == 0:
            a = a + x @ w["weight_ih"].T
        a_h, a_t = gates(a, 2)
        h, t = np.tanh(a_h), sigmoid(a_t)
        s = h * t + s * (1 - t)
    return s, (s,)


# --- SCRN, Mikolov et al. 2015: slow units s beside fast units h ---


@over_time
def scrn(x, h, s, w, retain=0.95):
    """The fast units hear the new s, as the paper says, and theanets' layer SCRN, which cites its pages 4 and 5.

    The graph of facebookarchive/SCRNNs gives them the old one.
    """
    s = (1 - retain) * (x @ w["weight_xs"].T) + retain * s
    h = sigmoid(s @ w["weight_sh"].T + from_x(x, w) + from_h(h, w))
    return np.concatenate([h, s], axis=1), (h, s)


# --- Clockwork RNN, Koutnik et al. 2014, section 3 ---

PERIODS = (1, 2, 4, 8)


def _clockwork_blocks(n):
    """Return the units of each block, the fastest first."""
    return np.array_split(np.arange(n), len(PERIODS))


@over_time
def clockwork(x, h, t, w):
    """A block moves when its period divides t, and hears itself and the slower ones."""
    a_x = from_x(x, w)
    new = h.copy()
    for number, (period, units) in enumerate(zip(PERIODS, _clockwork_blocks(h.shape[1]), strict=True), start=1):
        slower = h[:, units[0] :]
        proposed = np.tanh(a_x[:, units] + slower @ w[f"weight_hh_{number}"].T)
        new[:, units] = np.where(t % period == 0, proposed, h[:, units])
    return new, (new, (t + 1) % 8)


def _count_clockwork(d, n):
    """Count n d + n + n^2 (g + 1) / (2 g), summed over the g blocks, since they may be uneven."""
    return n * d + n + sum(len(units) * (n - units[0]) for units in _clockwork_blocks(n))


def _count_scrn(d, n):
    q = max(1, n // 2)
    return q * d + n * d + n * q + n**2


#: name -> (forward, number of parameters for d inputs and n units, d != n)
ORACLES = {
    "clockwork": (clockwork, _count_clockwork),
    "fastgrnn": (fastgrnn, lambda d, n: n * d + n**2 + 2 * n + 2),
    "fastrnn": (fastrnn, lambda d, n: n * (d + n + 1) + 2),
    "indrnn": (indrnn, lambda d, n: n * d + 2 * n),
    "indrnn-tanh": (indrnn_tanh, lambda d, n: n * d + 2 * n),
    # a window of k = 2 steps
    "qrnn": (qrnn_fo_pooling, lambda d, n: 3 * (2 * d + 1) * n),
    "qrnn-f": (qrnn_f_pooling, lambda d, n: 2 * (2 * d + 1) * n),
    "qrnn-ifo": (qrnn_ifo_pooling, lambda d, n: 4 * (2 * d + 1) * n),
    # 2 n d + 2 L n^2 + 2 L n, of depth L = 3
    "rhn": (rhn, lambda d, n: 2 * n * d + 6 * n**2 + 6 * n),
    "scrn": (scrn, _count_scrn),
    # the fourth n d makes x as wide as the state
    "sru": (sru, lambda d, n: 4 * n * d + 4 * n),
    "sru-v1": (sru_v1, lambda d, n: 4 * n * d + 2 * n),
}
