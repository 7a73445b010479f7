from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.evaluation import evaluate, run_lines
from recurra.inspection.equations.parsing import parse, parse_line
from recurra.inspection.equations.terms import Line, Symbol, Term

A, B = Symbol("a"), Symbol("b")
H, H_BEFORE = Symbol("h", 0), Symbol("h", -1)
GENERATOR = np.random.default_rng(0)
COLUMN = GENERATOR.normal(size=(4, 1))
MATRIX = GENERATOR.normal(size=(4, 4))
VALUES = {A: COLUMN, B: MATRIX}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + 1 − a / 2", COLUMN + 1 - COLUMN / 2),
        ("2 · a ⊙ b", 2 * COLUMN * MATRIX),
        ("b b a", MATRIX.dot(MATRIX).dot(COLUMN)),
        ("bᵀ a", MATRIX.transpose().dot(COLUMN)),
        ("−a² + b^(−2)", MATRIX**-2.0 - COLUMN * COLUMN),
        ("(a if a > 0 else b)", [[c if c > 0 else x for x in row] for (c,), row in zip(COLUMN, MATRIX, strict=True)]),
        ("[a ≤ 0]", [[1.0 if c <= 0 else 0.0] for (c,) in COLUMN]),
        ("[a; 3 · a]", [*COLUMN, *(3 * COLUMN)]),
        ("[a, b]", [[c, *row] for (c,), row in zip(COLUMN, MATRIX, strict=True)]),
        ("[a; 1]", [*COLUMN, [1.0]]),
        ("[b; 1]", [*MATRIX, [1.0] * 4]),
        ("b[2:3]", MATRIX[[1, 2]]),
        ("b[:, 2:3]", MATRIX[:, [1, 2]]),
        ("b[4, 1]", [MATRIX[3], MATRIX[0]]),
        ("b[:, 4, 1]", np.stack([MATRIX[:, 3], MATRIX[:, 0]], 1)),
        ("repeat(a, 2)", [row for row in COLUMN for _ in range(2)]),
        ("block_sum(b, 2)", [MATRIX[0] + MATRIX[1], MATRIX[2] + MATRIX[3]]),
        ("𝟏[1×4] a + 𝟎[1×1]", [[COLUMN.sum()]]),
    ],
)
def test_operations_compute_what_they_say(text, expected):
    value = evaluate(parse(text), VALUES)

    assert value.dtype == np.float64
    np.testing.assert_allclose(value, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("relation", "expected"),
    [("<", [1, 0, 0]), ("<=", [1, 1, 0]), (">", [0, 0, 1]), (">=", [0, 1, 1]), ("==", [0, 1, 0]), ("!=", [1, 0, 1])],
)
def test_relations_give_one_and_zero(relation, expected):
    values = {A: np.array([[1.0], [2.0], [3.0]])}

    value = evaluate(t.compare(relation, t.name(A, (3, 1)), t.number(2)), values)

    np.testing.assert_array_equal(value, np.array([expected]).T)


def test_the_branch_that_is_not_taken_gives_no_warning():
    values = {A: np.array([[0.0], [1.0]])}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = evaluate(parse("(log(a) if a > 0 else 1 / a)"), values)

    np.testing.assert_array_equal(value, [[math.inf], [0.0]])


def test_exact_numbers_stay_exact():
    sympy = pytest.importorskip("sympy")
    functions = {"tanh": np.vectorize(sympy.tanh, otypes=[object])}
    values = {A: np.array([[sympy.Symbol("u")], [sympy.Integer(0)]], dtype=object)}
    term = parse("tanh(2 · a)² + 0.5")

    value = evaluate(term, values, functions, lambda number: sympy.Rational(str(number)))

    assert value.tolist() == [[sympy.tanh(2 * sympy.Symbol("u")) ** 2 + sympy.Rational(1, 2)], [sympy.Rational(1, 2)]]


def test_lines_see_what_lines_before_them_gave():
    lines = [parse_line("z = hₜ₋₁ + 1"), parse_line("hₜ = 2 · z"), parse_line("z = hₜ ⊙ z")]

    values = run_lines(lines, {H_BEFORE: np.array([[3.0]])})

    assert {symbol: value.item() for symbol, value in values.items()} == {H_BEFORE: 3, H: 8, Symbol("z"): 32}


def test_sums_begin_at_nothing_and_add_to_what_is_there():
    lines = [parse_line("δa += 2"), parse_line("δa += 3"), parse_line("δb += 4")]
    given = {Symbol("b", is_gradient=True): np.array([[1.0]])}

    values = run_lines(lines, given)

    assert values[Symbol("a", is_gradient=True)].item() == 5
    assert values[Symbol("b", is_gradient=True)].item() == 5
    assert given[Symbol("b", is_gradient=True)].item() == 1


def test_a_symbol_without_a_value_is_named():
    with pytest.raises(ArgumentError) as caught:
        run_lines([Line(H, t.name(H_BEFORE, (1, 1)))], {A: COLUMN, H: COLUMN})

    assert caught.value.message == "evaluate expected a value for hₜ₋₁, got values for a, hₜ"


def test_a_vector_that_is_no_column_is_refused():
    with pytest.raises(ArgumentError) as caught:
        evaluate(t.name(A, (3, 1)), {A: np.zeros(3)})

    assert caught.value.message == "evaluate expected the value of a to be a matrix, got shape (3,)"
    assert caught.value.hint == "a vector is a column of shape (n, 1), a number is of shape (1, 1)"


def test_a_function_that_is_not_given_is_named():
    with pytest.raises(ChoiceError) as caught:
        evaluate(Term("function", (t.ONE,), "tan"), {}, {"tanh": np.tanh})

    assert caught.value.message == "expected the function in a term to be one of tanh; got 'tan'"
