from __future__ import annotations

import re
from xml.dom import minidom

import pytest
from hypothesis import given, settings

from recurra.inspection.equations.latex import latex, latex_line, latex_symbol
from recurra.inspection.equations.parsing import parse, parse_line
from recurra.inspection.equations.terms import Line, Symbol, cut, name, ones, transpose
from tests.support.random_terms import terms


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ("iₜ = σ(W_xi xₜ + W_hi hₜ₋₁)", r"i_{t} &= \sigma(W_{xi} x_{t} + W_{hi} h_{t-1})"),
        ("cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ", r"c_{t} &= f_{t} \odot c_{t-1} + i_{t} \odot g_{t}"),
        ("δcₜ = δhₜ ⊙ (1 − tanh(cₜ)²)", r"\delta c_{t} &= \delta h_{t} \odot (1 - \tanh^{2}(c_{t}))"),
        ("δW_xi += δz_iₜ xₜᵀ", r"\delta W_{xi} &\;\text{+=}\; \delta z_{i,t} x_{t}^{\top}"),
        ("δhₜ₋₁ = W_hiᵀ δz_iₜ − a", r"\delta h_{t-1} &= W_{hi}^{\top} \delta z_{i,t} - a"),
    ],
)
def test_lines_read_as_on_a_board(plain, expected):
    assert latex_line(parse_line(plain)) == expected


def test_a_line_that_stands_alone_has_no_mark_to_align_at():
    assert latex_line(parse_line("a = b"), align=False) == "a = b"


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ("a / (b + c)", r"\frac{a}{b + c}"),
        ("σ(a / b)", r"\sigma\left( \frac{a}{b} \right)"),
        ("2 · a ⊙ b", r"2\,a \odot b"),
        ("2 · 3 ⊙ b", r"2 \cdot 3 \odot b"),
        ("1e-05 · a", r"10^{-5}\,a"),
        ("a + 2.5e+20", r"a + 2.5 \cdot 10^{20}"),
        ("(δh)²", r"(\delta h)^{2}"),
        ("c⁽²⁾²", r"(c^{(2)})^{2}"),
        ("σ(a)²", r"\sigma(a)^{2}"),
        ("(aᵀ)²", r"(a^{\top})^{2}"),
        ("a^(−0.5)", "a^{-0.5}"),
        ("|a / b|", r"\left| \frac{a}{b} \right|"),
        ("√(a) ⊙ floor(b)", r"\sqrt{a} \odot \left\lfloor b \right\rfloor"),
        ("((a − s) mod period)", r"(a - s) \bmod \mathrm{period}"),
        ("Σ(a) ⊙ b", r"\left( \sum_{k} (a)_{k} \right) \odot b"),
        ("deviation(a, 1e-05)", r"\sqrt{\mathrm{var}(a) + 10^{-5}}"),
        ("norm(a, 1e-05)", r"\mathrm{norm}(a, 10^{-5})"),
        ("[a ≤ 0] ⊙ b", r"[a \le 0] \odot b"),
        ("[a; [b > 0]]", r"\begin{bmatrix} a \\ {}[b > 0] \end{bmatrix}"),
        ("[a, b]", r"\begin{bmatrix} a & b \end{bmatrix}"),
        ("a[2:3]", "(a)_{2:3}"),
        ("a[:, 1, 3]", r"(a)_{:,\,(1, 3)}"),
        ("repeat(a, 2)", r"\mathrm{repeat}(a, 2)"),
        ("𝟏[3×1] + 𝟎[2×2]", r"\mathbf{1}_{3} + \mathbf{0}"),
        ("∞", r"\infty"),
    ],
)
def test_terms_are_written_as_by_hand(plain, expected):
    assert latex(parse(plain)) == expected


def test_conditions_within_conditions_are_one_list_of_cases():
    text = latex(parse("(a if x > 0 else (b if x < −1 else c))"))

    assert text == (r"\begin{cases} a & \text{if } x > 0 \\ b & \text{if } x < -1 \\ c & \text{otherwise} \end{cases}")


