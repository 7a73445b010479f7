import pytest

from recurra.data.example_blocks import WantedColumns
from recurra.data.folder_examples import iter_folder
from recurra.errors import DataError, EncodingError

ANY = WantedColumns(None, None, None, True)


@pytest.fixture
def fill(tmp_path):
    """Write files of these names and texts into a folder and return it."""

    def _fill(files):
        folder = tmp_path / "folder"
        folder.mkdir()
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return _fill


def read(folder, wanted=ANY):
    """The examples of a folder: label, text, part; and what was left out."""
    blocks = list(iter_folder(folder, wanted))
    examples = [
        (label, text, part)
        for block in blocks
        for label, text, part in zip(block.labels or (), block.texts, block.splits or [None] * 1000, strict=False)
    ]
    return examples, {what: count for block in blocks for what, count in block.left_out.items()}


def test_labels_are_folders_and_texts_are_files(fill):
    folder = fill({"pos/2.txt": "b\n\n", "pos/1.txt": "a\nb", "neg/1.TXT": "c", "README": "x", "urls.txt": "y"})

    assert read(folder) == ([("neg", "c", None), ("pos", "a\nb", None), ("pos", "b", None)], {})


def test_parts_are_folders_around_those_of_the_labels(fill):
    folder = fill(
        {
            "train/pos/1_9.txt": "a",
            "train/neg/1_1.txt": "b",
            "train/urls_pos.txt": "x",
            "train/unsup/1_0.txt": "c",
            "train/unsup/2_0.txt": "c",
            "test/pos/1_8.txt": "d",
            "dev/neg/1_8.txt": "e",
            "imdb.vocab": "x",
        }
    )

    examples, left_out = read(folder)

    assert examples == [("neg", "e", "dev"), ("pos", "d", "test"), ("neg", "b", "train"), ("pos", "a", "train")]
    assert left_out == {f"texts in {folder}/train/unsup, which have no label": 2}


def test_labels_may_be_called_as_parts_are(fill):
    folder = fill({"train/1.txt": "choo", "plane/1.txt": "whoosh"})

    assert read(folder)[0] == [("plane", "whoosh", None), ("train", "choo", None)]


def test_other_files_are_counted_and_hidden_ones_are_not(fill):
    folder = fill({"pos/1.txt": "a", "pos/1.html": "b", "pos/.DS_Store": "c", ".git/x.txt": "d", "pos/deep/1.txt": "e"})

    assert read(folder) == ([("pos", "a", None)], {f"files in {folder} that are no .txt": 2})


def test_empty_files_are_empty_texts(fill):
    assert read(fill({"pos/1.txt": "", "pos/2.txt": "\n"}))[0] == [("pos", "", None), ("pos", "", None)]


def test_labels_beside_parts_are_left_out_and_counted(fill):
    folder = fill({"pos/1.txt": "a", "pos/2.txt": "b", "docs/x.md": "c", "test/pos/1.txt": "d"})

    assert read(folder) == ([("pos", "d", "test")], {f"texts in {folder}/pos, which is no part": 2})


def test_examples_know_their_files_and_need_no_labels(fill):
    folder = fill({"test/pos/1.txt": "a"})

    (block,) = iter_folder(folder, WantedColumns(None, None, None, False))

    assert (block.texts, block.labels, block.splits) == (["a"], None, None)
    assert block.origin(0) == f"{folder}/test/pos/1.txt"


def test_many_files_come_some_at_a_time(fill):
    blocks = list(iter_folder(fill({f"pos/{n:04d}.txt": str(n) for n in range(1500)} | {"pos/x": ""}), ANY))

    assert [text for block in blocks for text in block.texts] == [str(n) for n in range(1500)]
    assert len(blocks) == 2
    assert sum(count for block in blocks for count in block.left_out.values()) == 1


@pytest.mark.parametrize(
    ("files", "got"),
    [
        ({"b.txt": "x", "a.txt": "x"}, "'a.txt', 'b.txt'"),
        ({}, "an empty folder"),
        ({"a/x.csv": "x"}, "'a'"),
        ({f"{n}.txt": "x" for n in range(7)}, "'0.txt', '1.txt', '2.txt', '3.txt', '4.txt' and 2 more"),
        ({"unsup/1.txt": "x"}, "'unsup'"),
    ],
)
def test_a_folder_of_another_layout_is_named_with_what_is_there(fill, files, got):
    with pytest.raises(DataError, match=r"expected folders of \.txt files in .*, one for each class, got ") as caught:
        read(fill(files))

    assert caught.value.message.endswith(f"got {got}")
    assert "name the files themselves" in caught.value.hint


@pytest.mark.parametrize("wanted", [WantedColumns("text", None, None, True), WantedColumns(None, "text", None, True)])
def test_a_folder_has_no_columns(fill, wanted):
    with pytest.raises(DataError, match=r"expected a table for the column 'text', got the folder .*folder") as caught:
        read(fill({"pos/1.txt": "a"}), wanted)

    assert caught.value.hint == "the labels of a folder are the names of the folders in it"


def test_broken_and_long_texts_are_named(fill, monkeypatch):
    folder = fill({"pos/1.txt": b"a\xff", "neg/1.txt": "x" * 101})

    with pytest.raises(EncodingError, match=r"expected UTF-8 text in .*pos/1\.txt, got byte 0xff in line 1"):
        read(folder)
    monkeypatch.setattr("recurra.data.folder_examples.MAX_FIELD_CHARS", 100)
    with pytest.raises(DataError, match=r"expected a text of at most 100 characters in .*neg/1\.txt, got a longer"):
        read(folder)


@pytest.mark.realdata
def test_the_layout_of_aclimdb_is_read(real_data, tmp_path):
    import tarfile
    from collections import Counter

    with tarfile.open(real_data / "imdb/aclImdb_sample.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")

    examples, left_out = read(tmp_path / "aclImdb")

    assert Counter((label, part) for label, _, part in examples) == dict.fromkeys(
        [("pos", "train"), ("neg", "train"), ("pos", "test"), ("neg", "test")], 250
    )
    assert left_out == {}
