"""NumPy transcriptions of the other gated cells, from their sources."""

from __future__ import annotations

import numpy as np

from tests.oracles.steps import from_both, from_h, from_x, gates, over_time, projected, relu, sigmoid

# --- Shen et al. 2019; agrees with yikangshen/Ordered-Neurons but for the order of the rows ---


def _cumax(a):
    exponential = np.exp(a - a.max(axis=-1, keepdims=True))
    return np.cumsum(exponential / exponential.sum(axis=-1, keepdims=True), axis=-1)


@over_time
def on_lstm(x, h, c, w):
    """The master gates, the last two blocks of rows, are chunk_size times narrower, and repeated."""
    n = h.shape[1]
    a = x @ w["weight_ih"].T + w.get("bias_ih", 0.0) + h @ w["weight_hh"].T
    a_i, a_f, a_g, a_o = gates(a[:, : 4 * n], 4)
    a_mi, a_mf = gates(a[:, 4 * n :], 2)
    chunk_size = n // a_mi.shape[1]
    master_forget = np.repeat(_cumax(a_mf), chunk_size, axis=1)
    master_input = np.repeat(1 - _cumax(a_mi), chunk_size, axis=1)
    overlap = master_forget * master_input
    f = sigmoid(a_f) * overlap + (master_forget - overlap)
    i = sigmoid(a_i) * overlap + (master_input - overlap)
    c = f * c + i * np.tanh(a_g)
    h = sigmoid(a_o) * np.tanh(c)
    return h, (h, c)


# --- Beck et al. 2024, section 2.2, with the stabiliser of equations 15 to 17 ---


