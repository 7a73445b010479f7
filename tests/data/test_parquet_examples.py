import pytest

from recurra.data.example_blocks import WantedColumns
from recurra.data.parquet_examples import iter_parquet
from recurra.errors import DataError

BOTH = WantedColumns(None, None, None, True)


@pytest.fixture
def save(tmp_path):
    """Write columns to a Parquet file and return its path."""
    import pyarrow
    from pyarrow import parquet

    def _save(columns, name="table.parquet"):
        path = tmp_path / name
        parquet.write_table(pyarrow.table(columns), path)
        return path

    return _save


def read(path, wanted=BOTH):
    """The texts and labels of a file."""
    blocks = list(iter_parquet(path, wanted))
    return [text for block in blocks for text in block.texts], [label for block in blocks for label in block.labels]


@pytest.mark.parametrize(
    ("labels", "read_as"),
    [(["x", "y"], ["x", "y"]), ([0, 1], ["0", "1"]), ([True, False], ["true", "false"]), (["x", None], ["x", ""])],
)
def test_texts_and_labels_are_read(save, labels, read_as):
    path = save({"id": [0.5, 1.5], "text": ["a\u0085", None], "label": labels})

    assert read(path) == (["a\u0085", ""], read_as)


def test_dictionaries_are_read_as_what_they_stand_for(save):
    import pyarrow

    path = save({"text": ["a", "b", "c"], "label": pyarrow.array(["x", "y", "x"]).dictionary_encode()})

    assert read(path) == (["a", "b", "c"], ["x", "y", "x"])


def test_columns_and_parts_are_read_as_asked_for(save):
    path = save({"review": ["a"], "stars": [5], "part": ["test"]})

    (block,) = iter_parquet(path, WantedColumns("review", "stars", "part", True))

    assert (block.texts, block.labels, block.splits) == (["a"], ["5"], ["test"])
    assert block.origin(0) == f"row 1 of {path}"


def test_many_rows_come_some_at_a_time(save):
    path = save({"text": [str(n) for n in range(2500)], "label": list(range(2500))}, "pos.parquet")

    blocks = list(iter_parquet(path, WantedColumns(None, "file", None, True)))

    assert len(blocks) > 2
    assert [text for block in blocks for text in block.texts] == [str(n) for n in range(2500)]
    assert [place for block in blocks for place in block.places] == list(range(1, 2501))
    assert {label for block in blocks for label in block.labels} == {"pos"}


def test_labels_that_are_measures_are_refused(save):
    with pytest.raises(DataError, match=r"a whole number for the label in row 1 of .*, got the float 0\.5"):
        read(save({"text": ["a"], "label": [0.5]}))


def test_missing_columns_are_named(save):
    with pytest.raises(DataError, match=r"expected a column 'text' in .*table\.parquet, got 'a', 'label', 'c'"):
        read(save({"a": ["a"], "label": [1], "c": [2]}))


@pytest.mark.parametrize("content", [b"", b"no parquet at all", b"PAR1" + bytes(50) + b"PAR1"])
def test_a_damaged_file_is_named(write, content):
    with pytest.raises(DataError, match=r"to be a whole Parquet file, got a damaged one: ") as caught:
        read(write(content, "table.parquet"))

    assert caught.value.hint == "copy or download the file again"


def test_a_file_without_its_middle_is_named(save):
    path = save({"text": [f"text {n}" for n in range(5000)], "label": ["x"] * 5000})
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(2000) + content[2100:])

    with pytest.raises(DataError, match=r"to be a whole Parquet file, got a damaged one: "):
        read(path)
