import gzip
import hashlib
import json
import pickle
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.data import Vocabulary, corpus, known_ids, open_cached, open_corpus
from recurra.data.corpus_builder import build_ids
from recurra.errors import ArgumentError, DataError, DataNotFoundError


@pytest.fixture
def count_builds(monkeypatch):
    """Count how often files are read."""
    builds = []

    def counted(paths, target):
        builds.append(paths)
        return build_ids(paths, target)

    monkeypatch.setattr(corpus, "build_ids", counted)
    return builds


def numbered(text):
    """Number characters by first occurrence, the slow way."""
    numbers = {}
    return [numbers.setdefault(character, len(numbers) + 1) for character in text], list(numbers)


def stored(opened):
    return opened.ids(0, opened.num_chars).tolist()


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff\0"), min_size=1, max_size=400),
    chunk_bytes=st.integers(1, 50),
)
def test_ids_are_given_by_first_occurrence(tmp_path_factory, text, chunk_bytes):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "text.txt").write_bytes(text.encode())

    description = build_ids([folder / "text.txt"], folder / "ids.bin", chunk_bytes=chunk_bytes)

    expected, symbols = numbered(text)
    assert np.fromfile(folder / "ids.bin", description.dtype).tolist() == expected
    assert description.symbols == "".join(symbols)
    assert list(description.first_positions) == [text.index(symbol) for symbol in symbols]
    assert description.num_chars == len(text)
    assert description.fingerprint == hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("abc\n\u00e9\u2019\U0001f600", min_size=1), data=st.data())
def test_the_vocabulary_of_a_beginning_is_that_of_its_characters(tmp_path_factory, text, data):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "text.txt").write_bytes(text.encode())
    opened = open_corpus([folder / "text.txt"], folder / "cache")
    stop = data.draw(st.integers(0, len(text)))

    vocabulary = opened.vocabulary(stop)

    assert set(vocabulary.known) == set(text[:stop])
    assert opened.num_symbols(stop) == len(vocabulary) - 1
    known = known_ids(opened.ids(0, len(text)), opened.num_symbols(stop))
    assert known.tolist() == vocabulary.encode(text).tolist()
    assert vocabulary.decode(known[:stop]) == text[:stop]


@pytest.mark.parametrize(
    ("distinct", "dtype"), [(255, "|u1"), (256, "<u2"), (300, "<u2"), (65535, "<u2"), (65536, "<u4")]
)
def test_ids_are_as_wide_as_the_alphabet_needs(write, tmp_path, distinct, dtype):
    text = "".join(map(chr, range(0x10000, 0x10000 + distinct))) * 2
    path = write(text)

    description = build_ids([path], tmp_path / "ids.bin", chunk_bytes=4000)

    assert description.dtype == dtype
    assert np.fromfile(tmp_path / "ids.bin", dtype).tolist() == [*range(1, distinct + 1)] * 2
    assert not (tmp_path / "ids.wider").exists()


def test_one_character_is_a_corpus(write, cache):
    opened = open_corpus([write("\U0001f600")])

    assert stored(opened) == [1]
    assert opened.vocabulary(1) == Vocabulary("\U0001f600")
    assert opened.vocabulary(0) == Vocabulary("")


def test_the_corpus_tells_where_it_comes_from(write, cache):
    first, second = write("\ufeffab\r\n", "a.txt"), write(gzip.compress(b"cab"), "b.gz")

    opened = open_corpus([first, str(second)])

    assert stored(opened) == [1, 2, 3, 4, 1, 2]
    assert [source.path for source in opened.sources] == [str(first), str(second)]
    assert [source.size_bytes for source in opened.sources] == [first.stat().st_size, second.stat().st_size]
    for source, path in zip(opened.sources, (first, second), strict=True):
        assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_fingerprint_depends_on_the_content_only(write, cache):
    plain, marked = write("one\ntwo", "a.txt"), write("\ufeffone\r\ntwo", "b.txt")
    packed, other = write(gzip.compress(b"one\ntwo"), "c.gz"), write("one\ntow", "d.txt")
    parts = [write("one", "e.txt"), write("\ntwo", "f.txt")]

    same = {open_corpus(paths).fingerprint for paths in ([plain], [marked], [packed], parts)}

    assert same == {hashlib.sha256(b"one\ntwo").hexdigest()}
    assert open_corpus([other]).fingerprint not in same


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

    assert first.vocabulary(3) == Vocabulary("one")
    assert second.vocabulary(3) == Vocabulary("two")


