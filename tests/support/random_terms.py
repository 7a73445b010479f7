"""Random terms and random values for their symbols, for the tests of equations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.terms import Shape, Symbol, Term

WORDS = (
    "h",
    "c",
    "W_xi",
    "phi",
    "alpha_1",
    "psi",
    "lambda_",
    "c_open",
    "b_xphi",
    "cell.0.w",
    "xi",
    "z′",
    "r2",
    "sigma",
)
ODD = (
    "if",
    "else",
    "mod",
    "nan",
    "φ",
    "δ",
    "δh",
    "naïve",
    "0.weight",
    "hᵀ",
    "σ",
    "a b",
    "a`b",
    "\\u{60}\n",
    "𝟎",
    "max",
    "Σ",
    "ξ′",
    "repeat",
    "_",
)
SIZES = (1, 2, 4)

symbols = st.builds(
    Symbol,
    st.sampled_from(WORDS + ODD),
    time=st.sampled_from([None, 0, -1, -12, 1]),
    version=st.sampled_from([0, 0, 1, 20]),
    is_gradient=st.booleans(),
)
numbers = st.one_of(
    st.integers(0, 30), st.floats(0, 1e300, allow_nan=False), st.sampled_from([1e-05, 0.1, 1e16, math.inf, 2.0, -1.5])
)
shapes = st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES))


def _leaf(shape: Shape) -> st.SearchStrategy[Term]:
    named = st.builds(lambda symbol: t.name(symbol, shape), symbols)
    filled = st.sampled_from([t.zeros(shape), t.ones(shape)])
    return st.one_of(named, named, filled, st.builds(t.number, numbers) if shape == (1, 1) else named)


@st.composite
def terms(draw: Callable) -> Term:
    """Draw a term; every symbol inside has one shape."""
    return _settled(draw(_any_term(draw(shapes), 4)), {})


def _settled(term: Term, known: dict[Symbol, Shape]) -> Term:
    """Give symbols that stand for two shapes another version."""
    if term.op == "name":
        symbol = term.value
        while known.setdefault(symbol, term.shape) != term.shape:
            symbol = dataclasses.replace(symbol, version=symbol.version + 1)
        return t.name(symbol, term.shape)
    return dataclasses.replace(term, args=tuple(_settled(arg, known) for arg in term.args))


@st.composite
def _any_term(draw: Callable, shape: Shape, depth: int) -> Term:
    """Draw a term of a shape, as the constructors make it or as only a hand would."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(_leaf(shape))

    def part(*size: int) -> Term:
        return draw(_any_term(size or shape, depth - 1))

    return draw(st.sampled_from(_BUILDERS))(draw, shape, part)


def _sum(draw, shape, part):
    parts = [part(), draw(st.sampled_from([t.neg, t.transpose]))(part(1, 1)), part()]
    parts = draw(st.permutations(parts))
    made = t.add(*parts)
    return made if draw(st.booleans()) and made.shape == shape else Term("add", tuple(parts), shape=shape)


def _product(draw, shape, part):
    parts = draw(st.permutations([part(1, 1), part(), t.neg(part())]))
    made = t.mul(*parts)
    return made if draw(st.booleans()) and made.shape == shape else Term("mul", tuple(parts), shape=shape)


def _matmul(draw, shape, part):
    inner = draw(st.sampled_from(SIZES))
    return Term("matmul", (part(shape[0], inner), part(inner, shape[1])), shape=shape)


def _function(draw, shape, part):
    which = draw(st.sampled_from([name for name in FUNCTIONS if name not in ("sum", "mean", "deviation")]))
    return t.function(which, *(part() for _ in range(FUNCTIONS[which].num_args)))


def _where(draw, shape, part):
    return t.where(_condition(draw, shape, part), part(), part())


def _condition(draw, shape, part):
    return _relation(draw, shape, part) if draw(st.booleans()) else part()


def _relation(draw, shape, part):
    return t.compare(draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="])), part(), part(1, 1))


def _indicator(draw, shape, part):
    return t.indicator(_condition(draw, shape, part))


def _stack(draw, shape, part):
    rows, columns = shape
    axis = draw(st.sampled_from([0, 1]))
    sizes = [(1, columns)] * rows if axis == 0 else [(rows, 1)] * columns
    return t.stack(tuple(part(*size) for size in sizes), axis)


def _cut(draw, shape, part):
    axis = draw(st.sampled_from([0, 1]))
    start = draw(st.integers(0, 3))
    whole = part(shape[0] + 4, shape[1]) if axis == 0 else part(shape[0], shape[1] + 4)
    if draw(st.booleans()):
        return Term("cut", (whole,), (axis, start, start + shape[axis]), shape)
    indices = tuple(draw(st.lists(st.integers(0, 3), min_size=shape[axis], max_size=shape[axis])))
    return Term("pick", (whole,), (axis, indices), shape)


def _whole(draw, shape, part):
    which = draw(st.sampled_from(["sum", "mean", "deviation"]))
    args = (part(), t.number(1e-05)) if which == "deviation" else (part(),)
    return Term("add", (t.zeros(shape), t.function(which, *args)), shape=shape)


_BUILDERS = (
    _sum,
    _product,
    _matmul,
    _matmul,
    _function,
    _where,
    _relation,
    _indicator,
    _stack,
    _cut,
    lambda draw, shape, part: Term("neg", (part(),), shape=shape),
    lambda draw, shape, part: Term("div", (part(), part(1, 1)), shape=shape),
    lambda draw, shape, part: Term("power", (part(),), draw(st.sampled_from([2, 3, 4, 0.5, -1, -0.25])), shape),
    lambda draw, shape, part: Term("transpose", (part(*shape[::-1]),), shape=shape),
    lambda draw, shape, part: Term("block_sum", (part(3 * shape[0], shape[1]),), 3, shape),
    lambda draw, shape, part: Term("repeat", (part(1, shape[1]),), shape[0], shape),
    _whole,
)


def values_for(term: Term, seed: int) -> dict[Symbol, np.ndarray]:
    """Return normal numbers for every symbol inside."""
    generator = np.random.default_rng(seed)
    named = {inner.value: inner.shape for inner in term.walk() if inner.op == "name"}
    return {symbol: generator.normal(size=shape) for symbol, shape in named.items()}
