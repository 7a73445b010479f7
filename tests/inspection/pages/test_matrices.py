"""Numbers as LaTeX."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.inspection.pages.matrices import matrix_latex, number_latex


def test_a_number_stands_without_brackets():
    assert matrix_latex(np.array([[0.25]]), 4) == "0.25"


def test_a_matrix_has_its_rows_below_each_other():
    assert matrix_latex(np.array([[1.0, -2.5], [3.0, 4.0]]), 4) == (
        r"\left[ \begin{array}{rr} 1 & -2.5 \\ 3 & 4 \end{array} \right]"
    )


def test_of_a_large_matrix_the_first_and_the_last_entries_are_shown():
    latex = matrix_latex(np.arange(100.0).reshape(10, 10), 4)

    assert latex.startswith(r"\left[ \begin{array}{rrrrrrr} 0 & 1 & 2 & 3 & \cdots & 8 & 9 \\")
    assert latex.count(r"\vdots") == 7
    assert r"90 & 91 & 92 & 93 & \cdots & 98 & 99 \end{array}" in latex
    assert "44" not in latex


@pytest.mark.parametrize(
    ("number", "digits", "wanted"),
    [
        (1 / 3, 4, "0.3333"),
        (-1.5e-7, 3, r"-1.5 \cdot 10^{-7}"),
        (-0.0, 4, "0"),
        (2e20, 2, r"2 \cdot 10^{20}"),
        (5.0, 4, "5"),
    ],
)
def test_a_number_has_so_many_significant_digits(number, digits, wanted):
    assert number_latex(number, digits) == wanted
