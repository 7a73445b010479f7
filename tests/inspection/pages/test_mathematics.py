"""LaTeX as MathML."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from recurra.inspection.pages.mathematics import mathml


def visible_text(latex):
    """Return what is seen of an expression: all but the LaTeX beside it."""
    root = ElementTree.fromstring(mathml(latex))
    return "".join(text for part in root.iter() if part.tag != "annotation" for text in [part.text or ""])


def test_an_expression_is_an_element_with_its_latex_beside_it():
    root = ElementTree.fromstring(mathml(r"h_{t} \odot x_{t}"))

    assert root.tag == "math"
    assert root.find(".//annotation").text == r"h_{t} \odot x_{t}"
    assert visible_text(r"h_{t} \odot x_{t}") == "ht⊙xt"


def test_what_html_would_take_for_a_tag_is_escaped():
    assert "<b" not in mathml("a<b")
    assert ElementTree.fromstring(mathml("a < b & c"[:5])).find(".//annotation").text == "a < b"


@pytest.mark.parametrize(
    ("latex", "wanted"),
    [
        (r"\mathrm{softmax}(y)", "<mi>softmax</mi>"),
        (r"\max(a, b)", "<mi>max</mi>"),
        (r"x^{\top}", '<mi mathvariant="normal">&#x022A4;</mi>'),
        (r"a \;\text{+=}\; b", "<mo>+=</mo>"),
        (r"2 \cdot 3", "<mo>&#x022C5;</mo>"),
        (r"\tanh 0.5", '<mi>tanh</mi><mspace width="0.167em" /><mn>0.5</mn>'),
        (r"0.3 \tanh 0.5", '<mn>0.3</mn><mspace width="0.167em" /><mi>tanh</mi>'),
        (r"\tanh^{2}(c)", "<msup><mi>tanh</mi><mrow><mn>2</mn></mrow></msup>"),
    ],
)
def test_what_browsers_would_set_badly_is_mended(latex, wanted):
    assert wanted in mathml(latex)


@pytest.mark.parametrize("latex", [r"\sigma(-0.4)", r"a = -b", r"(x, -1)"])
def test_a_minus_before_a_number_is_told_from_one_between_two(latex):
    assert '<mo form="prefix" lspace="0" rspace="0">&#x02212;</mo>' in mathml(latex)
    assert 'form="prefix" lspace' not in mathml("a(b) - c")


def test_signs_in_an_index_take_no_room():
    assert mathml("z_{i,t-1}").count('<mo lspace="0" rspace="0">') == 2
    assert 'lspace="0"' not in mathml("(B, n) - 1")
