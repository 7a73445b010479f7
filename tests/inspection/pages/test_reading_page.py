"""How a model reads a text, as text, drawing and page."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection import reading_text
from recurra.inspection.pages.reading_page import reading_page
from tests.support.readings import made_reading
from tests.support.web_pages import faults_of


@pytest.fixture
def reading():
    log_probs = np.log([math.nan, 0.5, 0.0625, 1.0, 0.25])
    return made_reading(
        ["<a", " ", "&", "\n", "é"], log_probs=log_probs, unit="character", unknown=("<b>",), condition="x>y"
    )


def test_text_is_the_table_of_the_terminal(reading):
    assert reading_page(reading, "text", width=90) == "\n".join(reading_text(reading, 90))


def test_a_narrow_terminal_is_refused(reading):
    with pytest.raises(ArgumentError, match="reading_text expected a width of at least 60 columns, got 20"):
        reading_page(reading, "text", width=20)


def test_an_svg_is_a_file_of_its_own(reading):
    root = ElementTree.fromstring(reading_page(reading, "svg", width=90))

    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_a_page_is_sound_and_stands_alone(reading):
    assert faults_of(reading_page(reading, "html", width=90)) == []


def test_tokens_are_shown_escaped_with_what_cannot_be_seen(reading):
    page = reading_page(reading, "html", width=90)

    tokens = re.findall(r"<tr><td[^>]*>\d+</td><td[^>]*>\d+</td><td><code><bdi>(.*?)</bdi></code>", page)
    assert tokens == ["&lt;a", "␣", "&amp;", "⏎", "é"]
    assert "read for x&gt;y" in page
    assert "The run does not know these and reads them as unknown: &#x27;&lt;b&gt;&#x27;." in page


def test_a_token_is_the_darker_the_more_it_costs(reading):
    page = reading_page(reading, "html", width=90)

    spans = re.findall(r'<span style="background: rgba\(214, 110, 30, ([\d.]+)\)" title="([\d.]+) bits">', page)
    assert spans == [("0.00", "0.00"), ("0.17", "1.00"), ("0.70", "4.00"), ("0.00", "0.00"), ("0.35", "2.00")]


def test_a_row_has_probability_bits_and_the_likeliest_next_tokens(reading):
    page = reading_page(reading, "html", width=90)

    first, second, *_ = re.findall(r"<tr><td.*?</tr>", page)
    assert re.findall(r'class="number">(.*?)<', first) == ["1", "4", "–", "–"]
    assert re.findall(r'class="number">(.*?)<', second) == ["2", "5", "50.0%", "1.00"]
    assert '<td><code><bdi>&amp;</bdi></code> <span class="note">50.0%</span></td>' in second


def test_tokens_from_right_to_left_leave_their_neighbours_in_place():
    page = reading_page(made_reading(["שלום", "ab"], unit="word"), "html", width=90)

    # in the text, in the table, and as what may come next
    assert [page.count(f"<bdi>{token}</bdi>") for token in ("שלום", "ab")] == [3, 3]
    assert faults_of(page) == []


def test_one_token_alone_is_a_page_too():
    page = reading_page(made_reading(["a"]), "html", width=90)

    assert faults_of(page) == []
    assert "1 token, each a word" in page


def test_an_unknown_form_is_refused_with_those_there_are(reading):
    with pytest.raises(ChoiceError) as caught:
        reading_page(reading, "latex", width=90)

    assert "format" in str(caught.value)
    assert "text, html, svg" in str(caught.value)
