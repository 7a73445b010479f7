"""Formulas found from numbers at several sizes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.inspection.anatomy.builds import _multiples
from recurra.inspection.anatomy.formulas import EQUAL_SIZES, SIZES, fit, formula, shape_formula

factors = st.integers(-9, 9)


def at(function, sizes=SIZES):
    return [function(d, n) for d, n in sizes]


@pytest.mark.parametrize(
    ("width", "wanted"),
    [
        (lambda d, n: 4 * n, "4n"),
        (lambda d, n: d, "d"),
        (lambda d, n: 2 * d + 3 * n + 1, "2d + 3n + 1"),
        (lambda d, n: 2 * d - n - 1, "2d - n - 1"),
        (lambda d, n: 3 * n // 4, "3n/4"),
        (lambda d, n: 7, "7"),
        (lambda d, n: 0, "0"),
        (lambda d, n: d * n, ""),
        (max, ""),
    ],
)
def test_widths_become_formulas(width, wanted):
    assert formula(at(width)) == wanted


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (lambda d, n: 4 * (n * d + n * n) + 8 * n, "4n(d + n) + 8n"),
        (lambda d, n: n * d + n * n, "n(d + n)"),
        (lambda d, n: 3 * n * d + 2 * n * n + 1, "n(3d + 2n) + 1"),
        (lambda d, n: 4 * n * d + 5 * n * n // 2, "n(8d + 5n)/2"),
        (lambda d, n: 2 * d * d + 2 * d * n, "2d(d + n)"),
        (lambda d, n: d * d + n * n, "d² + n²"),
        (lambda d, n: d * d + d * n + n * n, "d² + dn + n²"),
        (lambda d, n: 2 * d * n + n, "2dn + n"),
        (lambda d, n: 6 * n * n - 2 * n * d, "-2n(d - 3n)"),
        (lambda d, n: n**3, ""),
        (lambda d, n: n * n if n > 20 else 0, ""),
    ],
)
def test_counts_become_formulas_as_lecturers_write_them(count, wanted):
    assert formula(at(count), degree=2) == wanted


@given(factors, factors, factors, factors, factors, factors)
def test_a_formula_reads_as_the_numbers_that_it_was_found_from(a, b, c, e, f, g):
    def count(d, n):
        return a * d * d + b * d * n + c * n * n + e * d + f * n + g

    text = formula(at(count), degree=2).replace("²", "**2").replace("dn", "d*n")
    for letter in "dn(":
        text = "".join(
            f"*{char}" if char == letter and k and text[k - 1].isalnum() else char for k, char in enumerate(text)
        )

    assert [eval(text, {"d": d, "n": n}) for d, n in [(3, 4), (7, 5), (1, 1)]] == at(count, [(3, 4), (7, 5), (1, 1)])


def test_other_letters_can_stand_for_the_sizes():
    assert formula(at(lambda d, n: d + 2 * n), letters=("I", "H")) == "I + 2H"


def test_where_both_sizes_are_one_the_formula_is_in_that_one():
    counts = at(lambda d, n: 3 * d * n + n, EQUAL_SIZES)

    assert formula(counts, EQUAL_SIZES, degree=2) == "3n² + n"


def test_a_polynomial_can_be_evaluated_elsewhere():
    found = fit(at(lambda d, n: d * n // 8 + n))

    assert found.at(3, 5) == Fraction(15, 8) + 5


@pytest.mark.parametrize(("input_size", "hidden_size"), [(3, 4), (1, 1), (10, 5), (7, 100)])
def test_multiples_of_any_sizes_tell_a_formula(input_size, hidden_size):
    sizes = _multiples(input_size, hidden_size)

    assert formula(at(lambda d, n: 4 * n * (d + n) + n, sizes), sizes, degree=2) == "4n(d + n) + n"


def test_too_few_sizes_are_an_error_and_no_wrong_formula():
    with pytest.raises(ValueError, match="2 sizes tell no polynomial of degree 1"):
        fit([1, 2], SIZES[:2], degree=1)


def test_a_width_without_a_formula_is_shown_as_it_is():
    shapes = at(lambda d, n: (2 * n, d * n))

    assert shape_formula(shapes) == "(2n, 960 at d = 24, n = 40)"
    assert shape_formula(at(lambda d, n: (n,)), letters=("I", "H")) == "(H,)"
