"""NumPy transcriptions of the LSTM with peepholes and its eight variants: Greff et al. 2017, sections II and III.

g is the block input, which the paper calls z; p are the peepholes, one weight a unit. The input and the forget gate
peek at the old c, the output gate at the new one.
"""

from __future__ import annotations

import numpy as np

from tests.oracles.steps import from_both, gates, over_time, sigmoid


@over_time
def vanilla(x, h, c, w):
    p_i, p_f, p_o = gates(w["weight_ch"], 3)
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    g = np.tanh(a_g)
    i = sigmoid(a_i + p_i * c)
    f = sigmoid(a_f + p_f * c)
    c = g * i + c * f
    o = sigmoid(a_o + p_o * c)
    h = np.tanh(c) * o
    return h, (h, c)


@over_time
def no_input_gate(x, h, c, w):
    p_f, p_o = gates(w["weight_ch"], 2)
    a_f, a_g, a_o = from_both(x, h, w, 3)
    g = np.tanh(a_g)
    f = sigmoid(a_f + p_f * c)
    c = g + c * f
    o = sigmoid(a_o + p_o * c)
    h = np.tanh(c) * o
    return h, (h, c)


@over_time
def no_forget_gate(x, h, c, w):
    p_i, p_o = gates(w["weight_ch"], 2)
    a_i, a_g, a_o = from_both(x, h, w, 3)
    g = np.tanh(a_g)
    i = sigmoid(a_i + p_i * c)
    c = g * i + c
    o = sigmoid(a_o + p_o * c)
    h = np.tanh(c) * o
    return h, (h, c)


@over_time
def no_output_gate(x, h, c, w):
    p_i, p_f = gates(w["weight_ch"], 2)
    a_i, a_f, a_g = from_both(x, h, w, 3)
    g = np.tanh(a_g)
    i = sigmoid(a_i + p_i * c)
    f = sigmoid(a_f + p_f * c)
    c = g * i + c * f
    h = np.tanh(c)
    return h, (h, c)


@over_time
def no_input_activation_function(x, h, c, w):
    p_i, p_f, p_o = gates(w["weight_ch"], 3)
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    g = a_g
    i = sigmoid(a_i + p_i * c)
    f = sigmoid(a_f + p_f * c)
    c = g * i + c * f
    o = sigmoid(a_o + p_o * c)
    h = np.tanh(c) * o
    return h, (h, c)


@over_time
def no_output_activation_function(x, h, c, w):
    p_i, p_f, p_o = gates(w["weight_ch"], 3)
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    g = np.tanh(a_g)
    i = sigmoid(a_i + p_i * c)
    f = sigmoid(a_f + p_f * c)
    c = g * i + c * f
    o = sigmoid(a_o + p_o * c)
    h = c * o
    return h, (h, c)


@over_time
def no_peepholes(x, h, c, w):
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    c = np.tanh(a_g) * sigmoid(a_i) + c * sigmoid(a_f)
    h = np.tanh(c) * sigmoid(a_o)
    return h, (h, c)


@over_time
def coupled_input_and_forget_gate(x, h, c, w):
    p_i, p_o = gates(w["weight_ch"], 2)
    a_i, a_g, a_o = from_both(x, h, w, 3)
    g = np.tanh(a_g)
    i = sigmoid(a_i + p_i * c)
    f = 1 - i
    c = g * i + c * f
    o = sigmoid(a_o + p_o * c)
    h = np.tanh(c) * o
    return h, (h, c)


@over_time
def full_gate_recurrence(x, h, c, i, f, o, w):
    """Each gate also gets R_i i + R_f f + R_o o of the gates before, o among them although it peeks at the new c."""
    r_i, r_f, r_o = gates(np.concatenate([i, f, o], axis=1) @ w["weight_gh"].T, 3)
    p_i, p_f, p_o = gates(w["weight_ch"], 3)
    a_i, a_f, a_g, a_o = from_both(x, h, w, 4)
    g = np.tanh(a_g)
    i = sigmoid(a_i + p_i * c + r_i)
    f = sigmoid(a_f + p_f * c + r_f)
    c = g * i + c * f
    o = sigmoid(a_o + p_o * c + r_o)
    h = np.tanh(c) * o
    return h, (h, c, i, f, o)


def _vanilla_count(d, n):
    return 4 * n * (d + n + 1) + 3 * n


def _one_gate_less_count(d, n):
    return 3 * n * (d + n + 1) + 2 * n


#: name -> (forward, number of parameters for d inputs and n units)
ORACLES = {
    "peephole-lstm": (vanilla, _vanilla_count),
    "lstm-nig": (no_input_gate, _one_gate_less_count),
    "lstm-nfg": (no_forget_gate, _one_gate_less_count),
    "lstm-nog": (no_output_gate, _one_gate_less_count),
    "lstm-niaf": (no_input_activation_function, _vanilla_count),
    "lstm-noaf": (no_output_activation_function, _vanilla_count),
    "lstm-np": (no_peepholes, lambda d, n: 4 * n * (d + n + 1)),
    "lstm-cifg": (coupled_input_and_forget_gate, _one_gate_less_count),
    "lstm-fgr": (full_gate_recurrence, lambda d, n: _vanilla_count(d, n) + 9 * n**2),
}
