from __future__ import annotations

import pytest
import sympy
from sympy import Rational, exp, log, sqrt, tanh

from recurra.inspection.equations import terms
from recurra.inspection.worked_example.exact_text import exact_latex, exact_plain
from recurra.inspection.worked_example.symbols import work_out

HALF = Rational(1, 2)
INNER = Rational(11, 10) + Rational(3, 10) * tanh(HALF)


@pytest.mark.parametrize(
    ("value", "plain", "latex"),
    [
        (sympy.S(0), "0", "0"),
        (sympy.S(10), "10", "10"),
        (Rational(105, 100), "1.05", "1.05"),
        (Rational(-1, 2), "−0.5", "-0.5"),
        (Rational(1, 3), "1/3", r"\frac{1}{3}"),
        (INNER, "1.1 + 0.3 tanh 0.5", r"1.1 + 0.3 \tanh 0.5"),
        (tanh(INNER), "tanh(1.1 + 0.3 tanh 0.5)", r"\tanh(1.1 + 0.3 \tanh 0.5)"),
        (1 - tanh(HALF) ** 2, "1 − (tanh 0.5)²", r"1 - (\tanh 0.5)^{2}"),
        (-log(2), "−log 2", r"-\log 2"),
        (-1 - log(2), "−1 − log 2", r"-1 - \log 2"),
        (tanh(HALF) / 3, "(1/3) tanh 0.5", r"\frac{1}{3} \tanh 0.5"),
        (tanh(HALF) * log(3), "log(3) tanh 0.5", r"\log(3) \tanh 0.5"),
        (tanh(1) ** 3 / log(3), "(tanh 1)³ / log 3", r"\frac{(\tanh 1)^{3}}{\log 3}"),
        (1 / (1 + exp(Rational(1, 10))), "1 / (1 + exp(0.1))", r"\frac{1}{1 + \exp(0.1)}"),
        (sqrt(2), "√2", r"\sqrt{2}"),
        (sqrt(tanh(HALF)), "√(tanh 0.5)", r"\sqrt{\tanh 0.5}"),
        (exp(1), "e", "e"),
    ],
)
def test_exact_numbers_read_as_a_person_writes_them(value, plain, latex):
    assert exact_plain(value) == plain
    assert exact_latex(value) == latex


def test_the_logistic_function_is_a_sigma():
    argument = terms.number(0.5)

    product = terms.mul(terms.function("sigmoid", argument), terms.function("tanh", argument))
    value = work_out(product, {}, (1, 1)).exact[0, 0]

    assert exact_plain(value) == "σ(0.5) tanh 0.5"
    assert exact_latex(value) == r"\sigma(0.5) \tanh 0.5"
