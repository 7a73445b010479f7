import csv
import gzip
import hashlib
import io
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import Columns
from recurra.data.records import RecordFile
from recurra.errors import ArgumentError, DataError, DataNotFoundError, EncodingError

TEXT = Columns(text="text")
BOTH = Columns(text="text", label="label")


def read(path, columns, **options):
    """The text and the labels of a file."""
    file = RecordFile(path, columns)
    return "".join(file.chunks(**options)), file.labels


@pytest.mark.parametrize("chunk_bytes", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(
    ("suffix", "delimiter", "pack"),
    [
        (".csv", ",", bytes),
        (".tsv", "\t", bytes),
        (".tab", "\t", bytes),
        (".CSV", ",", bytes),
        (".csv.gz", ",", gzip.compress),
        (".tsv.xz", "\t", lzma.compress),
    ],
)
def test_a_column_becomes_lines_and_another_one_their_labels(write, suffix, delimiter, pack, chunk_bytes):
    rows = [["label", "id", "text"], ["pos", "1", "good"], ["neg", "2", "so, so"], ["pos", "3", 'a "hit" wow']]
    out = io.StringIO()
    quotes = {} if delimiter == "," else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    csv.writer(out, delimiter=delimiter, lineterminator="\n", **quotes).writerows(rows)
    path = write(pack(out.getvalue().encode()), "table" + suffix)

    text, labels = read(path, BOTH, chunk_bytes=chunk_bytes)

    assert text == 'good\nso, so\na "hit" wow\n'
    assert labels == ["pos", "neg", "pos"]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.text(st.sampled_from('ab,"\n\u0085\u2028\x1c '), max_size=6), st.just("x")), min_size=1),
    chunk_bytes=st.integers(1, 9),
)
def test_tables_are_read_as_they_were_written(tmp_path_factory, rows, chunk_bytes):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])

    file = RecordFile(path, TEXT)
    chunks = list(file.chunks(chunk_bytes))

    assert "".join(chunks) == "".join(text.replace("\n", " ") + "\n" for text, _ in rows)
    assert all(chunk.endswith("\n") for chunk in chunks)
    assert file.num_joined == sum("\n" in text for text, _ in rows)
    assert file.labels == []


def test_columns_are_numbered_where_there_is_no_header(write):
    path = write("pos,good\nneg,bad\n", "table.csv")

    assert read(path, Columns(text="2", label="1")) == ("good\nbad\n", ["pos", "neg"])
    assert read(path, Columns(text="02")) == ("good\nbad\n", [])


def test_the_name_of_the_file_can_be_the_label(write):
    assert read(write("text\na\nb\n", "table.csv"), Columns("text", "file")) == ("a\nb\n", ["table", "table"])
    assert read(write("a\nb", "More Names.txt"), Columns(label="file")) == ("a\nb\n", ["More Names"] * 2)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ptb.train.txt", "ptb.train"),
        ("names.2020", "names.2020"),
        ("a.txt.gz", "a"),
        ("b.gz", "b"),
        (".txt", ".txt"),
        ("c.jsonl.gz", "c"),
    ],
)
def test_labels_are_names_of_files_without_what_says_their_kind(write, name, label):
    content = gzip.compress(b"x\n") if name.endswith(".gz") else b"x\n"

    assert read(write(content, name), Columns(label="file")) == ("x\n", [label])


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("a\n\r\u0085\u2028"), min_size=1), chunk_bytes=st.integers(1, 9))
def test_the_records_of_a_plain_file_are_its_lines(tmp_path_factory, text, chunk_bytes):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_bytes(text.encode())
    lines = path.read_text(encoding="utf-8").split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines

    got, labels = read(path, Columns(label="file"), chunk_bytes=chunk_bytes)

    assert got == "".join(line + "\n" for line in lines)
    assert labels == ["text"] * len(lines)


def test_without_columns_a_plain_file_has_no_labels(write):
    assert read(write("a\nb"), Columns()) == ("a\nb\n", [])


def test_empty_text_stays_as_an_empty_line_and_blank_lines_are_none(write):
    path = write("text,label\n,neg\n\n\nb,pos\n\n", "table.csv")

    assert read(path, BOTH) == ("\nb\n", ["neg", "pos"])


def test_a_table_is_read_anew_from_its_start(write):
    file = RecordFile(write('text,label\n"a\nb",x\n', "table.csv"), BOTH)

    first, second = "".join(file.chunks()), "".join(file.chunks())

    assert first == second == "a b\n"
    assert (file.labels, file.num_joined) == (["x"], 1)


def test_labels_are_there_with_the_lines_they_belong_to(write):
    path = write("text,label\n" + "".join(f"t{n},l{n}\n" for n in range(2500)), "table.csv")
    file = RecordFile(path, BOTH)
    num_lines = 0

    for chunk in file.chunks():
        num_lines += chunk.count("\n")
        assert len(file.labels) == num_lines

    assert file.labels[-1] == "l2499"
    assert num_lines == 2500


