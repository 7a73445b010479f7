"""Names in a sentence."""

from __future__ import annotations

import pytest

from recurra.inspection.pages.inline_mathematics import size_latex, with_mathematics


def marked(text):
    return with_mathematics(text, str, lambda latex: f"«{latex}»")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("back through W_hn to hₜ₋₁", r"back through «W_{hn}» to «h_{t-1}»"),
        ("(rₜ ⊙ hₜ₋₁)", r"(«r_{t}» ⊙ «h_{t-1}»)"),
        ("element by element: c_openₜ, ψₜ", r"element by element: «c_{\mathrm{open},t}», «\psi_{t}»"),
        ("normalized⁽¹⁾ₜ and period′ₜ", r"«\mathrm{normalized}_{t}^{(1)}» and «\mathrm{period}'_{t}»"),
        ("δv, δhₜ and δW_hh", r"«\delta v», «\delta h_{t}» and «\delta W_{hh}»"),
        ("from step t + 1", "from step «t + 1»"),
        ("one product (T·B, d) × (d, 4n)", r"one product «(T \cdot B, d)» × «(d, 4n)»"),
        ("element by element (17n operations a row)", "element by element («17n» operations a row)"),
        ("n(d + 2) of n²", "«n(d + 2)» of «n^{2}»"),
    ],
)
def test_names_and_sizes_become_mathematics(text, wanted):
    assert marked(text) == wanted


@pytest.mark.parametrize("text", ["clamp_min and weight_ih", "don't, isn't", "cell.weight_hh", "a batch (of rows)", ""])
def test_words_stay_words(text):
    assert marked(text) == text


def test_words_are_written_by_their_own_writer():
    assert with_mathematics("a & hₜ", lambda text: text.replace("&", "&amp;"), str) == "a &amp; h_{t}"


def test_a_formula_of_sizes_is_latex_but_for_squares_and_dots():
    assert size_latex("4n(d + n) + n²") == "4n(d + n) + n^{2}"
