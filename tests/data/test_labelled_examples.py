import gzip
import json
import lzma
from collections import Counter
from pathlib import Path

import pytest

from recurra.data import Columns, Sources, resolve
from recurra.data.labelled_examples import iter_labelled, read_labelled
from recurra.errors import ArgumentError, DataError


def sources(*paths, **facts):
    return Sources(tuple(map(str, paths)), tuple(map(Path, paths)), **facts)


def read(*paths, columns=None, **options):
    """The texts and labels of files."""
    examples = read_labelled(sources(*paths, columns=columns), **options)
    assert len(examples) == len(examples.texts) == len(examples.origins)
    return examples.texts, examples.labels


FORMATS = {
    "a.csv": b'id,text,label\n1,good,pos\n2,"so, so",neg\n',
    "a.tsv": b"id\ttext\tlabel\n1\tgood\tpos\n2\tso, so\tneg\n",
    "a.csv.xz": lzma.compress(b'id,text,label\n1,good,pos\n2,"so, so",neg\n'),
    "a.jsonl": b'{"id": 1, "text": "good", "label": "pos"}\n\n{"label": "neg", "text": "so, so"}\n',
    "a.ndjson.gz": gzip.compress(b'{"text": "good", "label": "pos"}\n{"text": "so, so", "label": "neg"}'),
}


@pytest.mark.parametrize("name", FORMATS)
def test_texts_and_labels_are_read_from_every_format(write, name):
    path = write(FORMATS[name], name)

    assert read(path) == (["good", "so, so"], ["pos", "neg"])


def test_several_files_of_several_formats_are_read_one_behind_the_other(write):
    paths = [write(content, f"{number}-{name}") for number, (name, content) in enumerate(FORMATS.items())]

    examples = read_labelled(sources(*paths))

    assert examples.texts == ["good", "so, so"] * len(paths)
    assert examples.origins[1] == f"line 3 of {paths[0]}"
    assert examples.origins[len(examples) - 1] == f"line 2 of {paths[-1]}"


def test_several_text_files_are_one_class_each(write):
    paths = [write("Ann\nBob\n", "English.txt"), write("Änne", "German.txt")]

    assert read(*paths) == (["Ann", "Bob", "Änne"], ["English", "English", "German"])
    assert read(paths[1], columns=Columns(label="file")) == (["Änne"], ["German"])
    assert read(paths[1], label_column="file") == (["Änne"], ["German"])


def test_a_file_of_texts_alone_has_no_labels(write):
    path = write("Ann\nBob\n", "names.txt")

    assert read(path, need_labels=False) == (["Ann", "Bob"], None)
    with pytest.raises(
        DataError, match=r"expected labels for the lines of .*names\.txt, got a file of texts alone"
    ) as caught:
        read(path)
    assert "name the files of all classes" in caught.value.hint


def test_a_text_file_beside_a_table_gives_no_labels(write):
    with pytest.raises(DataError, match=r"expected labels for the lines of .*b\.txt"):
        read(write(FORMATS["a.csv"], "a.csv"), write("x", "b.txt"))


def test_columns_that_are_named_win_over_those_that_the_data_know(write):
    path = write("a,b,c,d\n1,2,3,4\n", "table.csv")
    known = Columns(text="a", label="b")

    assert read(path, columns=known) == (["1"], ["2"])
    assert read(path, columns=known, text_column="c") == (["3"], ["2"])
    assert read(path, columns=known, label_column="d") == (["1"], ["4"])
    assert read(path, columns=known, label_column="file") == (["1"], ["table"])


def test_columns_are_numbered_where_there_is_no_header(write):
    path = write("pos,good\nneg,bad\n", "table.csv")

    assert read(path, text_column="2", label_column="1") == (["good", "bad"], ["pos", "neg"])
    assert read(path, text_column="2", label_column="file") == (["good", "bad"], ["table", "table"])
    assert read(path, text_column="2", need_labels=False) == (["good", "bad"], None)
    with pytest.raises(DataError, match=r"expected the number of the column of .* that holds the label, got only .* 2"):
        read(path, text_column="2")
    with pytest.raises(ArgumentError, match="Columns expected two names, or two numbers, got text='2'"):
        read(path, text_column="2", label_column="label")


