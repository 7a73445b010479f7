import gzip
import hashlib
import json
import time

import pytest

from recurra.data import Columns, corpus, open_cached, open_corpus
from recurra.data.corpus_builder import build_corpus
from recurra.errors import ArgumentError, DataError, DataNotFoundError

TABLE = "text,kind\nOne two,a\nthree  four!,b\nFIVE,a\n"


@pytest.fixture
def count_builds(monkeypatch):
    """Count how often files are read."""
    builds = []

    def counted(paths, folder, reading):
        builds.append(paths)
        return build_corpus(paths, folder, reading)

    monkeypatch.setattr(corpus, "build_corpus", counted)
    return builds


def stored(opened):
    return opened.ids(0, opened.num_units).tolist()


def text_of(opened, *bounds):
    symbols = ("", *opened.symbols)
    return "".join(symbols[number] for number in opened.ids(*bounds or (0, opened.num_units)))


def test_the_fingerprint_of_a_plain_file_is_that_of_its_text(write, cache):
    plain, marked = write("one\ntwo", "a.txt"), write("\ufeffone\r\ntwo", "b.txt")
    packed, other = write(gzip.compress(b"one\ntwo"), "c.gz"), write("one\ntow", "d.txt")

    same = {open_corpus([path]).fingerprint for path in (plain, marked, packed)}

    assert same == {hashlib.sha256(b"one\ntwo").hexdigest()}
    assert open_corpus([other]).fingerprint not in same


def test_the_fingerprint_tells_apart_what_is_read_in_another_way(write, cache, trusting):
    table, other = write(TABLE, "a.csv"), write(TABLE.replace("FIVE,a", "FIVE,b"), "b.csv")
    parts = [write(TABLE[:9], "c.txt"), write(TABLE[9:], "d.txt")]
    readings = [
        ([table], {}),
        ([table], {"lowercase": True}),
        ([table], {"rule": "word"}),
        ([table], {"rule": "word", "lowercase": True}),
        ([table], {"rule": "whitespace"}),
        ([table], {"columns": Columns("text")}),
        ([table], {"columns": Columns("text", "kind")}),
        ([table], {"columns": Columns("1")}),
        ([other], {"columns": Columns("text", "kind")}),
        (parts, {}),
        (parts, {"rule": "word"}),
        ([*parts, parts[0]], {}),
    ]

    opened = [open_corpus(paths, **reading) for paths, reading in readings]

    assert len({each.fingerprint for each in opened}) == len(readings)
    for (paths, reading), each in zip(readings, opened, strict=True):
        again = open_corpus(paths, **reading)
        assert again.fingerprint == each.fingerprint
        assert stored(again) == stored(each)
        assert (again.rule, again.lowercase, again.columns) == (each.rule, each.lowercase, each.columns)
        assert (again.borders, again.label_names) == (each.borders, each.label_names)


def test_the_same_text_with_other_borders_is_another_corpus(write, cache, trusting):
    halves = [write("ab", "a.txt"), write("cd", "b.txt")]
    thirds = [write("a", "c.txt"), write("bcd", "d.txt")]

    for _ in range(2):
        assert open_corpus(halves).borders == (2, 4)
        assert open_corpus(thirds).borders == (1, 4)
    assert open_cached(open_corpus(halves).fingerprint).borders == (2, 4)


def test_the_same_text_from_other_files_names_those_files(write, cache, trusting):
    first, second = write("text", "a.txt"), write("text", "b.txt")

    for _ in range(2):
        assert open_corpus([first]).sources[0].path == str(first)
        assert open_corpus([second]).sources[0].path == str(second)


def test_an_unchanged_file_is_read_once(write, cache, trusting, count_builds):
    path = write("text")

    first, second = open_corpus([path]), open_corpus([path])

    assert len(count_builds) == 1
    assert stored(first) == stored(second)
    assert first.sources == second.sources


def test_a_file_of_the_last_moments_is_read_again_and_then_no_more(write, cache, count_builds):
    path = write("text")
    open_corpus([path])
    open_corpus([path])
    assert len(count_builds) == 2

    time.sleep(2.2)
    open_corpus([path])
    open_corpus([path])
    open_corpus([path])

    assert len(count_builds) == 3


def test_a_change_of_the_same_length_is_noticed(write, cache):
    path = write("one")
    first = open_corpus([path])

    write("two")
    second = open_corpus([path])

    assert text_of(first) == "one"
    assert text_of(second) == "two"