def test_the_hash_is_that_of_the_stored_bytes(write):
    stored = gzip.compress(b"\xef\xbb\xbftext,label\na,b\n")
    path = write(stored, "table.csv.gz")
    file = RecordFile(path, BOTH)

    text = "".join(file.chunks())

    assert text == "a\n"
    assert file.path == path
    assert file.sha256 == hashlib.sha256(stored).hexdigest()
    assert file.size_bytes == len(stored)


def test_long_fields_are_read_and_pythons_own_bound_stays(write):
    bound = csv.field_size_limit()
    long = "x" * (bound + 1)

    assert read(write(f"text\n{long}\n", "table.csv"), TEXT)[0] == long + "\n"
    assert csv.field_size_limit() == bound


@pytest.mark.parametrize(("text", "got"), [("txt", "none"), ("twice", "2")])
def test_a_column_must_be_there_once(write, text, got):
    path = write("twice,text,twice\na,b,c\n", "table.csv")

    with pytest.raises(DataError) as caught:
        read(path, Columns(text=text))

    assert caught.value.message == (f"expected one column {text!r} in {path}, got {got} among 'twice', 'text', 'twice'")
    assert caught.value.hint == ("did you mean 'text'?" if text == "txt" else "")


def test_a_missing_label_column_is_named(write):
    with pytest.raises(DataError, match=r"expected one column 'label' in .*, got none among 'text', 'other'"):
        read(write("text,other\na,b\n", "table.csv"), BOTH)


@pytest.mark.parametrize("columns", [Columns("text"), Columns("id", "file"), Columns("1"), Columns("1", "3")])
@pytest.mark.parametrize(("record", "got"), [("2", 1), ("2,b", 2), ("2,so, so,d", 4)])
def test_a_record_with_another_number_of_fields_is_named(write, columns, record, got):
    path = write(f'id,text,more\n"1\n1",a,b\n{record}\n3,c,d\n', "table.csv")

    with pytest.raises(DataError, match=f"expected 3 fields in line 4 of .*, as in line 1, got {got}\n") as caught:
        read(path, columns)

    assert caught.value.hint == "a field that holds a comma must stand in quotes"


def test_a_tab_too_many_is_named(write):
    with pytest.raises(DataError, match=r"expected 2 fields in line 3 of .*, as in line 2, got 3\n") as caught:
        read(write("\ntext\tlabel\na\tb\tpos\n", "table.tsv"), BOTH)

    assert caught.value.hint == "no field can hold a tab"


@pytest.mark.parametrize(("columns", "needed"), [(Columns("3"), 3), (Columns("1", "4"), 4)])
def test_a_table_narrower_than_the_number_of_a_column_is_named(write, columns, needed):
    with pytest.raises(DataError, match=f"expected at least {needed} fields in line 2 of .*, got 2"):
        read(write("\na,b\nc,d\n", "table.csv"), columns)


@pytest.mark.parametrize("suffix", [".tsv", ".tab"])
def test_quotes_between_tabs_are_characters(write, suffix):
    path = write('text\tlabel\n"Yes he\tpos\nfoo\tneg\nhe said no"\tneg\n"a" b\tneg\n', "table" + suffix)

    assert read(path, BOTH) == ('"Yes he\nfoo\nhe said no"\n"a" b\n', ["pos", "neg", "neg", "neg"])


def test_chunks_of_long_records_are_no_longer_than_those_of_short_ones(write, monkeypatch):
    monkeypatch.setattr("recurra.data.tables._CHARS_AT_A_TIME", 100)
    texts = ["x" * 30] * 20 + ["y" * 300] * 3

    chunks = list(RecordFile(write("text\n" + "\n".join(texts), "table.csv"), TEXT).chunks())

    assert "".join(chunks).split() == texts
    assert max(chunk.count("\n") for chunk in chunks[:5]) == 4
    assert [chunk.count("\n") for chunk in chunks[-3:]] == [1, 1, 1]


def test_a_long_line_of_a_plain_file_is_handed_on_as_it_comes(write):
    file = RecordFile(write("x" * 1000 + "\ny"), Columns(label="file"))

    chunks = [(len(chunk), len(file.labels)) for chunk in file.chunks(chunk_bytes=100)]

    assert chunks == [(100, 0)] * 10 + [(2, 1), (1, 2)]


def test_a_line_of_a_table_that_is_too_long_is_named(write, monkeypatch):
    monkeypatch.setattr("recurra.data.tables.MAX_FIELD_CHARS", 100)

    with pytest.raises(DataError, match=r"lines of at most 100 characters in .*, got a longer one: line 3") as caught:
        read(write("text\na\n" + "x" * 101 + "\n", "table.csv"), TEXT)

    assert caught.value.hint == "cut the text into several records"


