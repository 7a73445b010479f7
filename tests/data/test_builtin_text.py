import sys
from importlib.resources import files

import pytest

from recurra.data import Columns, open_corpus, resolve
from recurra.data.records import RecordFile
from recurra.errors import DataError, DataNotFoundError


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
    corpus = open_corpus([path])
    assert corpus.num_chars(0, corpus.num_units) == len(first)


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
        monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
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


@pytest.fixture
def places(cache):
    """The records of the table of places: name and region."""
    (path,) = resolve(["builtin:place-names"]).paths
    file = RecordFile(path, Columns("place", "region"))
    text = "".join(file.chunks())
    return list(zip(text.splitlines(), file.labels, strict=True))


def test_places_are_sorted_and_stand_there_once(places):
    assert len(places) > 400
    assert [(region, place) for place, region in places] == sorted({(region, place) for place, region in places})


def test_places_are_the_last_words_of_their_zones(places):
    assert ("Buenos Aires", "America") in places  # America/Argentina/Buenos_Aires and America/Buenos_Aires
    assert ("Port-au-Prince", "America") in places
    assert ("South Pole", "Antarctica") in places
    assert ("Oslo", "Europe") in places
    assert {region for _, region in places} == {
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    }


def test_every_zone_of_a_place_is_there(places):
    zones = files("tzdata").joinpath("zones").read_text().splitlines()
    outside = {"Etc", "US", "Canada", "Brazil", "Chile", "Mexico", "SystemV"}

    expected = {
        (zone.rpartition("/")[2].replace("_", " "), zone.partition("/")[0])
        for zone in zones
        if "/" in zone and zone.partition("/")[0] not in outside
    }

    assert set(places) == expected


def test_the_places_are_the_same_file_every_time(cache):
    (path,) = resolve(["builtin:place-names"]).paths
    written_ns = path.stat().st_mtime_ns

    (again,) = resolve(["builtin:place-names"]).paths

    assert (again, again.stat().st_mtime_ns) == (path, written_ns)
    assert path.read_text().startswith("place\tregion\nAbidjan\tAfrica\n")


def test_a_missing_time_zone_database_is_told(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "tzdata", None)

    with pytest.raises(
        DataNotFoundError, match=r"the time-zone database of .* for builtin:place-names, got none"
    ) as caught:
        resolve(["builtin:place-names"])

    assert caught.value.hint.startswith("install tzdata")
