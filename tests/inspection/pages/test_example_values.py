"""Numbers of a worked example in HTML and LaTeX: rounded ones stand behind ≈, with the exact ones before them."""

from __future__ import annotations

import re
from html import unescape

import pytest
import torch

from recurra.cells import find_cell
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.pages.example_part import example_part
from recurra.inspection.pages.latex_example import example_lines
from recurra.inspection.worked_example import WorkedExample, work_example


@pytest.fixture(scope="module")
def example() -> WorkedExample:
    """Each z of the first step is 1.125."""
    torch.manual_seed(0)
    cell = find_cell("elman")(1, 2)
    return work_example(cell, record_step(cell), [[0.125], [0.5]], [0, 1], init=1.0)


def html_text(example: WorkedExample, digits: int) -> str:
    """Return what a reader sees of the HTML, without spaces."""
    shown = re.sub(r"<annotation.*?</annotation>", "", example_part(example, digits).body)
    return re.sub(r"\s", "", unescape(re.sub(r"<[^>]*>", "", shown)))


def latex(example: WorkedExample, digits: int) -> str:
    return "\n".join(example_lines(example, digits, 100.0))


def test_html_has_the_exact_value_before_what_is_rounded(example: WorkedExample) -> None:
    text = html_text(example, 2)

    assert "=1.125each≈[1.11.1]" in text
    assert "=tanh1.125each≈[0.810.81]" in text


def test_html_has_an_equals_sign_before_what_is_not_rounded(example: WorkedExample) -> None:
    text = html_text(example, 4)

    assert "=[1.1251.125]" in text
    assert "=1.125each" not in text


def test_html_tells_that_what_a_step_adds_is_rounded(example: WorkedExample) -> None:
    text = html_text(example, 4)

    assert "δWy+≈[" in text
    assert "δby+=[" in text


def test_latex_has_the_exact_value_before_what_is_rounded(example: WorkedExample) -> None:
    column = r"\left[ \begin{array}{r} 1.1 \\ 1.1 \end{array} \right]"

    assert rf"= 1.125 \text{{ each}} \approx {column}" in latex(example, 2)


def test_latex_has_an_equals_sign_before_what_is_not_rounded(example: WorkedExample) -> None:
    text = latex(example, 4)

    assert r"= \left[ \begin{array}{r} 1.125 \\ 1.125 \end{array} \right]" in text
    assert r"= 1.125 \text{ each}" not in text


def test_latex_has_the_sign_of_rounding_where_there_is_no_exact_value(example: WorkedExample) -> None:
    assert r"\delta W_{y} \approx \left[" in latex(example, 4)
