"""What the transcriptions of the cells share: a step run over time, and the affine maps that its equations begin with.

A step is a function of x (B, I), the states (B, width) in order and the weights ``w``, a dictionary of arrays by the
names of the parameters. It returns the output and the tuple of new states. Biases that ``w`` lacks count as zero.
"""

from __future__ import annotations

import functools

import numpy as np


def over_time(step):
    """Return forward(x, state, w, **options) -> (outputs (T, B, width), last states) for x (T, B, I).

    Where x is a tuple of arrays, so is the x of a step.
    """

    @functools.wraps(step)
    def forward(x, state, w, **options):
        states = state if isinstance(state, tuple) else (state,)
        outputs = []
        for x_t in zip(*x, strict=True) if isinstance(x, tuple) else x:
            output, states = step(x_t, *states, w, **options)
            outputs.append(output)
        return np.stack(outputs), states

    return forward


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def relu(a):
    return np.where(a > 0, a, 0.0)


def gates(a, number):
    """Split the last axis into a block for each gate."""
    return np.split(a, number, axis=-1)


def from_x(x, w, number=1):
    """Return W x + b for each gate."""
    blocks = gates(x @ w["weight_ih"].T + w.get("bias_ih", 0.0), number)
    return blocks if number > 1 else blocks[0]


def from_h(h, w, number=1):
    """Return U h + b for each gate."""
    blocks = gates(h @ w["weight_hh"].T + w.get("bias_hh", 0.0), number)
    return blocks if number > 1 else blocks[0]


def from_both(x, h, w, number):
    """Return W x + U h + b for each gate."""
    return [a + b for a, b in zip(from_x(x, w, number), from_h(h, w, number), strict=True)]


def projected(x, w, name):
    """Return x where the parameter ``name`` is absent, because x is as wide as the state, and P x otherwise."""
    return x @ w[name].T if w.get(name) is not None else x