def test_parts_are_those_of_the_column_that_says_so(write):
    path = write("text,label,part\na,x,train\nb,y,Dev\nc,x,test\nd,y,valid\n", "table.csv")

    examples = read_labelled(sources(path, columns=Columns("text", "label", "part")))

    assert examples.splits == ["train", "validation", "test", "validation"]
    assert read_labelled(sources(path), split_column="part").splits == examples.splits
    assert read_labelled(sources(path)).splits is None
    assert read_labelled(sources(path), split_column="part", need_labels=False).splits is None


def test_data_that_are_all_for_training_have_no_parts(write):
    path = write("text,label,part\na,x,train\nb,y,training\n", "table.csv")

    assert read_labelled(sources(path), split_column="part").splits is None


def test_a_part_of_another_name_is_named(write):
    path = write("text,label,part\na,x,train\nb,y,holdout\n", "table.csv")

    with pytest.raises(DataError, match=r"expected one of train, .* for the part in line 3 of .*, got 'holdout'"):
        read_labelled(sources(path), split_column="part")


def test_files_for_validation_and_test_form_these_parts(write):
    train, validation, test = (write(f"text,label\n{name},x\n", f"{name}.csv") for name in ("a", "b", "c"))

    examples = read_labelled(sources(train, validation=(validation,), test=(test,)))

    assert (examples.texts, examples.splits) == (["a", "b", "c"], ["train", "validation", "test"])


def test_sources_with_and_without_parts_do_not_mix(write, tmp_path):
    folder = tmp_path / "folder" / "train" / "pos"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("a")
    path = write("text,label\nb,x\n", "table.csv")

    with pytest.raises(
        DataError, match=r"which part an example belongs to, or none, got one .*: line 2 of .*table\.csv"
    ):
        read(folder.parents[1], path)


def test_empty_texts_are_left_out_and_counted(write):
    path = write('text,label\n,x\na,y\n" \u00a0",\nb,x\n', "table.csv")

    examples = read_labelled(sources(path))

    assert (examples.texts, examples.labels) == (["a", "b"], ["y", "x"])
    assert [examples.origins[index] for index in (0, 1, -1)] == [f"line {n} of {path}" for n in (3, 5, 5)]
    assert examples.notes == ("empty texts left out: 2",)


def test_empty_texts_can_be_kept(write):
    path = write("a\n\n  \nb\n")

    chunks = list(iter_labelled(sources(path), need_labels=False, keep_empty=True))

    assert [text for chunk in chunks for text in chunk.texts] == ["a", "", "  ", "b"]
    assert chunks[0].notes == ()


def test_nothing_but_empty_texts_is_refused(write):
    with pytest.raises(DataError, match=r"expected texts in .*table\.csv, got empty ones only"):
        read(write("text,label\n,x\n", "table.csv"))


def test_line_breaks_in_texts_become_spaces_and_are_counted(write):
    table = write('text,label\n"a\nb\n",x\nc,y\n', "table.csv")
    lines = write(json.dumps({"text": "\r\na\r\nb\rc\n", "label": "x"}), "lines.jsonl")

    examples = read_labelled(sources(table, lines))

    assert examples.texts == ["a b", "c", "a b c"]
    assert examples.notes == ("texts whose lines were joined by spaces: 2",)


def test_control_characters_stay_inside_their_texts(write):
    text = "a\u0085b\u0096c\u2028d\x1ce"
    paths = [
        write(f"text,label\n{text},x\n", "table.csv"),
        write(json.dumps({"text": text, "label": "x"}, ensure_ascii=False), "lines.jsonl"),
        write(json.dumps({"text": text, "label": "x"}), "ascii.jsonl"),
    ]

    assert read(*paths) == ([text] * 3, ["x"] * 3)


