from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.evaluation import evaluate
from recurra.inspection.equations.plain import plain
from recurra.inspection.equations.simplification import simplify
from recurra.inspection.equations.terms import Symbol, Term

N = 4
COLUMN, NUMBER = (N, 1), (1, 1)
NAMES = ("a", "b", "c", "n", "z")
VALUES = {
    **{Symbol(name): np.random.default_rng(k).uniform(0.5, 1.5, COLUMN) for k, name in enumerate(NAMES)},
    **{Symbol(name): np.random.default_rng(9 + k).uniform(0.5, 1.5, NUMBER) for k, name in enumerate("sr")},
    Symbol("h", is_gradient=True): np.random.default_rng(20).normal(size=COLUMN),
    Symbol("c", is_gradient=True): np.random.default_rng(21).normal(size=COLUMN),
    Symbol("W"): np.random.default_rng(22).normal(size=(N, N)),
}


def named(name: str, *, is_gradient: bool = False) -> Term:
    symbol = Symbol(name, is_gradient=is_gradient)
    return t.name(symbol, VALUES[symbol].shape)  # type: ignore[arg-type]


A, B, C, N_, Z = map(named, NAMES)
S, R = map(named, "sr")
W = named("W")
DH, DC = named("h", is_gradient=True), named("c", is_gradient=True)
TANH = t.function("tanh", C)
IF_A = t.compare(">", A, B)


def written(op: str, *args: Term, value: object = None) -> Term:
    """Return a term as nobody has put it in order."""
    shape = t.stretched(*args)
    return Term(op, args, value, shape)


