"""An explanation as a page of HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
import torch
from torch import nn

from recurra.inspection.pages.building import build_page
from recurra.inspection.pages.html_page import html_page
from recurra.inspection.pages.page import PARTS
from recurra.inspection.pages.wishes import Wishes
from tests.support.web_pages import faults_of


class Peculiar(nn.Module):
    """Adds <script>alert(1)</script> & "more".

    And so on.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight = nn.Parameter(torch.linspace(-1.0, 1.0, hidden_size * input_size).view(hidden_size, input_size))

    def forward(self, x, hidden_state=None):
        if hidden_state is None:
            hidden_state = x.new_zeros(len(x), self.hidden_size)
        größe = x @ self.weight.T
        return torch.sigmoid(größe) * hidden_state


@pytest.fixture(scope="module")
def pages():
    """The pages of a cell without gates, of one with many, and of somebody's own."""
    pages = {name: build_page(name, "html", Wishes()) for name in ("elman", Peculiar)}
    gated = build_page("phased-lstm", "text", Wishes(gate=True))
    return {**pages, "phased-lstm": replace(gated, parts=("equations", "derivative", "gates"))}


@pytest.fixture(scope="module")
def written(pages):
    return {name: html_page(page) for name, page in pages.items()}


def text_of(page, name):
    """Return the section of a page without tags."""
    section = re.search(rf'<section id="{name}">.*?</section>', page, re.S)[0]
    section = re.sub(r"<annotation.*?</annotation>", "", section, flags=re.S)
    return unescape(re.sub(r"<[^>]+>", "", section))


@pytest.mark.parametrize("name", ["elman", "phased-lstm", Peculiar])
def test_a_page_is_sound_and_stands_alone(written, name):
    assert faults_of(written[name]) == []
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", written[name])


def test_a_page_has_all_its_parts_in_order(written):
    found = re.findall(r'<section id="(\w+)">', written["elman"])

    assert found == list(PARTS)


def test_only_parts_that_are_asked_for_are_written(pages):
    page = html_page(replace(pages["elman"], parts=("equations", "anatomy")))

    assert re.findall(r'<section id="(\w+)">', page) == ["equations", "anatomy"]
    assert faults_of(page) == []


def test_the_header_tells_name_summary_source_and_notes(written):
    header = re.search("<header>.*?</header>", written["elman"], re.S)[0]

    assert "<h1>ElmanCell<code>elman</code></h1>" in header
    assert "Plain recurrence, as in torch.nn.RNN." in header
    assert "Elman 1990" in header
    assert "vectors are columns" in header


def test_what_somebody_else_wrote_is_escaped(written):
    page = written[Peculiar]

    assert "Adds &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;." in page
    assert "And so on" not in page
    assert "größe" in page


def test_equations_name_file_and_line_and_no_folder(written):
    page = written[Peculiar]

    assert re.search(
        r'<td class="place" title="return torch.sigmoid\(größe\) \* hidden_state">test_html_page.py:\d+</td>', page
    )
    assert __file__.rpartition("/")[0] not in page


def test_the_derivative_stands_in_groups_behind_what_delta_means(written):
    page = written["elman"]

    assert "δv is the derivative of the loss" in text_of(page, "derivative")
    titles = re.findall(r'<h3 id="derivative-\d">(.*?)</h3>', page)
    assert titles == [
        "Back through the step",
        "To the step before, and to the input",
        "Weights, summed over all steps and rows",
    ]


def test_the_anatomy_has_shapes_formulas_and_places(written):
    page, text = written["elman"], text_of(written["elman"], "anatomy")

    assert '<annotation encoding="application/x-tex">n(d + n) + 2n = 36</annotation>' in page
    assert "<code>weight_ih</code>" in page
    assert "inside the loop, step by step" in text
    assert ": one product (T⋅B,d) × (d,n)" in text


def test_each_step_of_the_example_has_its_numbers_and_the_check_is_told(pages, written):
    page, example = written["elman"], pages["elman"].example

    for way, sections in (("forward", example.forward[:2]), ("backward", example.backward)):
        for section in sections:
            assert f'id="example-{way}-{section.step}"' in page
    (h_1,) = example.rows("h₁")
    assert f"{h_1.array[0, 0]:.4g}".removeprefix("-") in text_of(page, "example")
    assert "from the future: no step follows" in page
    assert "Checked against torch" in page


def test_gates_are_drawn_where_there_are_some(written):
    assert "Time gates of PhasedLSTMCell" in written["phased-lstm"]
    assert "Response curves of PhasedLSTMCell" in written["phased-lstm"]


def test_digits_are_those_asked_for(pages):
    page = replace(pages["elman"], digits=9, parts=("example",))
    (h_1,) = page.example.rows("h₁")

    assert f"{abs(h_1.array[0, 0]):.9g}" in html_page(page)
