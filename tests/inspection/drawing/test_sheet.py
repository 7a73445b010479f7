"""Drawing with characters."""

from recurra.inspection.drawing.sheet import Sheet


def test_rows_end_without_blanks():
    sheet = Sheet()
    sheet.write(2, 0, "a  ")
    sheet.write(0, -1, "bc")

    assert sheet.lines() == ["bc", "  a"]
    assert sheet.span == (0, 5)


def test_wide_letters_take_two_places_and_marks_none():
    sheet = Sheet()
    sheet.write(0, 0, "循環|")
    sheet.write(0, 1, "e\u0301abc|")

    assert sheet.lines() == ["循環|", "e\u0301abc|"]
    assert sheet.span == (0, 5)


def test_a_line_upwards_goes_over_what_it_crosses():
    sheet = Sheet()
    sheet.write(0, 0, "───")
    sheet.rise(1, 1, -1)

    assert sheet.lines() == [" │", "─│─", " │"]
