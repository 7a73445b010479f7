"""NumPy transcriptions of cells in continuous time, of linear and unitary ones, and of those with layer normalisation.

Where the paper has complex numbers, so have these.
"""

from __future__ import annotations

import numpy as np

from tests.oracles.steps import from_both, from_h, from_x, gates, over_time, sigmoid

# --- Phased LSTM, Neil, Pfeiffer and Liu 2016, equations 6 to 9 ---


def _rhythm(w):
    """Return period and open ratio, positive as in the authors' program (dannyneil/public_plstm)."""
    return (np.maximum(np.abs(w[name]), 1e-6) for name in ("period", "open_ratio"))


def _phase_of_step(x, psi, w):
    """Return x and the phase t / tau: x may be a tuple with the time t, and is else at the phase that is carried."""
    tau, _ = _rhythm(w)
    return (x[0], x[1] / tau) if isinstance(x, tuple) else (x, psi)


def _time_gate(psi, w, leak):
    """Return how open each unit is: it opens, closes, and leaks for the rest of its period."""
    tau, r_on = _rhythm(w)
    cycles = psi - w["shift"] / tau
    phi = cycles - np.floor(cycles)
    opening, closing = 2 * phi / r_on, 2 - 2 * phi / r_on
    return np.where(phi < r_on / 2, opening, np.where(phi < r_on, closing, leak * phi))


def _one_later(psi, w):
    """Return the phase one unit of time later, without its whole cycles."""
    tau, _ = _rhythm(w)
    cycles = psi + 1 / tau
    return cycles - np.floor(cycles)


@over_time
def phased_lstm(x, h, c, psi, w, leak=0.001):
    """What is proposed for h comes from the ungated c; the leak is that of training, and 0 in evaluation."""
    x, psi = _phase_of_step(x, psi, w)
    k = _time_gate(psi, w, leak)
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    p_i, p_f, p_o = gates(w["weight_ch"], 3)
    i, f = sigmoid(a_i + p_i * c), sigmoid(a_f + p_f * c)
    proposed_c = f * c + i * np.tanh(a_g)
    o = sigmoid(a_o + p_o * proposed_c)
    proposed_h = o * np.tanh(proposed_c)
    c = k * proposed_c + (1 - k) * c
    h = k * proposed_h + (1 - k) * h
    return h, (h, c, _one_later(psi, w))


@over_time
def gated_phased_lstm(x, h, c, psi, w):
    """The assignment's form, equations 12 to 16: what is proposed for h comes from the gated c, and nothing leaks."""
    x, psi = _phase_of_step(x, psi, w)
    k = _time_gate(psi, w, leak=0.0)
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    proposed_c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
    c = k * proposed_c + (1 - k) * c
    h = k * (sigmoid(a_o) * np.tanh(c)) + (1 - k) * h
    return h, (h, c, _one_later(psi, w))


# --- AntisymmetricRNN, Chang et al. 2019, equations 12 and 13: Euler steps of an ODE ---


def _antisymmetric_product(h, w, gamma=0.01):
    """Return (W - W^T - gamma I) h."""
    matrix = w["weight_hh"]
    return h @ (matrix - matrix.T - gamma * np.eye(len(matrix))).T


@over_time
def antisymmetric(x, h, w, epsilon=0.01):
    h = h + epsilon * np.tanh(_antisymmetric_product(h, w) + from_x(x, w))
    return h, (h,)


@over_time
def gated_antisymmetric(x, h, w, epsilon=0.01):
    """The gate shares the recurrent matrix."""
    a_n, a_z = (_antisymmetric_product(h, w) + a for a in from_x(x, w, 2))
    h = h + epsilon * sigmoid(a_z) * np.tanh(a_n)
    return h, (h,)


# --- coRNN, Rusch and Mishra 2021: driven, damped oscillators at h, of velocity z ---


@over_time
def cornn(x, h, z, w, dt=0.042, gamma=2.7, epsilon=4.7):
    """The damping takes the old velocity, as in the authors' program (tk-rusch/coRNN)."""
    force = np.tanh(from_h(h, w) + z @ w["weight_zh"].T + from_x(x, w))
    z = z + dt * (force - gamma * h - epsilon * z)
    h = h + dt * z
    return h, (h, z)


# --- LEM, Rusch et al. 2022 ---


@over_time
def lem(x, y, z, w, dt=1.0):
    """Each state has its own step size, and y hears the new z; so it is in the authors' program (tk-rusch/LEM)."""
    x_1, x_2, x_z, x_y = from_x(x, w, 4)
    y_1, y_2, y_z = from_h(y, w, 3)
    step_1 = dt * sigmoid(y_1 + x_1)
    step_2 = dt * sigmoid(y_2 + x_2)
    z = (1 - step_1) * z + step_1 * np.tanh(y_z + x_z)
    y = (1 - step_2) * y + step_2 * np.tanh(z @ w["weight_zy"].T + x_y)
    return y, (y, z)


# --- LRU, Orvieto et al. 2023: a linear recurrence with a complex diagonal ---


@over_time
def lru(x, re, im, w):
    b_re, b_im = np.split(w["weight_ih"], 2)
    c_re, c_im = gates(w["weight_hy"], 2)
    eigenvalues = np.exp(-np.exp(w["log_decay"]) + 1j * np.exp(w["log_phase"]))
    h = eigenvalues * (re + 1j * im) + np.exp(w["log_scale"]) * (x @ (b_re + 1j * b_im).T)
    y = (h @ (c_re + 1j * c_im).T).real + w["weight_xy"] * x
    return y, (h.real, h.imag)


