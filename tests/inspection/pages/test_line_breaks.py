"""Where equations are broken."""

from __future__ import annotations

import pytest

from recurra.inspection.pages.line_breaks import broken, latex_width, pieces

LONG = r"\delta h_{t} \odot (1 - z_{t}) + W_{hn}^{\top} \delta a_{n,t} \odot r_{t} - W_{hr}^{\top} \delta a_{r,t}"


def joined(parts):
    """Return the text that was broken."""
    return " ".join(part.removeprefix("{} ") for part in parts)


def test_a_short_term_stays_whole():
    assert pieces("a + b", 20) == ["a + b"]


def test_a_sum_is_broken_before_its_signs():
    assert pieces(LONG, 14) == [
        r"\delta h_{t} \odot (1 - z_{t})",
        r"{} + W_{hn}^{\top} \delta a_{n,t} \odot r_{t}",
        r"{} - W_{hr}^{\top} \delta a_{r,t}",
    ]


def test_a_product_is_broken_where_a_summand_alone_is_too_wide():
    assert pieces(r"a \odot b + c", 3) == ["a", r"{} \odot b", "{} + c"]


@pytest.mark.parametrize(
    "latex",
    [
        r"\left( a + b \right)",
        r"\frac{a + b}{c - d}",
        r"\begin{cases} a + b & \text{if } c \\ d - e & \text{otherwise} \end{cases}",
        r"-a_{t}",
        r"x_{t + 1}",
    ],
)
def test_what_must_stay_together_is_not_broken(latex):
    assert pieces(latex, 0.5) == [latex]


def test_an_accent_takes_no_room():
    assert latex_width(r"\tilde{h}_{t}") == latex_width("h_{t}")


def test_parentheses_are_broken_only_where_nothing_outside_of_them_can_be():
    assert pieces("f(a + b) + c", 8) == ["f(a + b)", "{} + c"]
    assert pieces("f(a + b) + c", 5) == ["f(a", "{} + b)", "{} + c"]
    assert pieces(r"f(a \odot (b - c))", 10) == ["f(a", r"{} \odot (b - c))"]


@pytest.mark.parametrize("width", [1, 5, 10, 20, 40])
def test_nothing_is_lost_where_a_term_is_broken(width):
    assert joined(pieces(LONG, width)) == LONG
    assert joined(broken(LONG, width)).replace("{} ", "") == LONG


def test_lines_are_as_full_as_can_be():
    lines = broken(LONG, 30)

    assert len(lines) == 2
    assert all(latex_width(line) <= 30 for line in lines)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("a", "a b"),
        ("a_{bc}", "abc"),
        (r"\frac{a}{b c d}", r"a b c d"),
        (r"\sigma", r"\tanh"),
        (r"\begin{bmatrix} a \\ b \\ c \end{bmatrix}", r"a b c d e"),
    ],
)
def test_what_comes_out_wider_is_counted_as_wider(narrow, wide):
    assert latex_width(narrow) < latex_width(wide)


def test_of_a_fraction_the_wider_half_counts():
    assert latex_width(r"\frac{a b c d}{e}") == latex_width("a b c d") == 4