@pytest.mark.parametrize("label", ["", " "])
def test_an_empty_label_is_named(write, label):
    with pytest.raises(DataError, match=rf"expected a label in line 3 of .*table\.csv, got '{label}'"):
        read(write(f"text,label\na,b\nc,{label}\n", "table.csv"), BOTH)


@pytest.mark.parametrize(
    ("record", "reason"),
    [('"never closed\n', "unexpected end of data"), ('"half" closed\n', r"expected after '\"'")],
)
def test_broken_quotes_are_named(write, record, reason):
    with pytest.raises(DataError, match=rf"the one that begins in line 3: .*{reason}") as caught:
        read(write("text,label\na,b\n" + record, "table.csv"), BOTH)

    assert '"He said ""no""."' in caught.value.hint


def test_a_quote_that_is_never_closed_does_not_take_all_memory(write, monkeypatch):
    monkeypatch.setattr("recurra.data.tables.MAX_FIELD_CHARS", 100)

    with pytest.raises(DataError, match=r"begins in line 2: field larger than field limit \(100\)"):
        read(write('text\n"' + "x\n" * 100 + '"\n', "table.csv"), TEXT)


@pytest.mark.parametrize(
    ("content", "got"), [("text\n", "records in .*, got none"), ("\n\n", "header line in .*blank")]
)
def test_a_table_without_records_is_refused(write, content, got):
    with pytest.raises(DataError, match=got):
        read(write(content, "table.csv"), TEXT)


def test_a_numbered_table_without_records_is_refused(write):
    with pytest.raises(DataError, match=r"expected records in .*table\.csv, got none"):
        read(write("\n\n", "table.csv"), Columns("1"))


@pytest.mark.parametrize("name", ["text.txt", "text", "text.csv.zip"])
def test_a_column_needs_a_table(tmp_path, name):
    with pytest.raises(DataError, match=f"expected a table for the column 'text', got .*{name}") as caught:
        RecordFile(tmp_path / name, TEXT)

    assert ".csv, .tsv or .tab" in caught.value.hint


@pytest.mark.parametrize("columns", [Columns(), Columns(label="file")])
def test_a_table_needs_a_column(tmp_path, columns):
    with pytest.raises(DataError, match=r"expected the column of .*t\.csv\.gz that holds the text, got none") as caught:
        RecordFile(tmp_path / "t.csv.gz", columns)

    assert "number" in caught.value.hint


def test_files_are_checked_as_text_files_are(write, tmp_path):
    with pytest.raises(DataNotFoundError, match="no such file"):
        read(tmp_path / "none.csv", TEXT)
    with pytest.raises(EncodingError, match="byte 0xff in line 2"):
        read(write(b"text\n\xff\n", "table.csv"), TEXT)
    with pytest.raises(DataError, match="empty file"):
        read(write("", "table.csv"), TEXT)


@pytest.mark.parametrize("argument", ["text", "label", "split"])
@pytest.mark.parametrize("column", ["", "0", "00"])
def test_columns_are_names_or_numbers_from_1_on(argument, column):
    columns = {"text": "3", argument: column}

    with pytest.raises(
        ArgumentError, match=f"expected {argument} to be the name of a column or its .*, got '{column}'"
    ):
        Columns(**columns)


@pytest.mark.parametrize("argument", ["label", "split"])
def test_other_columns_need_a_text_column(argument):
    with pytest.raises(ArgumentError, match=f"expected text to name a column, as {argument}='mood' does, got None"):
        Columns(**{argument: "mood"})


@pytest.mark.parametrize(("text", "label"), [("1", "mood"), ("review", "2")])
def test_columns_are_both_named_or_both_numbered(text, label):
    with pytest.raises(ArgumentError, match=f"got text='{text}' and label='{label}'") as caught:
        Columns(text, label)

    assert "header" in caught.value.hint
    with pytest.raises(ArgumentError, match=f"got text='{text}' and split='{label}'"):
        Columns(text, split=label)


@pytest.mark.realdata
def test_all_reviews_are_read(real_data):
    file = RecordFile(real_data / "imdb/imdb.csv.xz", Columns("review", "label"))

    num_lines = num_c1 = 0
    for chunk in file.chunks():
        num_lines += chunk.count("\n")
        num_c1 += chunk.count("\u0085")

    assert num_lines == len(file.labels) == 45_000
    assert file.labels.count("pos") == file.labels.count("neg") == 22_500
    assert num_c1 == 1332
    assert file.num_joined == 0


@pytest.mark.realdata
def test_all_names_are_read(real_data):
    paths = sorted((real_data / "names").glob("*.txt"))
    labels = [label for path in paths for label in read(path, Columns(label="file"))[1]]

    assert len(labels) == 19_695
    assert labels.count("Russian") == 9408
    assert len(set(labels)) == 15