def test_a_change_that_hides_its_time_is_noticed(write, cache, trusting, count_builds):
    import os

    path = write("one")
    status = path.stat()
    open_corpus([path])
    time.sleep(0.02)
    write("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert open_corpus([path]).vocabulary(3) == Vocabulary("two")
    assert path.stat().st_mtime_ns == status.st_mtime_ns


def test_the_order_of_files_matters(write, cache, trusting):
    first, second = write("ab", "a.txt"), write("cd", "b.txt")

    assert open_corpus([first, second]).vocabulary(4) == Vocabulary("abcd")
    assert open_corpus([second, first]).vocabulary(4) == Vocabulary("cdab")
    assert open_corpus([first, first]).num_chars == 4


def test_a_cached_corpus_opens_without_its_source(write, cache):
    path = write("some text")
    opened = open_corpus([path])
    path.unlink()

    again = open_cached(opened.fingerprint)

    assert again is not None
    assert stored(again) == stored(opened)
    assert again.sources == opened.sources
    assert again.vocabulary(9) == opened.vocabulary(9)
    with pytest.raises(DataNotFoundError):
        open_corpus([path])


def test_what_is_not_cached_is_none(cache):
    assert open_cached("0" * 64) is None


@pytest.mark.parametrize("fingerprint", ["", "../../etc", "A" * 64, "0" * 63])
def test_a_fingerprint_cannot_name_other_places(cache, fingerprint):
    with pytest.raises(ArgumentError, match="expected a fingerprint of 64 hexadecimal digits, got"):
        open_cached(fingerprint)


@pytest.mark.parametrize("damage", ["short", "no ids", "no description", "torn", "older", "a list", "a string"])
def test_a_damaged_corpus_is_made_anew(write, cache, trusting, damage):
    path = write("some text")
    opened = open_corpus([path])
    expected = stored(opened)
    folder = cache / "corpora-1" / opened.fingerprint
    description = json.loads((folder / "corpus.json").read_text())
    if damage == "short":
        (folder / "ids.bin").write_bytes(b"\1")
    elif damage == "no ids":
        (folder / "ids.bin").unlink()
    elif damage == "no description":
        (folder / "corpus.json").unlink()
    elif damage == "torn":
        (folder / "corpus.json").write_text("{")
    elif damage == "older":
        (folder / "corpus.json").write_text(json.dumps(description | {"version": 0}))
    else:
        (folder / "corpus.json").write_text('["format"]' if damage == "a list" else '"format"')
    assert open_cached(opened.fingerprint) is None

    again = open_corpus([path])

    assert stored(again) == expected
    assert open_cached(opened.fingerprint) is not None
    assert sorted(entry.name for entry in (cache / "corpora-1").iterdir()) == sorted([opened.fingerprint, "index"])


@pytest.mark.parametrize("content", ["{", "[]", '{"fingerprint": 3, "sources": []}', '{"fingerprint": "a"}', '"x"'])
def test_a_damaged_index_is_made_anew(write, cache, trusting, content):
    path = write("some text")
    expected = stored(open_corpus([path]))
    (entry,) = (cache / "corpora-1/index").iterdir()
    whole = entry.read_bytes()
    entry.write_text(content)

    assert stored(open_corpus([path])) == expected
    assert entry.read_bytes() == whole


def test_ranges_outside_the_text_are_refused(write, cache):
    opened = open_corpus([write("text")])

    for start, stop in [(-1, 2), (0, 5), (3, 2)]:
        with pytest.raises(ArgumentError, match=f"0 <= start <= stop <= 4, got start={start}, stop={stop}"):
            opened.ids(start, stop)
    with pytest.raises(ArgumentError, match="got start=0, stop=5"):
        opened.vocabulary(5)
    assert opened.ids(4, 4).tolist() == []


def test_ids_are_a_read_only_view_of_the_file(write, cache):
    opened = open_corpus([write("text")])

    ids = opened.ids(1, 3)

    assert isinstance(opened.ids(0, 4).base.base, np.memmap)
    assert np.shares_memory(ids, opened.ids(0, 4))
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 1


def test_a_pickled_corpus_carries_no_text(write, cache):
    opened = open_corpus([write("abcd" * 10_000)])
    opened.ids(0, 1)

    pickled = pickle.dumps(opened)

    assert len(pickled) < 2000
    assert stored(pickle.loads(pickled)) == stored(opened)


def test_a_corpus_shows_its_size(write, cache):
    assert repr(open_corpus([write("text")])) == "Corpus(4 characters, 3 distinct)"


def test_known_ids_is_a_copy_with_unknown_ids_as_0():
    raw = np.array([1, 2, 3, 4], np.uint8)

    known = known_ids(raw, 2)

    assert known.tolist() == [1, 2, 0, 0]
    assert known.dtype == np.int64
    assert raw.tolist() == [1, 2, 3, 4]


def test_no_files_are_refused(cache):
    with pytest.raises(DataError, match="open_corpus expected at least one file, got none"):
        open_corpus([])


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"ab\xff"])
def test_a_file_that_cannot_be_used_leaves_nothing_behind(write, cache, content):
    with pytest.raises(DataError, match=r"bad\.txt"):
        open_corpus([write("text", "good.txt"), write(content, "bad.txt")])

    assert list((cache / "corpora-1").iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_reported(write, cache, monkeypatch):
    path = write("text")

    def changing(paths, target):
        description = build_ids(paths, target)
        path.write_text("longer text")
        return description

    monkeypatch.setattr(corpus, "build_ids", changing)

    with pytest.raises(DataError, match=r"expected .*text\.txt to stay as it is while it is read, but it changed"):
        open_corpus([path])
    assert list((cache / "corpora-1").iterdir()) == []


@pytest.mark.realdata
def test_real_text_comes_back(real_data, cache):
    paths = [real_data / "books/book_EN_grimms_fairy_tails.txt", real_data / "eng-fra/eng-fra.txt"]
    text = "".join(path.read_text(encoding="utf-8-sig") for path in paths)

    opened = open_corpus(paths)

    assert opened.num_chars == len(text)
    assert opened.num_symbols(540_240) == 86
    assert opened.vocabulary(len(text)).decode(opened.ids(0, len(text))) == text
