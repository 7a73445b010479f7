import pytest

from recurra.data import catalog, iter_text, open_corpus, resolve
from recurra.errors import DataError, DataNotFoundError


def test_names_are_listed():
    assert catalog.names() == ("builtin:python-manual", "grimm", "tinyshakespeare")


def test_a_file_is_itself(write):
    path = write("text")

    sources = resolve([str(path)])

    assert sources.names == (str(path),)
    assert sources.paths == (path,)


def test_a_name_is_looked_up_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare/input.txt").write_text("First Citizen")

    assert resolve(["tinyshakespeare"]).paths == (tmp_path / "tinyshakespeare/input.txt",)


def test_a_file_comes_before_the_data_set_of_its_name(tmp_path, monkeypatch):
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grimm").write_text("mine")

    assert "".join(iter_text(resolve(["grimm"]).paths)) == "mine"


def test_a_folder_does_not_hide_the_data_set_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    (tmp_path / "grimm").mkdir()

    with pytest.raises(DataNotFoundError, match="'grimm' in RECURRA_DATA, which is not set"):
        resolve(["grimm"])


def test_without_the_data_folder_a_name_tells_what_to_do(monkeypatch):
    monkeypatch.delenv("RECURRA_DATA", raising=False)

    with pytest.raises(DataNotFoundError, match="the data set 'grimm' in RECURRA_DATA, which is not set") as caught:
        resolve(["grimm"])

    assert "books/book_EN_grimms_fairy_tails.txt" in caught.value.hint


def test_a_data_folder_without_the_file_tells_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))

    with pytest.raises(DataNotFoundError, match=r"'tinyshakespeare' at .*tinyshakespeare/input\.txt, got nothing"):
        resolve(["tinyshakespeare"])


@pytest.mark.parametrize(
    ("item", "near"),
    [("tinyshakespear", "tinyshakespeare"), ("Grim", "grimm"), ("python-manual", "builtin:python-manual")],
)
def test_an_unknown_name_gets_a_suggestion(item, near):
    with pytest.raises(DataNotFoundError, match=f"got {item!r}: there is no file /.*, and the data sets are") as caught:
        resolve([item])

    assert caught.value.hint == f"did you mean {near!r}?"
    assert all(name in str(caught.value) for name in catalog.names())


@pytest.mark.parametrize("item", ["no such thing.txt", "builtin:else", "x" * 5000, "a\0b", ""])
def test_what_no_file_can_be_called_is_not_found(item):
    with pytest.raises(DataNotFoundError, match="expected a text file or a known data set for data"):
        resolve([item])


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a text file for data, got the folder"):
        resolve([str(tmp_path)])


@pytest.mark.parametrize("data", [[], (), "grimm"])
def test_data_is_a_list_of_something(data):
    with pytest.raises(DataError, match="expected a list of files or names of data sets for data"):
        resolve(data)


def test_the_manual_of_python_is_the_same_every_time(cache):
    (path,) = resolve(["builtin:python-manual"]).paths
    first, written_ns = path.read_text(encoding="utf-8"), path.stat().st_mtime_ns
    (again,) = resolve(["builtin:python-manual"]).paths

    assert path == again
    assert path.is_relative_to(cache)
    assert again.stat().st_mtime_ns == written_ns
    assert len(first) > 100_000
    assert '\n\nThe "try" statement\n' in first
    assert first.endswith("\n")
    assert not first.endswith("\n\n")
    assert open_corpus([path]).num_chars == len(first)


def test_a_damaged_copy_of_the_manual_is_replaced(cache):
    (path,) = resolve(["builtin:python-manual"]).paths
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")

    resolve(["builtin:python-manual"])

    assert path.read_bytes() == whole


def test_topics_are_joined_in_order_with_a_blank_line_between(cache, monkeypatch):
    monkeypatch.setattr("pydoc_data.topics.topics", {"b": "second\n\n", "a": "\nfirst\n"})

    (path,) = resolve(["builtin:python-manual"]).paths

    assert path.read_text(encoding="utf-8") == "first\n\nsecond\n"


@pytest.mark.parametrize("missing", ["module", "content"])
def test_a_python_without_manual_is_told_apart(cache, monkeypatch, missing):
    if missing == "module":
        monkeypatch.setitem(__import__("sys").modules, "pydoc_data.topics", None)
    else:
        monkeypatch.setattr("pydoc_data.topics.topics", {})

    with pytest.raises(
        DataNotFoundError, match=r"expected the topics of help\(\) in this Python .*, got none"
    ) as caught:
        resolve(["builtin:python-manual"])

    assert "CPython" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_named(write):
    with pytest.raises(DataError, match=r"expected to write to the cache folder .*text.txt") as caught:
        resolve(["builtin:python-manual"], cache_dir=write("no folder"))

    assert "RECURRA_CACHE" in caught.value.hint


@pytest.mark.realdata
def test_the_named_data_sets_are_there(real_data):
    for path in resolve(["grimm", "tinyshakespeare"]).paths:
        assert sum(map(len, iter_text([path]))) > 500_000