# --- Layer normalisation, Ba, Kiros and Hinton 2016; LSTM and GRU from the supplement ---


def _layer_norm(v, w, suffix=""):
    gain, shift = w["gain" + suffix], w["shift" + suffix]
    centred = v - v.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1, keepdims=True)
    return gain * centred / np.sqrt(variance + 1e-5) + shift


@over_time
def layer_norm_rnn(x, h, w):
    """One norm, of the sum."""
    h = np.tanh(_layer_norm(from_x(x, w) + from_h(h, w), w))
    return h, (h,)


@over_time
def layer_norm_lstm(x, h, c, w):
    """Each norm is over all gates at once; c is normalised for h only, and carried as it is."""
    a = _layer_norm(h @ w["weight_hh"].T, w, "_hh") + _layer_norm(x @ w["weight_ih"].T, w, "_ih")
    a_i, a_f, a_g, a_o = gates(a + w.get("bias_gates", 0.0), 4)
    c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
    h = sigmoid(a_o) * np.tanh(_layer_norm(c, w, "_c"))
    return h, (h, c)


@over_time
def layer_norm_gru(x, h, w):
    """The blend is the paper's; the authors' program has z and 1 - z the other way round."""
    *x_gates, x_n = from_x(x, w, 3)
    *h_gates, h_n = from_h(h, w, 3)
    a = _layer_norm(np.concatenate(h_gates, axis=1), w, "_hh") + _layer_norm(np.concatenate(x_gates, axis=1), w, "_ih")
    r, z = gates(sigmoid(a), 2)
    candidate = np.tanh(_layer_norm(x_n, w, "_xn") + r * _layer_norm(h_n, w, "_hn"))
    h = (1 - z) * h + z * candidate
    return h, (h,)


# --- Unitary RNN, Arjovsky, Shah and Bengio 2016 ---


def _reflect(z, v):
    """Return (I - 2 v v* / |v|^2) z for each row z.

    The authors' program (amarshah/complex_RNN) has the conjugate of v in v's place, which gives the same matrices.
    """
    return z - 2 * np.outer(z @ v.conj(), v) / (v.conj() @ v).real


def _unitary_product(h, w):
    """Return W h with W = D3 R2 F^-1 D2 P R1 F D1.

    The paper draws the permutation P and keeps it; the cell documents a fixed one, even units before odd ones.
    """
    permutation = sorted(range(h.shape[1]), key=lambda unit: unit % 2)
    d_1, d_2, d_3 = np.exp(1j * w["phases"]).reshape(3, -1)
    re_1, im_1, re_2, im_2 = np.split(w["reflections"], 4)
    h = np.fft.fft(d_1 * h, norm="ortho")
    h = _reflect(h, re_1 + 1j * im_1)[:, permutation]
    h = np.fft.ifft(d_2 * h, norm="ortho")
    return d_3 * _reflect(h, re_2 + 1j * im_2)


def _mod_relu(z, bias):
    """Return relu(|z| + b) z / |z|, with the authors' 1e-5 in the denominator."""
    modulus = np.abs(z)
    return np.maximum(modulus + bias, 0.0) * z / (modulus + 1e-5)


@over_time
def unitary(x, re, im, w):
    v_re, v_im = np.split(w["weight_ih"], 2)
    z = _unitary_product(re + 1j * im, w) + x @ (v_re + 1j * v_im).T
    h = _mod_relu(z, w.get("bias_m", 0.0))
    return np.concatenate([h.real, h.imag], axis=1), (h.real, h.imag)


def _count_lstm(d, n):
    return 4 * n * (d + n + 1)


#: name -> (forward, number of parameters for d inputs and n units, d != n)
ORACLES = {
    "antisymmetric": (antisymmetric, lambda d, n: n * d + n**2 + n),
    "cornn": (cornn, lambda d, n: n * (d + 2 * n + 1)),
    "gated-antisymmetric": (gated_antisymmetric, lambda d, n: 2 * n * d + n**2 + 2 * n),
    # gains and shifts stand for biases, but the LSTM has both
    "layer-norm-gru": (layer_norm_gru, lambda d, n: 3 * n * (d + n) + 12 * n),
    "layer-norm-lstm": (layer_norm_lstm, lambda d, n: _count_lstm(d, n) + 18 * n),
    "layer-norm-rnn": (layer_norm_rnn, lambda d, n: n * (d + n) + 2 * n),
    "lem": (lem, lambda d, n: 4 * n * d + 4 * n**2 + 4 * n),
    # n complex states, d inputs and outputs
    "lru": (lru, lambda d, n: 3 * n + 4 * n * d + d),
    # tau, s and r_on, and three peepholes
    "phased-lstm": (phased_lstm, lambda d, n: _count_lstm(d, n) + 3 * n + 3 * n),
    "phased-lstm-gated": (gated_phased_lstm, lambda d, n: _count_lstm(d, n) + 3 * n),
    # phases and reflections of W, then V, the biases of modReLU and the first state
    "unitary": (unitary, lambda d, n: 7 * n + 2 * n * d + n + 2 * n),
}
