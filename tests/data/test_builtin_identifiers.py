import platform
from collections import Counter

import pytest

from recurra.data import builtin_identifiers
from recurra.data.builtin_identifiers import write_identifiers
from recurra.data.source_roles import ROLES
from recurra.data.tagged_sentences import read_tagged
from recurra.errors import DataError, DataNotFoundError


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The three files."""
    return write_identifiers(tmp_path_factory.mktemp("cache"))


def test_the_parts_have_their_size_and_all_roles(parts):
    train, validation, test = (read_tagged([path]) for path in parts)

    assert 40_000 < train.num_words < 60_000
    assert 5_000 < validation.num_words < 12_000
    assert 5_000 < test.num_words < 12_000
    assert all({tag for tags in part.tags for tag in tags} == set(ROLES) for part in (train, validation, test))


def test_no_line_stands_twice_in_or_among_the_parts(parts):
    lines = Counter(tuple(words) for path in parts for words in read_tagged([path]).words)

    assert max(lines.values()) == 1


@pytest.fixture
def few(monkeypatch):
    """A few small modules in place of all."""
    modules = {"train": ("queue", "sched"), "validation": ("copyreg",), "test": ("bisect",)}
    monkeypatch.setattr(builtin_identifiers, "_MODULES", modules)


def test_the_files_are_written_once_and_name_their_python(few, tmp_path):
    paths = write_identifiers(tmp_path)
    written_ns = [path.stat().st_mtime_ns for path in paths]

    again = write_identifiers(tmp_path)

    assert again == paths
    assert [path.stat().st_mtime_ns for path in again] == written_ns
    assert all(platform.python_version() in path.name for path in paths)


def test_a_missing_part_is_written_anew_and_is_the_same(few, tmp_path):
    path = write_identifiers(tmp_path)[1]
    content = path.read_bytes()
    path.unlink()

    write_identifiers(tmp_path)

    assert path.read_bytes() == content


def test_a_python_without_sources_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))

    with pytest.raises(
        DataNotFoundError, match=r"expected the sources .* for builtin:identifiers, got no file .*argparse.py"
    ) as caught:
        write_identifiers(tmp_path / "cache")

    assert "name a tagged file of your own" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_named(few, tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(DataError, match=r"expected to write to the cache folder .*file"):
        write_identifiers(tmp_path / "file")