def test_a_text_of_ten_million_characters_is_read(write):
    text = "word " * 2_000_000 + "end"
    paths = [
        write(f"text,label\n{text},x\n", "table.csv"),
        write(json.dumps({"text": text, "label": "x"}), "lines.jsonl"),
    ]

    texts, _ = read(*paths)

    assert texts == [text, text]


@pytest.mark.parametrize("name", ["table.csv", "lines.jsonl", "text.txt"])
def test_a_line_that_is_too_long_is_named(write, name, monkeypatch):
    for module in ("tables", "json_examples", "file_examples"):
        monkeypatch.setattr(f"recurra.data.{module}.MAX_FIELD_CHARS", 100)
    path = write(f'{{"text": "a", "label": "x"}}\n{"b" * 101}\n', name)

    with pytest.raises(DataError, match=r"expected lines of at most 100 characters in .*, got a longer one: line 2"):
        list(iter_labelled(sources(path), text_column="1" if name == "table.csv" else None, need_labels=False))


@pytest.mark.parametrize("label", ["", "  "])
def test_an_empty_label_is_named(write, label):
    with pytest.raises(DataError, match=rf"expected a label in line 3 of .*table\.csv, got '{label}'"):
        read(write(f"text,label\na,x\nb,{label}\n", "table.csv"))


def test_a_label_of_two_lines_is_named(write):
    path = write('text,label\na,x\nb,"y\nz"\n', "table.csv")

    with pytest.raises(DataError, match=r"expected a label without line breaks and tabs in line 3 of .*, got 'y\\nz'"):
        read(path)


def test_large_data_come_some_at_a_time(write):
    path = write("text,label\n" + "".join(f"text {n},{n % 3}\n" for n in range(2500)), "table.csv")

    chunks = list(iter_labelled(sources(path)))

    assert len(chunks) > 2
    assert [text for chunk in chunks for text in chunk.texts] == [f"text {n}" for n in range(2500)]
    assert chunks[1].origins[0] == f"line {int(chunks[1].texts[0].split()[1]) + 2} of {path}"


def test_data_sets_of_the_hub_are_read_by_their_names(monkeypatch):
    import datasets

    data = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": ["a", "b"], "label": ["x", "y"]})})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: data)
    monkeypatch.setattr("recurra.data.hub_examples._ask_hub", lambda _: None)

    examples = read_labelled(Sources(("hub:some/data",), (), hub=("some/data",)))

    assert (examples.texts, examples.labels, examples.splits) == (["a", "b"], ["x", "y"], None)
    assert examples.origins[1] == "row 2 of some/data (train)"


def test_origins_know_their_number(write):
    origins = read_labelled(sources(write(FORMATS["a.csv"], "a.csv"))).origins

    assert list(origins) == [f"line {number} of {origins[0].split(' of ')[1]}" for number in (2, 3)]
    with pytest.raises(IndexError):
        origins[2]


def test_spelt_numbers_bring_their_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("recurra.data.spelt_numbers._LABELLED_RANGES", ((0, 50, 50),))  # few, which takes no time

    examples = read_labelled(resolve(["builtin:number-languages"], cache_dir=tmp_path, folders=True))

    assert Counter(examples.splits) == {"train": 800, "validation": 100, "test": 100}
    assert len(set(examples.labels)) == 20
    assert examples.notes == ()


@pytest.mark.realdata
def test_all_reviews_are_read_with_their_parts(real_data):
    examples = read_labelled(resolve(["imdb"], folders=True))

    assert Counter(zip(examples.splits, examples.labels, strict=True)) == dict.fromkeys(
        [("train", "pos"), ("train", "neg"), ("test", "pos"), ("test", "neg")], 11_250
    )
    assert sum(text.count("\u0085") for text in examples.texts) == 1332
    assert examples.notes == ()


@pytest.mark.realdata
def test_all_names_are_read_with_their_languages(real_data):
    examples = read_labelled(resolve(["names"], folders=True))

    assert len(examples) == 19_695
    assert Counter(examples.labels).most_common(1) == [("Russian", 9408)]
    assert examples.splits is None