EXPECTED = {
    "numbers are multiplied": (written("mul", t.number(2), A, t.number(3)), "6 · a"),
    "numbers are added": (written("add", t.ONE, A, t.number(2)), "a + 3"),
    "fractions are shortened": (t.div(t.mul(t.number(6), A), t.number(4)), "3 · a / 2"),
    "fractions are added": (t.add(t.div(A, t.number(2)), t.div(A, t.number(3))), "5 · a / 6"),
    "powers of numbers": (Term("power", (t.number(3),), 2), "9"),
    "two minuses": (written("neg", written("neg", A)), "a"),
    "minus before a sum": (written("neg", t.sub(A, B)), "b − a"),
    "squares": (t.mul(A, A), "a²"),
    "cubes": (t.mul(t.power(A, 2), B, A), "a³ ⊙ b"),
    "quotients in products": (t.mul(A, t.div(B, C)), "a ⊙ b / c"),
    "quotients in quotients": (t.div(A, t.div(B, C)), "a ⊙ c / b"),
    "equal factors go": (t.div(t.mul(A, B), B), "a"),
    "a stretched factor that goes leaves its shape": (t.mul(S, t.div(B, B)), "s ⊙ 𝟏[4×1]"),
    "like parts": (t.add(A, B, A), "2 · a + b"),
    "parts that cancel": (t.add(A, B, t.neg(A)), "b"),
    "zeros of a larger shape": (t.add(S, t.zeros(COLUMN)), "s ⊙ 𝟏[4×1]"),
    "nothing left": (t.sub(A, A), "𝟎[4×1]"),
    "gradients first, parentheses last": (t.mul(t.sub(t.ONE, Z), TANH, Z, DH), "δh ⊙ z ⊙ tanh(c) ⊙ (1 − z)"),
    "a factor of all parts": (t.sub(t.mul(DH, A), t.mul(DH, N_)), "δh ⊙ (a − n)"),
    "a factor that is a part": (t.add(DH, t.mul(DH, A)), "δh ⊙ (a + 1)"),
    "a divisor of all parts": (t.add(t.div(A, C), t.div(B, C)), "(a + b) / c"),
    "one gradient's parts": (
        t.add(t.mul(DC, A), t.mul(DH, B), t.neg(t.mul(DC, N_)), t.neg(DH)),
        "δc ⊙ (a − n) + δh ⊙ (b − 1)",
    ),
    "a factor of one part and a divisor of the other": (t.add(t.mul(A, B), t.div(C, A)), "a ⊙ b + c / a"),
    "divisors that are no whole numbers": (t.div(A, t.number(0.3)), "a / 0.3"),
    "a number of all parts": (t.add(t.mul(t.number(0.5), A), t.mul(t.number(0.5), B)), "0.5 · (a + b)"),
    "a turned difference": (t.neg(t.mul(DH, t.sub(N_, A))), "δh ⊙ (a − n)"),
    "one minus stays": (t.neg(t.mul(DH, t.sub(t.ONE, Z))), "−δh ⊙ (1 − z)"),
    "a number stays before what it loses": (t.mul(DC, t.add(t.mul(A, B), t.sub(t.ONE, A))), "δc ⊙ (a ⊙ b + 1 − a)"),
    "an inner one minus": (t.sub(t.ONE, t.sub(t.ONE, Z)), "z"),
    "choices with one condition": (
        t.add(t.where(IF_A, DH, t.ZERO), t.where(IF_A, t.ZERO, DC)),
        "(δh if a > b else δc)",
    ),
    "what both branches share": (t.where(IF_A, t.mul(DH, A), t.mul(DH, B)), "δh ⊙ (a if a > b else b)"),
    "one branch": (t.mul(t.where(IF_A, DH, t.ZERO), A), "δh ⊙ a ⊙ [a > b]"),
    "the other branch": (t.where(IF_A, t.ZERO, DH), "δh ⊙ [a ≤ b]"),
    "the other branch of what is no relation": (t.where(A, t.ZERO, DH), "δh ⊙ [a = 0]"),
    "a branch that may be infinite": (t.where(IF_A, t.div(DH, A), t.ZERO), "(δh / a if a > b else 0)"),
    "branches that are alike": (t.where(IF_A, DH, t.mul(DH, A, t.div(t.ONE, A))), "δh"),
    "sums of columns": (t.add(t.function("sum", A, shape=(1, 1)), t.function("sum", B, shape=(1, 1))), "Σ(a + b)"),
    "numbers before sums": (t.function("sum", t.div(t.neg(A), t.number(2)), shape=(1, 1)), "−Σ(a) / 2"),
    "a sum of one": (t.function("sum", t.function("tanh", S), shape=(1, 1)), "tanh(s)"),
    "a sum as a product": (t.matmul(t.ones((1, N)), A), "Σ(a)"),
    "numbers before matrix products": (t.matmul(W, t.mul(t.number(2), A)), "2 · W a"),
    "products with one matrix": (t.sub(t.matmul(W, DH), t.matmul(W, DC)), "W (δh − δc)"),
    "products with one vector": (
        t.add(t.matmul(DH, t.transpose(A)), t.matmul(DC, t.transpose(A))),
        "(δh + δc) aᵀ",
    ),
    "a transposed product": (Term("transpose", (t.matmul(W, A),), shape=(1, N)), "aᵀ Wᵀ"),
    "blocks that fill a matrix": (
        t.add(t.stack((t.cut(A, 0, 0, 1), t.zeros((3, 1)))), t.stack((t.zeros((1, 1)), t.cut(B, 0, 1, 4)))),
        "[a[1:1]; b[2:4]]",
    ),
    "blocks with a gap, one of them twice": (
        t.add(
            t.stack((t.cut(A, 0, 0, 1), t.zeros((3, 1)))),
            t.neg(t.stack((t.cut(B, 0, 0, 1), t.zeros((3, 1))))),
            t.stack((t.zeros((3, 1)), S)),
        ),
        "[a[1:1] − b[1:1]; 𝟎[2×1]; s]",
    ),
    "blocks that overlap stay apart": (
        t.add(t.stack((t.cut(A, 0, 0, 2), t.zeros((2, 1)))), t.stack((t.zeros((1, 1)), t.cut(B, 0, 1, 4)))),
        "[a[1:2]; 𝟎[2×1]] + [𝟎[1×1]; b[2:4]]",
    ),
    "blocks of zeros": (t.stack((t.mul(A, t.zeros(COLUMN)), t.zeros(COLUMN))), "𝟎[8×1]"),
    "zeros of other sizes are not alike": (
        t.add(
            t.function("tanh", t.stack((t.zeros((1, 1)), t.cut(A, 0, 0, 1), t.zeros((2, 1))))),
            t.function("tanh", t.stack((t.zeros((2, 1)), t.cut(A, 0, 0, 1), t.zeros((1, 1))))),
        ),
        "tanh([𝟎[1×1]; a[1:1]; 𝟎[2×1]]) + tanh([𝟎[2×1]; a[1:1]; 𝟎[1×1]])",
    ),
}


