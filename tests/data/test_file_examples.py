import pytest

from recurra.data.example_blocks import WantedColumns
from recurra.data.file_examples import is_plain, iter_file
from recurra.errors import DataError, EncodingError

ANY = WantedColumns(None, None, None, True)


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.txt", True), ("a", True), ("a.text.gz", True), ("a.csv", False), ("a.JSONL.gz", False), ("a.parquet", False)],
)
def test_the_end_of_a_name_says_what_a_file_is(tmp_path, name, plain):
    assert is_plain(tmp_path / name) is plain


def test_lines_of_a_text_file_are_numbered_from_1(write):
    blocks = list(iter_file(write("a\n\nb", "x.txt"), WantedColumns(None, "file", None, True)))

    assert [text for block in blocks for text in block.texts] == ["a", "", "b"]
    assert [label for block in blocks for label in block.labels] == ["x"] * 3
    assert [block.origin(index).split(" of ")[0] for block in blocks for index in range(len(block.texts))] == [
        "line 1",
        "line 2",
        "line 3",
    ]


@pytest.mark.parametrize("wanted", [WantedColumns("mood", None, None, True), WantedColumns(None, "mood", None, False)])
def test_a_text_file_has_no_columns(write, wanted):
    with pytest.raises(DataError, match=r"expected a table for the column 'mood', got .*x\.txt") as caught:
        list(iter_file(write("a", "x.txt"), wanted))

    assert ".jsonl" in caught.value.hint


def test_a_whole_json_file_and_arrays_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected JSON lines, got .*a\.json\n") as caught:
        iter_file(tmp_path / "a.json", ANY)
    with pytest.raises(DataError, match=r"expected texts, got .*a\.npz, which holds arrays of numbers"):
        iter_file(tmp_path / "a.npz", ANY)

    assert "end in .jsonl" in caught.value.hint


def test_columns_of_a_table_are_asked_for_with_what_is_there(write):
    path = write("review,stars,id\na,5,1\n", "table.csv")

    with pytest.raises(DataError, match=r"expected a column 'text' in .*table\.csv, got 'review', 'stars', 'id'"):
        list(iter_file(path, ANY))


def test_broken_files_are_told_as_text_files_are(write):
    with pytest.raises(EncodingError, match="byte 0xff in line 2"):
        list(iter_file(write(b"text,label\n\xff,x\n", "table.csv"), ANY))
    with pytest.raises(EncodingError, match="byte 2 is NUL"):
        list(iter_file(write(b"a\0", "x.txt"), WantedColumns(None, "file", None, True)))
