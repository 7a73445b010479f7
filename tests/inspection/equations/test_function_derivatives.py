"""The derivative of each function and operation, against torch's autograd of the same written with torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra.errors import ChoiceError
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.derivative import differentiate
from recurra.inspection.equations.evaluation import run_lines
from recurra.inspection.equations.function_derivatives import FLAT
from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.terms import Line, Symbol, Term

SHAPES = {"a": (3, 1), "b": (3, 1), "s": (1, 1), "r": (1, 4), "M": (3, 4), "N": (4, 2), "P": (6, 4)}
Y = Symbol("y", 0)


def given(name: str) -> Term:
    return t.name(Symbol(name, 0), SHAPES[name])


A, B, S, R, M, N, P = map(given, SHAPES)
EPS = t.number(1e-3)


def torch_norm(v: Tensor) -> Tensor:
    return (v - v.mean(0, keepdim=True)) / torch_deviation(v)


def torch_deviation(v: Tensor) -> Tensor:
    return ((v - v.mean(0, keepdim=True)).pow(2).mean(0, keepdim=True) + 1e-3).sqrt()


FUNCTION_CASES: dict[str, tuple[Term, Callable[..., Tensor]]] = {
    "sigmoid": (t.function("sigmoid", A), lambda a: torch.sigmoid(a)),
    "tanh": (t.function("tanh", A), lambda a: torch.tanh(a)),
    "relu": (t.function("relu", t.sub(A, B)), lambda a, b: torch.relu(a - b)),
    "softplus": (t.function("softplus", A), lambda a: torch.nn.functional.softplus(a)),
    "exp": (t.function("exp", A), lambda a: torch.exp(a)),
    "log": (t.function("log", A), lambda a: torch.log(a)),
    "sqrt": (t.function("sqrt", A), lambda a: torch.sqrt(a)),
    "abs": (t.function("abs", t.sub(A, B)), lambda a, b: torch.abs(a - b)),
    "sign": (t.mul(A, t.function("sign", t.sub(A, B))), lambda a, b: a * torch.sign(a - b)),
    "sin": (t.function("sin", A), lambda a: torch.sin(a)),
    "cos": (t.function("cos", A), lambda a: torch.cos(a)),
    "erf": (t.function("erf", A), lambda a: torch.erf(a)),
    "floor": (t.mul(A, t.function("floor", B)), lambda a, b: a * torch.floor(b)),
    "stop": (t.mul(A, t.function("stop", A)), lambda a: a * a.detach()),
    "max": (t.function("max", A, B), lambda a, b: torch.maximum(a, b)),
    "min": (t.function("min", A, B), lambda a, b: torch.minimum(a, b)),
    "mod": (t.function("mod", A, t.mul(t.number(0.3), B)), lambda a, b: torch.remainder(a, 0.3 * b)),
    "softmax": (t.function("softmax", M), lambda m: torch.softmax(m, 0)),
    "cumsum": (t.function("cumsum", M), lambda m: torch.cumsum(m, 0)),
    "reverse_cumsum": (t.function("reverse_cumsum", M), lambda m: m.flip(0).cumsum(0).flip(0)),
    "norm": (t.function("norm", M, EPS), torch_norm),
    "deviation": (t.function("deviation", M, EPS, shape=(1, 4)), torch_deviation),
    "sum": (t.function("sum", M, shape=(1, 1)), lambda m: m.sum().reshape(1, 1)),
    "mean": (t.function("mean", M, shape=(1, 1)), lambda m: m.mean().reshape(1, 1)),
}
OTHER_CASES: dict[str, tuple[Term, Callable[..., Tensor]]] = {
    "softmax of a column": (t.function("softmax", A), lambda a: torch.softmax(a, 0)),
    "norm of a column": (t.mul(B, t.function("norm", A, EPS)), lambda b, a: b * torch_norm(a)),
    "log of softmax": (t.function("log", t.function("softmax", A)), lambda a: torch.log_softmax(a, 0)),
    "log of sigmoid": (
        t.function("log", t.function("sigmoid", A)),
        lambda a: torch.nn.functional.logsigmoid(a),
    ),
    "log of a sum with an exponential": (
        t.function("log", t.add(t.ONE, t.function("exp", A))),
        lambda a: torch.log(1 + torch.exp(a)),
    ),
    "clamp": (
        t.function("min", t.function("max", A, t.number(0.6)), t.number(1.2)),
        lambda a: a.clamp(0.6, 1.2),
    ),
    "sum of several": (t.add(A, t.neg(B), S, t.ONE), lambda a, b, s: a - b + s + 1),
    "product of several": (t.mul(A, B, S, A), lambda a, b, s: a * b * s * a),
    "column meets matrix": (t.mul(A, M), lambda a, m: a * m),
    "row meets matrix": (t.add(R, M), lambda r, m: r + m),
    "row meets column": (t.mul(R, A), lambda r, a: r * a),
    "number meets matrix": (t.div(M, S), lambda m, s: m / s),
    "quotient": (t.div(A, t.add(B, S)), lambda a, b, s: a / (b + s)),
    "power": (t.power(A, 3), lambda a: a**3),
    "power below 0": (t.power(A, -1.5), lambda a: a**-1.5),
    "matrix product": (t.matmul(M, N), lambda m, n: m @ n),
    "product with a transpose": (t.matmul(t.transpose(M), A), lambda m, a: m.T @ a),
    "outer product": (t.matmul(A, t.transpose(B)), lambda a, b: a @ b.T),
    "inner product": (t.matmul(t.transpose(A), B), lambda a, b: a.T @ b),
    "where": (
        t.where(t.compare(">", A, B), t.mul(A, B), t.sub(A, S)),
        lambda a, b, s: torch.where(a > b, a * b, a - s),
    ),
    "where of what is infinite elsewhere": (
        t.where(t.compare(">", A, B), t.function("log", A), t.ZERO),
        lambda a, b: torch.where(a > b, torch.log(a), torch.zeros_like(a)),
    ),
    "indicator": (t.mul(A, t.indicator(t.compare("<=", A, B))), lambda a, b: a * (a <= b)),
    "stack below": (t.mul(P, t.stack((M, t.mul(M, M)))), lambda p, m: p * torch.cat((m, m * m))),
    "stack beside": (t.stack((A, M, B), 1), lambda a, m, b: torch.cat((a, m, b), 1)),
    "cut of rows": (t.cut(t.mul(P, P), 0, 2, 5), lambda p: (p * p)[2:5]),
    "cut of columns": (t.cut(t.mul(M, A), 1, 1, 3), lambda m, a: (m * a)[:, 1:3]),
    "cuts of one matrix": (
        t.mul(t.cut(P, 0, 0, 3), t.cut(P, 0, 3, 6), t.cut(P, 0, 2, 5)),
        lambda p: p[:3] * p[3:] * p[2:5],
    ),
    "picked once": (t.pick(t.mul(P, P), 0, (4, 0, 2)), lambda p: (p * p)[[4, 0, 2]]),
    "picked in another order": (t.pick(M, 1, (3, 1, 0, 2)), lambda m: m[:, [3, 1, 0, 2]]),
    "picked more than once": (t.pick(t.mul(P, P), 0, (4, 0, 4, 4)), lambda p: (p * p)[[4, 0, 4, 4]]),
    "repeat": (t.mul(P, t.repeat(M, 2)), lambda p, m: p * m.repeat_interleave(2, 0)),
    "block sum": (t.mul(M, t.block_sum(P, 2)), lambda m, p: m * p.reshape(3, 2, 4).sum(1)),
}
CASES = {**FUNCTION_CASES, **OTHER_CASES}


def values_of(term: Term, seed: int = 0) -> dict[Symbol, np.ndarray]:
    generator = np.random.default_rng(seed)
    symbols = dict.fromkeys(term.symbols())
    return {symbol: generator.uniform(0.4, 1.6, SHAPES[symbol.name]) for symbol in symbols}


def assert_as_torch(term: Term, function: Callable[..., Tensor], values: dict[Symbol, np.ndarray]) -> None:
    incoming = np.random.default_rng(7).normal(size=term.shape)
    tensors = [torch.tensor(value, requires_grad=True) for value in values.values()]
    result = function(*tensors)
    expected = torch.autograd.grad(result, tensors, torch.tensor(incoming), allow_unused=True)

    lines = (Line(Y, term),)
    backward = differentiate(lines, [Y], values)

    found = run_lines(backward, run_lines(lines, {**values, Y.gradient: incoming}))
    np.testing.assert_allclose(found[Y], result.detach().numpy(), rtol=1e-12)
    for symbol, wanted in zip(values, expected, strict=True):
        ours = np.broadcast_to(found[symbol.gradient], values[symbol].shape)
        theirs = np.zeros(values[symbol].shape) if wanted is None else wanted.numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_those_of_torch(case: str) -> None:
    term, function = CASES[case]

    assert_as_torch(term, function, values_of(term))


def test_every_function_has_a_case() -> None:
    assert set(FUNCTION_CASES) == set(FUNCTIONS)


def test_no_gradient_passes_through_what_is_flat() -> None:
    for name in FLAT:
        backward = differentiate([Line(Y, t.function(name, A))], [Y], [Symbol("a", 0)])

        assert backward == (Line(Symbol("a", 0).gradient, t.zeros((3, 1))),)


EDGES = np.array([[0.0], [1.0], [-1.0]])


@pytest.mark.parametrize(
    ("term", "function"),
    [
        (t.function("relu", A), torch.relu),
        (t.function("abs", A), torch.abs),
        (t.function("max", A, t.ZERO), lambda a: a.clamp(min=0)),
        (t.function("min", A, t.ONE), lambda a: a.clamp(max=1)),
        (t.function("max", A, t.function("abs", A)), lambda a: torch.maximum(a, a.abs())),
        (t.function("min", A, t.function("abs", A)), lambda a: torch.minimum(a, a.abs())),
        (
            t.where(t.compare(">", A, t.ZERO), A, t.mul(t.number(0.1), A)),
            lambda a: torch.nn.functional.leaky_relu(a, 0.1),
        ),
    ],
    ids=["relu", "abs", "clamp from below", "clamp from above", "maximum", "minimum", "leaky relu"],
)
def test_kinks_are_as_in_torch(term: Term, function: Callable[..., Tensor]) -> None:
    assert_as_torch(term, function, {Symbol("a", 0): EDGES})


def test_softplus_of_large_numbers_has_a_finite_gradient() -> None:
    term, _ = FUNCTION_CASES["softplus"]
    line = Line(Y, term)

    backward = differentiate([line], [Y], [Symbol("a", 0)])

    values = {Symbol("a", 0): np.array([[900.0], [-900.0], [0.0]]), Y.gradient: np.ones((3, 1))}
    found = run_lines(backward, values)[Symbol("a", 0).gradient]
    np.testing.assert_allclose(found, [[1.0], [0.0], [0.5]])


def test_an_epsilon_can_be_wanted() -> None:
    values = {Symbol("m", 0): np.random.default_rng(0).normal(size=(3, 4)), Symbol("e", 0): np.full((1, 1), 0.2)}
    matrix, epsilon = (t.name(symbol, value.shape) for symbol, value in values.items())

    def formula(m: Tensor, e: Tensor) -> Tensor:
        deviation = ((m - m.mean(0)).pow(2).mean(0, keepdim=True) + e).sqrt()
        return (m - m.mean(0)) / deviation * deviation.pow(3)

    norm, deviation = (
        t.function("norm", matrix, epsilon),
        t.function("deviation", matrix, epsilon, shape=(1, 4)),
    )

    assert_as_torch(t.mul(norm, t.power(deviation, 3)), formula, values)


def test_an_unknown_function_is_named() -> None:
    line = Line(Y, t.function("tanhh", A))

    with pytest.raises(
        ChoiceError, match=r"expected a function with a derivative to be one of .*; got 'tanhh'"
    ) as info:
        differentiate([line], [Y], [Symbol("a", 0)])

    assert info.value.hint == "did you mean 'tanh'?"
