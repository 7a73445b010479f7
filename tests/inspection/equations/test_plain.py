from __future__ import annotations

import math

import pytest

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.plain import plain, plain_line, plain_symbol
from recurra.inspection.equations.terms import Line, Symbol, Term

N, D = 3, 2


def column(name: str, time: int | None = 0, is_gradient: bool = False) -> Term:
    return t.name(Symbol(name, time, is_gradient=is_gradient), (N, 1))


def weight(name: str, columns: int) -> Term:
    return t.name(Symbol(name), (N, columns))


X = t.name(Symbol("x", 0), (D, 1))
A, B, C = (column(letter, None) for letter in "abc")


def test_the_elman_network_is_printed():
    z = t.add(
        *(t.matmul(weight("W_xh", D), X), column("b_xh", None)),
        *(t.matmul(weight("W_hh", N), column("h", -1)), column("b_hh", None)),
    )

    text = plain_line(Line(Symbol("h", 0), t.function("tanh", z)))

    assert text == "hₜ = tanh(W_xh xₜ + b_xh + W_hh hₜ₋₁ + b_hh)"


def test_the_cell_of_the_lstm_is_printed():
    term = t.add(t.mul(column("f"), column("c", -1)), t.mul(column("i"), column("g")))

    assert plain_line(Line(Symbol("c", 0), term)) == "cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ"


def test_gradients_are_printed():
    slope = t.sub(t.ONE, t.power(t.function("tanh", column("c")), 2))
    to_cell = t.mul(column("h", is_gradient=True), column("o"), slope)
    to_weight = t.matmul(column("z_i", is_gradient=True), t.transpose(X))

    lines = [
        plain_line(Line(Symbol("c", 0, is_gradient=True), to_cell, is_sum=True)),
        plain_line(Line(Symbol("W_xi", is_gradient=True), to_weight, is_sum=True)),
    ]

    assert lines == ["δcₜ += δhₜ ⊙ oₜ ⊙ (1 − tanh(cₜ)²)", "δW_xi += δz_iₜ xₜᵀ"]


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (t.add(t.neg(A), B, t.neg(C)), "b − a − c"),
        (t.add(t.neg(A), t.neg(B)), "−a − b"),
        (t.sub(A, t.number(2)), "a − 2"),
        (t.sub(A, Term("add", (B, C))), "a − (b + c)"),
        (t.mul(t.number(2), A, t.add(B, C)), "2 · a ⊙ (b + c)"),
        (t.neg(t.mul(A, B)), "−a ⊙ b"),
        (Term("mul", (A, t.neg(B))), "a ⊙ (−b)"),
        (t.div(t.mul(A, B), t.mul(A, C)), "a ⊙ b / (a ⊙ c)"),
        (t.mul(t.div(A, B), C), "(a / b) ⊙ c"),
        (t.matmul(t.transpose(A), Term("add", (B, C), shape=(N, 1))), "aᵀ (b + c)"),
        (t.matmul(weight("W", N), t.matmul(weight("U", N), A)), "W (U a)"),
        (t.matmul(t.matmul(weight("W", N), weight("U", N)), A), "W U a"),
        (t.neg(t.add(A, B)), "−(a + b)"),
        (t.div(A, t.div(B, C)), "a / (b / c)"),
        (t.power(t.power(A, 2), 3), "(a²)³"),
        (t.power(A, -0.5), "a^(−0.5)"),
        (t.power(A, 1.5), "a^1.5"),
        (t.function("mod", t.add(A, B), C), "((a + b) mod c)"),
        (t.function("abs", A), "|a|"),
        (t.function("sqrt", A), "√(a)"),
        (t.function("sigmoid", A), "σ(a)"),
        (t.function("sum", A), "Σ(a)"),
        (t.function("norm", A, t.number(1e-05)), "norm(a, 1e-05)"),
        (t.where(t.compare(">=", A, t.ZERO), B, t.neg(C)), "(b if a ≥ 0 else −c)"),
        (t.where(A, B, C), "(b if a else c)"),
        (t.indicator(t.compare("!=", A, B)), "[a ≠ b]"),
        (t.indicator(A), "[a ≠ 0]"),
        (t.stack((A, B)), "[a; b]"),
        (t.stack((A, B), 1), "[a, b]"),
        (t.cut(A, 0, 1, 3), "a[2:3]"),
        (t.cut(weight("W", 4), 1, 0, 2), "W[:, 1:2]"),
        (t.pick(A, 0, (0, 2)), "a[1, 3]"),
        (t.pick(weight("W", 4), 1, (3, 0)), "W[:, 4, 1]"),
        (t.repeat(A, 2), "repeat(a, 2)"),
        (t.block_sum(t.add(A, B), 3), "block_sum(a + b, 3)"),
        (t.zeros((2, 1)), "𝟎[2×1]"),
        (t.ones((1, 3)), "𝟏[1×3]"),
        (t.number(-math.inf), "−∞"),
        (Term("number", value=0.1 + 0.2), "0.30000000000000004"),
    ],
)
def test_terms_are_printed_as_in_the_grammar(term, text):
    assert plain(term) == text


@pytest.mark.parametrize(
    ("symbol", "text"),
    [
        (Symbol("h", 0), "hₜ"),
        (Symbol("h", -1, is_gradient=True), "δhₜ₋₁"),
        (Symbol("c", 0, 2), "c⁽²⁾ₜ"),
        (Symbol("c′", 1), "c′ₜ₊₁"),
        (Symbol("W_xi"), "W_xi"),
        (Symbol("phi", 0), "φₜ"),
        (Symbol("W_xphi"), "W_xφ"),
        (Symbol("lambda_"), "λ_"),
        (Symbol("sigma"), "sigma"),
        (Symbol("delta"), "delta"),
        (Symbol("layers.0.weight"), "layers.0.weight"),
        (Symbol("φ", 0), "`φ`ₜ"),
        (Symbol("if"), "`if`"),
        (Symbol("p.a b%"), "`p.a b%`"),
        (Symbol("a`\\\n"), r"`a\u{60}\u{5c}\u{a}`"),
    ],
)
def test_symbols_are_printed_so_that_no_two_are_alike(symbol, text):
    assert plain_symbol(symbol) == text
