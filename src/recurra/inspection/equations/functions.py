"""The functions of equations: how they are written, and what they compute.

=================================  =============================================================================
entry by entry                     ``sigmoid tanh relu softplus exp log sqrt abs sign sin cos erf floor``, of one
                                   matrix; ``max min mod``, of two, which are stretched as in NumPy
down the rows of each column       ``softmax``, ``cumsum``, ``reverse_cumsum`` (the sums from each row to the last)
``norm(v, eps)``                   (v - mean v) / deviation(v, eps), for each column
``deviation(v, eps)``              sqrt(var v + eps), (1, n): one number a column; the variance divides by the
                                   number of rows
``sum``, ``mean``                  of all entries, (1, 1)
``stop(v)``                        v itself, through which no gradient passes: torch's ``detach``
=================================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

Compute = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Function:
    """A function of equations.

    Attributes:
        plain: What stands before the parenthesis in plain text.
        latex: What stands before the parenthesis in LaTeX.
        compute: Computes it from float64 matrices.
        is_elementwise: Whether every entry depends only on the entries at its place.
        num_args: How many terms it takes.
    """

    plain: str
    latex: str
    compute: Compute
    is_elementwise: bool = True
    num_args: int = 1


def _sigmoid(v: np.ndarray) -> np.ndarray:
    decay = np.exp(-np.abs(v))  # which cannot overflow
    result: np.ndarray = np.where(v >= 0, 1.0, decay) / (1 + decay)
    return result


def _softplus(v: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.logaddexp(0.0, v)  # log(1 + exp(v)) would overflow
    return result


def _erf(v: np.ndarray) -> np.ndarray:
    # NumPy has none
    import torch

    return torch.erf(torch.from_numpy(np.ascontiguousarray(v))).numpy()


def _softmax(v: np.ndarray) -> np.ndarray:
    exponentials: np.ndarray = np.exp(v - v.max(axis=0, keepdims=True))
    exponentials /= exponentials.sum(axis=0, keepdims=True)
    return exponentials


def _deviation(v: np.ndarray, eps: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.sqrt(v.var(axis=0, keepdims=True) + eps)
    return result


def _norm(v: np.ndarray, eps: np.ndarray) -> np.ndarray:
    result: np.ndarray = (v - v.mean(axis=0, keepdims=True)) / _deviation(v, eps)
    return result


_ENTRY_BY_ENTRY = {
    "sigmoid": Function("σ", r"\sigma", _sigmoid),
    "tanh": Function("tanh", r"\tanh", np.tanh),
    "relu": Function("relu", r"\mathrm{relu}", lambda v: np.maximum(v, 0.0)),
    "softplus": Function("softplus", r"\mathrm{softplus}", _softplus),
    "exp": Function("exp", r"\exp", np.exp),
    "log": Function("log", r"\log", np.log),
    "sqrt": Function("√", r"\sqrt", np.sqrt),
    "abs": Function("abs", r"\mathrm{abs}", np.abs),
    "sign": Function("sign", r"\mathrm{sign}", np.sign),
    "sin": Function("sin", r"\sin", np.sin),
    "cos": Function("cos", r"\cos", np.cos),
    "erf": Function("erf", r"\mathrm{erf}", _erf),
    "floor": Function("floor", r"\mathrm{floor}", np.floor),
    "stop": Function("stop", r"\mathrm{stop}", lambda v: v),
    "max": Function("max", r"\max", np.maximum, num_args=2),
    "min": Function("min", r"\min", np.minimum, num_args=2),
    "mod": Function("mod", r"\mathrm{mod}", np.mod, num_args=2),
}
_OF_MATRICES = {
    "softmax": Function("softmax", r"\mathrm{softmax}", _softmax, False),
    "cumsum": Function("cumsum", r"\mathrm{cumsum}", lambda v: np.cumsum(v, axis=0), False),
    "reverse_cumsum": Function(
        "reverse_cumsum", r"\mathrm{reverse\,cumsum}", lambda v: np.cumsum(v[::-1], axis=0)[::-1], False
    ),
    "norm": Function("norm", r"\mathrm{norm}", _norm, False, num_args=2),
    "deviation": Function("deviation", r"\mathrm{deviation}", _deviation, False, num_args=2),
    "sum": Function("Σ", r"\mathrm{sum}", lambda v: v.sum(keepdims=True), False),
    "mean": Function("mean", r"\mathrm{mean}", lambda v: v.mean(keepdims=True), False),
}
FUNCTIONS: Mapping[str, Function] = MappingProxyType({**_ENTRY_BY_ENTRY, **_OF_MATRICES})
