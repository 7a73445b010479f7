import json

import pytest

from recurra.data.example_blocks import WantedColumns
from recurra.data.json_examples import iter_json_lines
from recurra.errors import DataError, EncodingError

BOTH = WantedColumns("text", "label", None, True)


def read(path, wanted=BOTH):
    """The texts, labels and line numbers of a file."""
    blocks = list(iter_json_lines(path, wanted))
    return tuple(
        [item for block in blocks for item in items(block) or ()]
        for items in (lambda b: b.texts, lambda b: b.labels, lambda b: b.places)
    )


@pytest.mark.parametrize(
    ("label", "read_as"), [('"pos"', "pos"), ("7", "7"), ("-1", "-1"), ("true", "true"), ("null", "")]
)
def test_labels_become_strings(write, label, read_as):
    path = write(f'{{"text": "a", "label": {label}}}\n', "lines.jsonl")

    assert read(path) == (["a"], [read_as], [1])


def test_missing_texts_are_empty_and_blank_lines_none(write):
    path = write('\n{"text": null, "label": "x"}\n \n{"text": "", "label": "y"}', "lines.jsonl")

    assert read(path) == (["", ""], ["x", "y"], [2, 4])


def test_keys_and_parts_are_read_as_asked_for(write):
    path = write('{"a": "1", "b": "2", "c": "test"}', "lines.jsonl")

    (block,) = iter_json_lines(path, WantedColumns("b", "a", "c", True))

    assert (block.texts, block.labels, block.splits) == (["2"], ["1"], ["test"])


def test_the_name_of_the_file_can_be_the_label(write):
    path = write('{"text": "a", "file": "b"}', "pos.jsonl")

    assert read(path, WantedColumns(None, "file", None, True)) == (["a"], ["pos"], [1])


def test_many_lines_are_numbered_on(write):
    path = write("".join(json.dumps({"text": str(n), "label": n}) + "\n" for n in range(2500)), "lines.jsonl")

    texts, labels, numbers = read(path)

    assert texts == labels == [str(n) for n in range(2500)]
    assert numbers == list(range(1, 2501))


@pytest.mark.parametrize(("label", "got"), [("0.5", "the float 0.5"), ("[1]", r"the list \[1\]")])
def test_labels_that_name_nothing_are_refused(write, label, got):
    path = write(f'{{"text": "a", "label": "x"}}\n{{"text": "a", "label": {label}}}\n', "lines.jsonl")

    with pytest.raises(DataError, match=f"a whole number for the label in line 2 of .*, got {got}\n") as caught:
        read(path)

    assert "no classes" in caught.value.hint


def test_texts_and_parts_that_are_no_strings_are_refused(write):
    path = write('{"text": 3, "label": "x", "part": 1}', "lines.jsonl")

    with pytest.raises(DataError, match=r"expected a string for the text in line 1 of .*, got the int 3"):
        read(path)
    with pytest.raises(DataError, match=r"expected a string for the split in line 1 of .*, got the int 1"):
        read(path, WantedColumns("label", "text", "part", True))


def test_a_missing_key_is_named_with_what_is_there(write):
    path = write('{"text": "a", "label": "x"}\n\n{"text": "b", "lable": "x"}\n', "lines.jsonl")

    with pytest.raises(DataError, match=r"expected the key 'label' in line 3 of .*, got 'text', 'lable'"):
        read(path)


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ('{"text": "a"', "broken JSON: Expecting ',' delimiter"),
        ("[1]", "a list"),
        ('"a"', "a str"),
        ("[" * 100_000, "broken JSON: maximum recursion"),
        ('{"label": ' + "1" * 5000 + "}", "broken JSON: Exceeds the limit"),
    ],
)
def test_a_line_that_is_no_object_is_named(write, line, got):
    path = write('{"text": "a", "label": "x"}\n' + line + "\n", "lines.jsonl")

    with pytest.raises(DataError, match=f"expected a JSON object in line 2 of .*, got {got}"):
        read(path)


def test_blank_lines_alone_are_no_data(write):
    with pytest.raises(DataError, match=r"expected JSON lines in .*, got blank lines only"):
        read(write("\n \n", "lines.jsonl"))


@pytest.mark.parametrize("key", ["text", "label"])
def test_halves_of_surrogate_pairs_are_named(write, key):
    line = {"text": "fine", "label": "fine"}
    path = write("\n".join(json.dumps(one) for one in (line, line | {key: "a\ud83d"})), "lines.jsonl")

    with pytest.raises(EncodingError, match=r"expected text in line 2 of .*, got half of a surrogate pair: '\\ud83d'"):
        read(path)


def test_whole_surrogate_pairs_are_characters(write):
    path = write('{"text": "\\ud83d\\ude00", "label": "x"}', "lines.jsonl")

    assert read(path)[0] == ["😀"]


def test_broken_files_are_told_as_text_files_are(write):
    with pytest.raises(EncodingError, match="byte 0xff in line 2"):
        read(write(b'{"text": "a", "label": "x"}\n\xff', "lines.jsonl"))
    with pytest.raises(EncodingError, match="byte 2 is NUL"):
        read(write(b"{\0}", "lines.jsonl"))
