"""Names that look alike, on the page of a cell that has such."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from recurra.inspection.pages.building import build_page
from recurra.inspection.pages.html_page import html_page
from recurra.inspection.pages.latex_document import latex_document
from recurra.inspection.pages.page import Page
from recurra.inspection.pages.wishes import Wishes
from tests.support.web_pages import faults_of


class Confusing(nn.Module):
    """Uses names that are easily taken for each other."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W = nn.Parameter(torch.ones(hidden_size, input_size))
        self.W_ = nn.Parameter(torch.ones(hidden_size, hidden_size))
        self.scales = nn.ParameterDict({"a <b>% & c": nn.Parameter(torch.ones(hidden_size))})

    def forward(self, x: torch.Tensor, h: torch.Tensor | None = None) -> torch.Tensor:
        if h is None:
            h = x.new_zeros(len(x), self.hidden_size)
        h1 = torch.tanh(x @ self.W.T)
        h_1 = torch.sigmoid(h @ self.W_.T) * self.scales["a <b>% & c"]
        h_ = h1 * h_1
        h = h1 + h_1 * h + h_
        return h


@pytest.fixture(scope="module")
def page() -> Page:
    return replace(build_page(Confusing, "text", Wishes()), parts=("equations", "derivative", "anatomy"))


def test_a_name_that_looks_like_another_is_spelled_out(page: Page) -> None:
    assert page.spelled_out == {"h1"}


def test_pages_of_registered_cells_spell_nothing_out() -> None:
    assert build_page("lstm", "text", Wishes()).spelled_out == frozenset()


def test_equations_and_derivative_in_latex_have_different_names(page: Page) -> None:
    document = latex_document(page)

    assert r"\mathrm{h1}_{t} &= \tanh(W x_{t})" in document
    assert r"h_{1,t} &= \sigma(\tilde{W} h_{t-1}) \odot \mathrm{scales.a\ <b>\%\ \&\ c}" in document
    assert r"\tilde{h}_{t} &= \mathrm{h1}_{t} \odot h_{1,t}" in document
    assert r"\delta \mathrm{h1}_{t} &" in document
    assert r"W$, " not in document


def test_the_page_of_html_is_sound(page: Page) -> None:
    written = html_page(page)

    assert faults_of(written) == []
    assert r'<annotation encoding="application/x-tex">\mathrm{h1}_{t}</annotation>' in written
    assert r'<annotation encoding="application/x-tex">\tilde{W}</annotation>' in written
    assert r"\mathrm{scales.a\ &lt;b&gt;\%\ \&amp;\ c}" in written
