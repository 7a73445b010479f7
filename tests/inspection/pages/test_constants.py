"""The constants of a cell: where equations name them, a page says what they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest
import torch
from torch import nn

from recurra.cells import find_cell
from recurra.inspection.explanation import explain_cell
from recurra.inspection.pages.building import build_page, explain_page
from recurra.inspection.pages.constants import constants_text
from recurra.inspection.pages.html_page import html_page
from recurra.inspection.pages.latex_document import latex_document
from recurra.inspection.pages.page import Page
from recurra.inspection.pages.wishes import Wishes


class Decaying(nn.Module):
    """Forgets at rates that are given, and mixes by a matrix that is given."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.joint = nn.Linear(input_size, hidden_size)
        self.register_buffer("alpha", 1 / torch.arange(2.0, hidden_size + 2))
        self.register_buffer("dt", torch.tensor(0.1))
        self.register_buffer("mixing", torch.arange(float(hidden_size**2)).view(hidden_size, -1) / 16)

    def forward(self, x: torch.Tensor, h: torch.Tensor | None = None) -> torch.Tensor:
        if h is None:
            h = x.new_zeros(len(x), self.hidden_size)
        return self.dt * (h @ self.mixing.T) + self.alpha * torch.tanh(self.joint(x))


@pytest.fixture(scope="module")
def page() -> Page:
    return replace(build_page(Decaying, "text", Wishes()), parts=("equations",))


def test_text_lists_names_shapes_and_numbers_that_are_few(page: Page) -> None:
    lines = list(constants_text(page.explanation.step, digits=3))

    assert sorted(lines) == ["dt      1×1  = 0.1", "mixing  4×4", "α       4×1  ≈ (0.5, 0.333, 0.25, 0.2)ᵀ"]


def test_a_small_matrix_is_written_row_by_row() -> None:
    page = build_page(Decaying, "text", Wishes(hidden_size=2))

    assert "mixing  2×2  = [0 0.0625; 0.125 0.1875]" in list(constants_text(page.explanation.step, digits=4))


def test_the_text_page_has_them_below_the_equations() -> None:
    lines = [line.strip() for line in explain_page(Decaying).splitlines()]

    place = lines.index("Constants")
    assert place < lines.index("Backward")
    assert lines[place + 1] == "Neither given nor trained; at an input of 3 and a state of 4:"
    assert "dt      1×1  = 0.1" in lines[place + 2 : place + 5]


def test_the_html_page_has_them_in_a_table(page: Page) -> None:
    written = html_page(page)

    table = re.search(r'<h3 id="equations-constants">Constants</h3>.*?</table>', written, re.S)
    assert table is not None
    formulas = [unescape(found) for found in re.findall(r'"application/x-tex">(.*?)</annotation>', table[0])]
    assert formulas[formulas.index(r"\mathrm{dt}") :][:3] == [r"\mathrm{dt}", r"1 \times 1", "= 0.1"]
    after_mixing = formulas[formulas.index(r"\mathrm{mixing}") + 1 :]
    assert after_mixing[0] == r"4 \times 4"
    assert not after_mixing[1:2] or not after_mixing[1].startswith(("=", r"\approx"))


def test_the_document_has_them_aligned(page: Page) -> None:
    document = latex_document(page)

    constants = document[document.index(r"\subsubsection*{Constants}") :]
    assert r"\mathrm{mixing} &\in \mathbb{R}^{4 \times 4}" in constants
    assert r"\alpha &\in \mathbb{R}^{4 \times 1}, & \alpha &\approx \left[ \begin{array}{r} 0.5 \\ 0.3333" in constants


@pytest.mark.parametrize("write", [html_page, latex_document])
def test_a_cell_without_constants_has_no_such_heading(write: Callable[[Page], str]) -> None:
    page = replace(build_page("elman", "text", Wishes()), parts=("equations",))

    assert "Constants" not in write(page)


def test_the_constants_of_the_unitary_cell_are_told() -> None:
    step = explain_cell(find_cell("unitary")(3, 4)).step

    assert list(constants_text(step, digits=4)) == ["re′  4×4", "im′  4×4"]
