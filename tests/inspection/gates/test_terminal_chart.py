"""Curves and strips in characters."""

import numpy as np
import pytest

from recurra.errors import ArgumentError
from recurra.inspection.gates.terminal_chart import curve_text, strip_text


def dots(lines):
    """The set dots of a chart's rows, as (row, column) counted from the top left."""
    found = set()
    for line_number, line in enumerate(lines):
        body = line[line.index(next(c for c in line if c in "┤│")) + 1 :]
        for column, character in enumerate(body):
            bits = ord(character) - 0x2800 if character != " " else 0
            for row, pair in enumerate([(0, 3), (1, 4), (2, 5), (6, 7)]):
                for side, bit in enumerate(pair):
                    if bits >> bit & 1:
                        found.add((4 * line_number + row, 2 * column + side))
    return found


def test_strip_is_as_high_as_its_numbers():
    assert strip_text(np.array([0.0, 0.001, 0.5, 0.99, 1.0, 7.0])) == " ▁▄███"


def test_a_line_from_corner_to_corner_is_a_diagonal_of_dots():
    x = np.linspace(0.0, 1.0, 50)

    *rows, _, axis = curve_text(x, [x], width=22, height=4)

    # 19 characters beside "0" and the axis are 38 columns of dots, which fall by 15 rows
    lowest = {column: max(row for row, at in dots(rows) if at == column) for column in range(38)}
    assert len(rows) == 4
    assert all(abs(lowest[column] - (15 - 15 * column / 37)) <= 1 for column in range(38))
    assert axis.split() == ["0", "0.5", "1"]


def test_ends_of_the_vertical_axis_are_named():
    top, *_, bottom, _, _ = curve_text(np.arange(3.0), [np.array([-2.0, 0.0, 4.0])], width=30)

    assert top.startswith(" 4 ┤")
    assert bottom.startswith("-2 ┤")


def test_marks_stand_at_their_places():
    x = np.linspace(0.0, 10.0, 11)

    first, *_ = curve_text(x, [np.zeros(11)], width=23, height=3, marks=[(10.0, 1.0, "B")], bounds=(0.0, 1.0))

    assert first == "1 ┤" + " " * 19 + "B"


def test_what_is_not_finite_is_left_out():
    x = np.linspace(0.0, 1.0, 11)
    half = np.where(x < 0.5, 1.0, np.nan)

    *rows, _, _ = curve_text(x, [half], width=23, height=3, bounds=(0.0, 1.0))

    assert {column for _, column in dots(rows)} == set(range(16))


def test_steep_curves_have_no_gaps():
    x = np.array([0.0, 0.5, 0.5001, 1.0])

    *rows, _, _ = curve_text(x, [np.array([0.0, 0.0, 1.0, 1.0])], width=23, height=5)

    assert {row for row, _ in dots(rows)} == set(range(20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 19}, "curve_text expected width to be an integer of at least 20, got 19"),
        ({"width": 30, "height": 1}, "curve_text expected height to be an integer of at least 2, got 1"),
    ],
)
def test_too_little_room_is_an_error(options, message):
    with pytest.raises(ArgumentError, match=message):
        list(curve_text(np.arange(3.0), [np.arange(3.0)], **options))