@pytest.mark.parametrize("case", EXPECTED)
def test_terms_become_what_a_lecturer_writes(case: str) -> None:
    term, expected = EXPECTED[case]

    found = simplify(term)

    assert plain(found) == expected
    assert found.shape == term.shape
    np.testing.assert_allclose(
        np.broadcast_to(evaluate(found, VALUES), term.shape),
        np.broadcast_to(evaluate(term, VALUES), term.shape),
        rtol=1e-12,
        atol=1e-15,
    )


def test_fractional_powers_of_a_number_are_folded_only_where_they_are_real() -> None:
    assert plain(simplify(Term("power", (t.number(4),), 0.5))) == "2"
    assert plain(simplify(Term("power", (t.number(-4),), 0.5))) == "(−4)^0.5"


def columns() -> st.SearchStrategy[Term]:
    leaves = st.sampled_from([A, B, C, Z, S, R, DH, DC, t.ZERO, t.ONE, t.number(0.5), t.number(-3), t.zeros(COLUMN)])
    condition = st.sampled_from([IF_A, t.compare("<=", Z, S), t.compare(">", A, t.ONE)])

    def grown(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        full = inner.map(lambda term: t.mul(term, t.ones(COLUMN)) if term.shape == NUMBER else term)
        return st.one_of(
            st.lists(inner, min_size=2, max_size=4).map(lambda parts: t.add(*parts)),
            st.lists(inner, min_size=2, max_size=4).map(lambda parts: t.mul(*parts)),
            inner.map(t.neg),
            st.tuples(inner, st.sampled_from([A, S, t.number(4), t.function("exp", B)])).map(lambda pair: t.div(*pair)),
            st.tuples(inner, st.sampled_from([2, 3])).map(lambda pair: t.power(*pair)),
            st.tuples(condition, inner, inner).map(lambda three: t.where(*three)),
            st.tuples(st.sampled_from(["tanh", "sigmoid", "sin"]), inner).map(lambda pair: t.function(*pair)),
            full.map(lambda term: t.function("sum", term, shape=NUMBER)),
            full.map(lambda term: t.function("cumsum", term)),
            full.map(lambda term: t.matmul(W, term)),
            st.tuples(full, full).map(lambda pair: t.matmul(t.transpose(pair[0]), pair[1])),
            full.map(lambda term: t.stack((t.cut(term, 0, 0, 2), t.zeros((2, 1))))),
            full.map(lambda term: t.stack((t.zeros((1, 1)), t.cut(term, 0, 1, 4)))),
            full.map(lambda term: t.pick(term, 0, (3, 1, 1, 0))),
        )

    return st.recursive(leaves, grown, max_leaves=10)


def scale_of(term: Term) -> float:
    with np.errstate(all="ignore"):
        sizes = [float(np.abs(evaluate(part, VALUES)).max()) for part in term.walk() if part.op != "compare"]
    return max(1.0, *sizes)


@settings(max_examples=60, deadline=None)
@given(columns())
def test_values_stay_as_they_were(term: Term) -> None:
    found = simplify(term)

    scale = scale_of(term)
    expected = np.broadcast_to(evaluate(term, VALUES), term.shape)
    np.testing.assert_allclose(
        np.broadcast_to(evaluate(found, VALUES), term.shape), expected, rtol=1e-9, atol=1e-12 * scale**2
    )
    assert found.shape == term.shape or found.op == "number"


@settings(max_examples=40, deadline=None)
@given(columns())
def test_what_is_simple_stays_as_it_is(term: Term) -> None:
    once = simplify(term)

    assert plain(simplify(once)) == plain(once)
