import pytest

from recurra.data.example_blocks import WantedColumns
from recurra.errors import DataError


def choose(there, text=None, label=None, split=None, need_labels=True, **options):
    return tuple(WantedColumns(text, label, split, need_labels).choose(there, "the table", **options))


@pytest.mark.parametrize(
    ("there", "options", "chosen"),
    [
        (["id", "label", "text"], {}, ("text", "label", None)),
        (["id", "label", "text"], {"text": "id"}, ("id", "label", None)),
        (["label", "review"], {}, ("review", "label", None)),
        (["text", "class"], {}, ("text", "class", None)),
        (["place", "region"], {"text": "place"}, ("place", "region", None)),
        (["place", "region"], {"label": "place"}, ("region", "place", None)),
        (["text", "review"], {"label": "text"}, ("review", "text", None)),
        (["text", "label"], {"text": "label"}, ("label", "text", None)),
        (["a", "b", "c"], {"text": "c", "label": "a", "split": "b"}, ("c", "a", "b")),
        (["text"], {"label": "file"}, ("text", "file", None)),
        (["review"], {"label": "file"}, ("review", "file", None)),
        (["a", "text", "label"], {"need_labels": False, "split": "a"}, ("text", None, None)),
        (["review"], {"need_labels": False}, ("review", None, None)),
        (["review", "label"], {"need_labels": False}, ("review", None, None)),
        (["text", "file"], {"label": "file", "files": False}, ("text", "file", None)),
    ],
)
def test_columns_are_chosen_where_that_is_plain(there, options, chosen):
    assert choose(there, **options) == chosen


@pytest.mark.parametrize(
    ("there", "options", "name"),
    [
        (["sentence", "sentiment"], {}, "text"),
        (["review", "label", "id"], {}, "text"),
        (["text", "class", "id"], {}, "label"),
        (["text"], {}, "label"),
        (["review", "stars"], {"label": "file"}, "text"),
        (["review", "stars"], {"need_labels": False}, "text"),
    ],
)
def test_columns_are_asked_for_where_that_is_not_plain(there, options, name):
    with pytest.raises(DataError) as caught:
        choose(there, **options)

    assert caught.value.message == f"expected a column {name!r} in the table, got {', '.join(map(repr, there))}"
    assert f"which one holds the {name} ({name}_column)" in caught.value.hint


@pytest.mark.parametrize("argument", ["text", "label", "split"])
def test_a_column_that_is_not_there_is_named(argument):
    with pytest.raises(DataError, match="expected one column 'lable' in the table, got none among 'text', 'label'"):
        choose(["text", "label"], **{argument: "lable"})


def test_a_column_that_is_there_twice_is_named():
    with pytest.raises(DataError, match="expected one column 'text' in the table, got 2 among"):
        choose(["text", "label", "text"])
