"""Figures as SVG that stands in a page."""

import re
import xml.etree.ElementTree as ET

import pytest

from recurra.inspection.figures import figure_svg, new_figure


def draw(title="one & <two>"):
    figure = new_figure(4, 3)
    axes = figure.subplots()
    axes.plot([0, 1, 2], [0, 1, 0], "o-", label="a")
    axes.fill_between([0, 1, 2], [0, 1, 0])
    axes.legend()
    return figure_svg(figure, title)


def names_and_uses(svg):
    used = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    return set(re.findall(r'\bid="([^"]+)"', svg)), set(used)


def test_the_same_figure_gives_the_same_text():
    assert draw() == draw()


def test_svg_is_one_element_with_its_title():
    svg = draw()

    root = ET.fromstring(svg)
    assert svg.startswith("<svg ")
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root[0].tag.endswith("title")
    assert root[0].text == "one & <two>"


def test_a_figure_without_title_has_no_title_element():
    assert "<title>" not in draw("")


def test_nothing_reaches_out_of_the_picture():
    svg = draw()

    assert "<style" not in svg
    assert "<metadata" not in svg
    assert "font-family" not in svg
    assert not re.search(r'(href|src)="(?!#)', svg)


def test_every_name_that_is_used_is_there():
    names, used = names_and_uses(draw())

    assert used
    assert used <= names


def test_names_of_two_pictures_do_not_meet():
    first, second = names_and_uses(draw("one")), names_and_uses(draw("another"))

    assert not first[0] & second[0]


@pytest.mark.parametrize("part", ["stroke-linejoin: round", "stroke-linecap: butt"])
def test_what_the_style_sheet_said_of_all_is_said_by_the_element(part):
    assert part in draw().split(">", 1)[0]


def test_axes_of_a_figure_that_is_not_arranged_stay_where_they_are_put():
    figure = new_figure(4, 3, is_arranged=False)
    axes = figure.add_axes((0.25, 0.5, 0.5, 0.25))
    axes.set_ylabel("much\nroom")

    figure.draw_without_rendering()

    assert axes.get_position().bounds == (0.25, 0.5, 0.5, 0.25)