def test_a_change_that_hides_its_time_is_noticed(write, cache, trusting, count_builds):
    import os

    path = write("one")
    status = path.stat()
    open_corpus([path])
    time.sleep(0.02)
    write("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert text_of(open_corpus([path])) == "two"
    assert path.stat().st_mtime_ns == status.st_mtime_ns


def test_the_order_of_files_matters(write, cache, trusting):
    first, second = write("ab", "a.txt"), write("cd", "b.txt")

    assert text_of(open_corpus([first, second])) == "abcd"
    assert text_of(open_corpus([second, first])) == "cdab"
    assert open_corpus([first, first]).num_units == 4


def test_a_cached_corpus_opens_without_its_source(write, cache):
    path = write("some text")
    opened = open_corpus([path])
    path.unlink()

    again = open_cached(opened.fingerprint)

    assert again is not None
    assert stored(again) == stored(opened)
    assert again.sources == opened.sources
    assert again.symbols == opened.symbols
    with pytest.raises(DataNotFoundError):
        open_corpus([path])


def test_what_is_not_cached_is_none(cache):
    assert open_cached("0" * 64) is None


@pytest.mark.parametrize("fingerprint", ["", "../../etc", "A" * 64, "0" * 63])
def test_a_fingerprint_cannot_name_other_places(cache, fingerprint):
    with pytest.raises(ArgumentError, match="expected a fingerprint of 64 hexadecimal digits, got"):
        open_cached(fingerprint)


@pytest.mark.parametrize(
    "damage",
    [
        "short ids",
        "no ids",
        "short ends",
        "no ends",
        "short labels",
        "no corpus.json",
        "torn",
        "older",
        "[]",
        '"format"',
    ],
)
def test_a_damaged_corpus_is_made_anew(write, cache, trusting, damage):
    reading = {"rule": "word", "columns": Columns("text", "kind")}
    path = write(TABLE, "t.csv")
    opened = open_corpus([path], **reading)
    expected = stored(opened)
    folder = cache / "corpora-2" / opened.fingerprint
    description = folder / "corpus.json"
    what, _, name = damage.partition(" ")
    if what == "short":
        (folder / f"{name}.bin").write_bytes(b"\1")
    elif what == "no":
        (folder / (name if "." in name else f"{name}.bin")).unlink()
    elif damage == "torn":
        description.write_text("{")
    elif damage == "older":
        description.write_text(json.dumps(json.loads(description.read_text()) | {"version": 1}))
    else:
        description.write_text(damage)
    assert open_cached(opened.fingerprint) is None

    again = open_corpus([path], **reading)

    assert stored(again) == expected
    assert open_cached(opened.fingerprint) is not None
    assert sorted(entry.name for entry in (cache / "corpora-2").iterdir()) == sorted([opened.fingerprint, "index"])


@pytest.mark.parametrize("content", ["{", "[]", '{"fingerprint": 3, "sources": []}', '{"fingerprint": "a"}', '"x"'])
def test_a_damaged_index_is_made_anew(write, cache, trusting, content):
    path = write("some text")
    expected = stored(open_corpus([path]))
    (entry,) = (cache / "corpora-2/index").iterdir()
    whole = entry.read_bytes()
    entry.write_text(content)

    assert stored(open_corpus([path])) == expected
    assert entry.read_bytes() == whole


def test_paths_that_are_no_utf_8_can_be_noted(tmp_path, cache, trusting):
    path = tmp_path / "na\udce9ve.txt"
    path.write_text("text")

    for _ in range(2):
        assert open_corpus([path]).sources[0].path == str(path)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"ab\xff"])
def test_a_file_that_cannot_be_used_leaves_nothing_behind(write, cache, content):
    with pytest.raises(DataError, match=r"bad\.txt"):
        open_corpus([write("text", "good.txt"), write(content, "bad.txt")])

    assert list((cache / "corpora-2").iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_reported(write, cache, monkeypatch):
    path = write("text")

    def changing(paths, folder, reading):
        description = build_corpus(paths, folder, reading)
        path.write_text("longer text")
        return description

    monkeypatch.setattr(corpus, "build_corpus", changing)

    with pytest.raises(DataError, match=r"expected .*text\.txt to stay as it is while it is read, but it changed"):
        open_corpus([path])
    assert list((cache / "corpora-2").iterdir()) == []
