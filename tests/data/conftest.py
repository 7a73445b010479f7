"""What the tests of this room share."""

import os
from pathlib import Path

import pytest

from recurra.data import corpus_cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of this test's own, which is the default one, too."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("RECURRA_CACHE", str(folder))
    return folder


@pytest.fixture
def trusting(monkeypatch):
    """Let the cache trust the times of files that were written just now."""
    monkeypatch.setattr(corpus_cache, "_SETTLED_AFTER_S", -1.0)


@pytest.fixture
def real_data():
    """The folder of real files."""
    root = os.environ.get("RECURRA_DATA")
    if not root:
        pytest.skip("RECURRA_DATA names no folder with real files")
    return Path(root)


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and return its path."""

    def _write(content, name="text.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return _write