def test_only_the_last_of_a_sum_is_left_open_to_the_right():
    text = latex(parse("(a if m else b) + (c if m else d)"))

    cases = r"\begin{cases} {} & \text{{if }} m \\ {} & \text{{otherwise}} \end{{cases}}".replace(
        "{cases}", "{{cases}}", 1
    )
    assert text == rf"\left( {cases.format('a', 'b')} \right) + {cases.format('c', 'd')}"


def test_rows_of_a_matrix_are_told_from_rows_of_a_column():
    assert latex(cut(name(Symbol("W"), (4, 2)), 0, 0, 2)) == r"(W)_{1:2,\,:}"


def test_ones_that_are_no_column_tell_their_size():
    assert latex(transpose(ones((3, 2)))) == r"\mathbf{1}_{2 \times 3}"


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        (Symbol("h", -1), "h_{t-1}"),
        (Symbol("h", 1), "h_{t+1}"),
        (Symbol("z_i", 0, is_gradient=True), r"\delta z_{i,t}"),
        (Symbol("c_open", 0), r"c_{\mathrm{open},t}"),
        (Symbol("period"), r"\mathrm{period}"),
        (Symbol("phi", 0), r"\phi_{t}"),
        (Symbol("φ", 0), r"\phi_{t}"),
        (Symbol("W_xpsi"), r"W_{x\psi}"),
        (Symbol("Δt"), r"\Delta t"),
        (Symbol("W1"), "W_{1}"),
        (Symbol("c", 0, 2), "c_{t}^{(2)}"),
        (Symbol("c′", 0), "c'_{t}"),
        (Symbol("c′", 0, 2), "{c'}_{t}^{(2)}"),
        (Symbol("cell.weight_ih"), r"\mathrm{cell.weight}_{ih}"),
        (Symbol("naïve"), r"\text{naïve}"),
        (Symbol("_"), r"\mathrm{\_}"),
        (Symbol("h_", 0), r"\tilde{h}_{t}"),
        (Symbol("h_′", 0), r"\tilde{h}'_{t}"),
        (Symbol("z_h_", 0), r"z_{\tilde{h},t}"),
        (Symbol("lambda_", 0), r"\lambda_{t}"),
        (Symbol("in_"), r"\mathrm{in}"),
        (Symbol("_h", 0), r"\mathrm{\_h}_{t}"),
        (Symbol("x_i_j"), "x_{i,j}"),
        (Symbol("x__i_j"), r"\mathrm{x\_\_i\_j}"),
        (Symbol("δh", 0), r"\mathrm{\delta h}_{t}"),
        (Symbol("p.a b%"), r"\mathrm{p.a\ b\%}"),
        (Symbol("{a}$^-\n"), r"\mathrm{\{a\}\$\wedge \text{-}\text{U+000A}}"),
    ],
)
def test_names_are_set_as_letters_and_words(symbol, expected):
    assert latex_symbol(symbol) == expected


def test_names_that_are_spelled_out_are_written_letter_by_letter():
    line = Line(Symbol("h_1", 0), name(Symbol("h1", 0, is_gradient=True), (3, 1)))

    text = latex_line(line, spelled_out={"h_1"})

    assert text == r"\mathrm{h\_1}_{t} &= \delta h_{1,t}"


def test_the_number_of_a_step_takes_the_place_of_t():
    line = Line(Symbol("c", 0, 2), name(Symbol("h", -1), (3, 1)))

    assert latex_line(line, align=False, at=3) == "c_{3}^{(2)} = h_{2}"
    assert latex_symbol(Symbol("W_h"), at=3) == "W_{h}"


def test_a_row_that_begins_with_a_bracket_is_not_read_as_an_option():
    assert latex(parse("[[h > 0], h]")) == r"\begin{bmatrix} {}[h > 0] & h \end{bmatrix}"


@settings(max_examples=60, deadline=None)
@given(terms())
def test_every_term_becomes_mathml(term):
    from latex2mathml.converter import convert

    text = latex_line(Line(Symbol("h", 0), term), align=False)

    document = minidom.parseString(convert(text))
    assert document.documentElement.tagName == "math"
    # a command that is not known stays as text; a backslash in a name stands alone
    assert not re.search(r"\\[^<]", document.toxml())