def _by_head(h, weight_hh):
    """Return R h for each gate; the rows of a head, (head size) in each gate, act on that head's part of h."""
    head_size = weight_hh.shape[1]
    products = []
    for rows_of_gate in np.split(weight_hh, 4):
        heads = np.split(rows_of_gate, len(rows_of_gate) // head_size)
        parts = np.split(h, len(heads), axis=1)
        products.append(np.concatenate([part @ r.T for part, r in zip(parts, heads, strict=True)], axis=1))
    return products


@over_time
def slstm(x, h, c, n, m, w):
    """In the authors' program (NX-AI/xlstm) m is the input gate's pre-activation while n is still 0."""
    a_i, a_f, a_z, a_o = (a + b for a, b in zip(from_x(x, w, 4), _by_head(h, w["weight_hh"]), strict=True))
    log_f = -np.logaddexp(0.0, -a_f)
    m_new = np.where(n == 0, a_i, np.maximum(log_f + m, a_i))
    i = np.exp(a_i - m_new)
    f = np.exp(log_f + m - m_new)
    c = f * c + i * np.tanh(a_z)
    n = f * n + i
    h = sigmoid(a_o) * c / n
    return h, (h, c, n, m_new)


# --- Zoph and Le 2017, appendix; agrees with tensorflow/addons, rnn/nas_cell.py ---


@over_time
def nas(x, h, c, w):
    """The fourth pair is a product."""
    a1, a2, a3, a4, a5, a6, a7, a8 = from_x(x, w, 8)
    m1, m2, m3, m4, m5, m6, m7, m8 = from_h(h, w, 8)
    l1 = np.tanh(sigmoid(a1 + m1) * relu(a2 + m2))
    l2 = np.tanh(sigmoid(a3 + m3) + relu(a4 * m4))
    l3 = np.tanh(np.tanh(a5 + m5) * sigmoid(a6 + m6))
    l4 = sigmoid(np.tanh(a7 + m7) + sigmoid(a8 + m8))
    l1 = np.tanh(l1 + c)
    c = l1 * l2
    h = np.tanh(c * np.tanh(l3 + l4))
    return h, (h, c)


# --- Kin of the GRU: U_n is the block of weight_hh that acts on what the reset gate leaves of h ---


@over_time
def gru_reset_before(x, h, w):
    """Cho et al. 2014, equations 5 to 8."""
    x_r, x_z, x_n = from_x(x, w, 3)
    u_r, u_z, u_n = np.split(w["weight_hh"], 3)
    r = sigmoid(x_r + h @ u_r.T)
    z = sigmoid(x_z + h @ u_z.T)
    n = np.tanh(x_n + (r * h) @ u_n.T)
    h = (1 - z) * n + z * h
    return h, (h,)


@over_time
def mgu(x, h, w):
    """Zhou et al. 2016; chainer/links/rnn/mgu.py blends alike."""
    x_f, x_n = from_x(x, w, 2)
    u_f, u_n = np.split(w["weight_hh"], 2)
    f = sigmoid(x_f + h @ u_f.T)
    n = np.tanh(x_n + (f * h) @ u_n.T)
    h = (1 - f) * h + f * n
    return h, (h,)


@over_time
def mgu_reset_after(x, h, w):
    """The MGUCell of google/flax, linen/recurrent.py: reset after the product, and the other blend."""
    x_f, x_n = from_x(x, w, 2)
    h_f, h_n = from_h(h, w, 2)
    f = sigmoid(x_f + h_f)
    n = np.tanh(x_n + f * (h_n + w.get("bias_hn", 0.0)))
    h = (1 - f) * n + f * h
    return h, (h,)


@over_time
def mut1(x, h, w):
    """Jozefowicz et al. 2015, section 4; where x is not as wide as h, P x stands for the bare x, in MUT2 too."""
    x_z, x_r = from_x(x, w, 2)
    u_r, u_n = np.split(w["weight_hh"], 2)
    z = sigmoid(x_z)
    r = sigmoid(x_r + h @ u_r.T)
    n = np.tanh((r * h) @ u_n.T + np.tanh(projected(x, w, "weight_xn")) + w.get("bias_n", 0.0))
    h = n * z + h * (1 - z)
    return h, (h,)


@over_time
def mut2(x, h, w):
    x_z, x_n = from_x(x, w, 2)
    u_z, u_r, u_n = np.split(w["weight_hh"], 3)
    z = sigmoid(x_z + h @ u_z.T)
    r = sigmoid(projected(x, w, "weight_xr") + h @ u_r.T + w.get("bias_r", 0.0))
    n = np.tanh((r * h) @ u_n.T + x_n)
    h = n * z + h * (1 - z)
    return h, (h,)


@over_time
def mut3(x, h, w):
    x_z, x_r, x_n = from_x(x, w, 3)
    u_z, u_r, u_n = np.split(w["weight_hh"], 3)
    z = sigmoid(x_z + np.tanh(h) @ u_z.T)
    r = sigmoid(x_r + h @ u_r.T)
    n = np.tanh((r * h) @ u_n.T + x_n)
    h = n * z + h * (1 - z)
    return h, (h,)


# --- Collins, Sohl-Dickstein and Sussillo 2017; the + 1 inside their gates is in the stored bias ---


@over_time
def ugrnn(x, h, w):
    a_g, a_n = from_both(x, h, w, 2)
    g = sigmoid(a_g)
    n = np.tanh(a_n)
    h = g * h + (1 - g) * n
    return h, (h,)


@over_time
def intersection_rnn(x, h, w):
    """The output y is no state."""
    a_yn, a_hn, a_gy, a_gh = from_both(x, h, w, 4)
    g_y, g_h = sigmoid(a_gy), sigmoid(a_gh)
    y = g_y * projected(x, w, "weight_xy") + (1 - g_y) * relu(a_yn)
    h = g_h * h + (1 - g_h) * np.tanh(a_hn)
    return y, (h,)


# --- Gates and candidates that look at x alone ---


@over_time
def min_gru(x, h, w):
    """Feng et al. 2024, section 3."""
    x_z, x_n = from_x(x, w, 2)
    z = sigmoid(x_z)
    h = (1 - z) * h + z * x_n
    return h, (h,)


@over_time
def min_lstm(x, h, w):
    """Feng et al. 2024, section 3: the two gates are scaled to sum to one."""
    x_f, x_i, x_n = from_x(x, w, 3)
    f, i = sigmoid(x_f), sigmoid(x_i)
    h = f / (f + i) * h + i / (f + i) * x_n
    return h, (h,)


@over_time
def minimal_rnn(x, h, w):
    """Chen 2017: the gate looks at h and at the new z."""
    z = np.tanh(from_x(x, w))
    u = sigmoid(from_h(h, w) + z @ w["weight_zu"].T)
    h = u * h + (1 - u) * z
    return h, (h,)


#: name -> (forward, number of parameters for d inputs and n units, where d is not n)
ORACLES = {
    # (4 n + 2 n / chunk_size) (d + n + 1), and chunk_size is 1 by default
    "on-lstm": (on_lstm, lambda d, n: (4 * n + 2 * n) * (d + n + 1)),
    # 4 n^2 / num_heads, and num_heads is 1 by default
    "slstm": (slstm, lambda d, n: 4 * n * d + 4 * n**2 + 4 * n),
    "nas": (nas, lambda d, n: 8 * n * (d + n) + 8 * n),
    "gru-reset-before": (gru_reset_before, lambda d, n: 3 * n * (d + n + 1)),
    "mgu": (mgu, lambda d, n: 2 * n * (d + n + 1)),
    "mgu-reset-after": (mgu_reset_after, lambda d, n: 2 * n * (d + n + 1) + n),
    # the last term of these two is the projection P
    "mut1": (mut1, lambda d, n: 2 * n * d + 2 * n**2 + 3 * n + n * d),
    "mut2": (mut2, lambda d, n: 2 * n * d + 3 * n**2 + 3 * n + n * d),
    "mut3": (mut3, lambda d, n: 3 * n * d + 3 * n**2 + 3 * n),
    "ugrnn": (ugrnn, lambda d, n: 2 * n * (d + n + 1)),
    # 4 n (2 n + 1) where d is n; otherwise with the projection of x
    "intersection-rnn": (intersection_rnn, lambda d, n: 4 * n * (d + n + 1) + n * d),
    "mingru": (min_gru, lambda d, n: 2 * n * d + 2 * n),
    "minlstm": (min_lstm, lambda d, n: 3 * n * d + 3 * n),
    "minimal-rnn": (minimal_rnn, lambda d, n: n * d + 2 * n**2 + 2 * n),
}
