import pytest

from recurra.data.tables import Table, find_column, is_table
from recurra.errors import DataError


def test_columns_are_given_one_by_one_with_the_numbers_of_their_lines(write):
    table = Table(write('a,b,c\n\n1,"2\n2",3\n4,5,6\n', "table.csv"))

    (records,) = table.records(["c", None, "b"])

    assert records == ([3, 5], [["3", "6"], None, ["2\n2", "5"]])
    assert table.header() == ["a", "b", "c"]


def test_numbered_columns_begin_in_the_first_line(write):
    table = Table(write("1,2\n3,4\n", "table.csv"))

    records = list(table.records(["2", "1"]))

    assert [number for some in records for number in some.numbers] == [1, 2]
    assert [field for some in records for field in some.columns[0]] == ["2", "4"]
    assert [field for some in records for field in some.columns[1]] == ["1", "3"]


def test_reading_the_header_leaves_the_hash_alone(write):
    table = Table(write("a\nb\n", "table.csv"))
    list(table.records(["a"]))
    before = table.sha256, table.size_bytes

    table.header()

    assert (table.sha256, table.size_bytes) == before
    assert table.size_bytes == 4


def test_a_table_of_blank_lines_has_no_header(write):
    with pytest.raises(DataError, match=r"expected a header line in .*table\.csv, got blank lines only"):
        Table(write("\n\n", "table.csv")).header()


def test_the_place_of_a_column_is_found_by_its_name():
    assert find_column("b", ["a", "b"], "somewhere") == 1
    with pytest.raises(DataError, match="expected one column 'B' in somewhere, got none among 'a', 'b'"):
        find_column("B", ["a", "b"], "somewhere")


@pytest.mark.parametrize(("name", "table"), [("a.csv", True), ("a.TSV.gz", True), ("a.tab.xz", True), ("a.txt", False)])
def test_the_end_of_a_name_says_whether_a_file_has_columns(name, table):
    assert is_table(name) is table
