from __future__ import annotations

import numpy as np
import pytest
import sympy
from sympy import Rational

from recurra.inspection.equations import terms
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.worked_example.symbols import given, work_out

A = Symbol("a", 0)


def column(*entries):
    return np.array(entries, dtype=np.float64).reshape(-1, 1)


def worked(term, *entries):
    return work_out(term, {A: given(column(*entries))}, term.shape)


def test_short_decimals_are_exact():
    value = given(column(0.1, -2.5))

    assert value.exact.ravel().tolist() == [Rational(1, 10), Rational(-5, 2)]


@pytest.mark.parametrize("number", [0.1 + 0.2, 1 / 3, float("nan"), float("inf")])
def test_numbers_that_nobody_wrote_are_not_exact(number):
    assert given(column(0.5, number)).exact is None


def test_large_matrices_are_not_exact():
    assert given(np.zeros((17, 1))).exact is None
    assert given(np.zeros((16, 1))).exact is not None


@pytest.mark.parametrize(
    "name", ["sigmoid", "tanh", "relu", "softplus", "exp", "log", "sqrt", "abs", "sin", "cos", "softmax", "sum", "mean"]
)
def test_exact_functions_equal_the_numbers(name):
    a = terms.name(A, (3, 1))
    shape = (1, 1) if name in ("sum", "mean") else (3, 1)

    value = worked(terms.function(name, a, shape=shape), 0.5, 1.25, 2.0)

    assert value.exact is not None
    np.testing.assert_allclose(value.exact.astype(np.float64), value.number, rtol=1e-14)


def test_relu_is_exact_below_zero_too():
    value = worked(terms.function("relu", terms.name(A, (2, 1))), -0.5, 0.5)

    assert value.exact.ravel().tolist() == [0, Rational(1, 2)]


def test_softmax_of_equal_entries_is_a_fraction():
    value = worked(terms.function("softmax", terms.function("tanh", terms.name(A, (3, 1)))), 0.5, 0.5, 0.5)

    assert value.exact.ravel().tolist() == [Rational(1, 3)] * 3


@pytest.mark.parametrize(
    "term",
    [
        terms.function("floor", terms.name(A, (1, 1))),
        terms.where(terms.compare("<", terms.name(A, (1, 1)), terms.ONE), terms.ONE, terms.ZERO),
    ],
)
def test_what_has_no_exact_form_is_a_number_only(term):
    value = worked(term, 0.5)

    assert value.exact is None
    assert value.number.shape == (1, 1)


def test_logarithms_of_zero_are_numbers_only():
    value = worked(terms.function("log", terms.name(A, (1, 1))), 0.0)

    assert value.exact is None
    assert value.number.item() == -np.inf


def test_long_expressions_are_given_up():
    value = given(column(0.5))
    term = terms.name(A, (1, 1))
    for _ in range(8):
        term = terms.function("tanh", terms.add(terms.mul(term, term), terms.function("sigmoid", term)))

    found = work_out(term, {A: value}, (1, 1))

    assert found.exact is None
    assert np.isfinite(found.number).all()


def test_what_is_made_of_an_inexact_value_is_inexact():
    value = given(column(1 / 3))

    assert work_out(terms.name(A, (1, 1)), {A: value}, (1, 1)).exact is None
    assert (value + given(column(0.5))).exact is None


def test_sums_of_values_are_exact():
    total = given(column(0.5)) + given(column(0.25))

    assert total.exact.item() == Rational(3, 4)
    assert total.number.item() == 0.75


def test_results_are_stretched_to_the_shape_of_their_symbol():
    value = work_out(terms.number(2), {}, (3, 1))

    assert value.number.tolist() == [[2.0]] * 3
    assert value.exact.ravel().tolist() == [sympy.Integer(2)] * 3


@pytest.mark.parametrize(
    ("number", "digits", "is_rounded"),
    [(0.5, 1, False), (0.25, 1, True), (0.25, 2, False), (0.1 + 0.2, 4, False), (1 / 3, 4, True), (1e300, 1, False)],
)
def test_a_value_is_rounded_where_digits_are_left_out(number, digits, is_rounded):
    assert given(column(1.0, number)).is_rounded(digits) is is_rounded


def test_a_value_that_is_no_decimal_is_rounded_however_near_it_is():
    value = worked(terms.function("tanh", terms.name(A, (1, 1))), 25.0)

    assert value.number.item() == 1.0
    assert value.is_rounded(4)


def test_what_float64_cannot_hold_has_no_exact_form():
    value = worked(terms.mul(terms.number(4), terms.name(A, (1, 1))), 1e308)

    assert value.number.item() == float("inf")
    assert value.exact is None


def test_numbers_of_many_digits_are_given_up():
    value = given(column(1.5))
    for _ in range(40):
        value = work_out(terms.div(terms.name(A, (1, 1)), terms.number(1.001)), {A: value}, (1, 1))

    assert value.exact is None
