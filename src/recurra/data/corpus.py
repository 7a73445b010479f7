"""Text as a memory-mapped array of character ids, kept in a cache."""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.cache import aside_folder, reported_writing, resolve_cache_dir, write_whole
from recurra.data.corpus_builder import Description, Source, build_ids
from recurra.data.text_files import open_regular
from recurra.data.vocabulary import Vocabulary
from recurra.errors import ArgumentError, DataError

_FORMAT = "recurra-corpus"
_VERSION = 1
_IDS, _DESCRIPTION = "ids.bin", "corpus.json"
# A file can change twice within one tick of a coarse clock, so the times of a file this young prove nothing.
_SETTLED_AFTER_S = 2.0

Stamp = tuple[str, int, int, int]


class Corpus:
    r"""The characters of one or more files as ids in a memory-mapped array.

    Ids are given by first occurrence, from 1 on. The characters that occur in the first n characters are therefore
    exactly the ids ``1 .. num_symbols(n)``, and larger ids are unknown to a model trained on those n.

    Attributes:
        fingerprint: SHA-256 of the text as UTF-8, without byte-order marks and with ``\n`` line ends.
        num_chars: Length of the text.
        sources: The files, in the order in which they were joined.
    """

    def __init__(self, folder: Path, description: Description) -> None:
        self._folder, self._description = folder, description
        self.fingerprint = description.fingerprint
        self.num_chars = description.num_chars
        self.sources = description.sources

    def __repr__(self) -> str:
        return f"Corpus({self.num_chars} characters, {len(self._description.symbols)} distinct)"

    def __getstate__(self) -> dict[str, Any]:
        # a pickled memory map would be a copy of the whole text
        return {name: value for name, value in self.__dict__.items() if name != "_map"}

    def num_symbols(self, stop: int) -> int:
        """Return how many distinct characters occur in the first ``stop`` characters."""
        self._check_range(0, stop)
        return bisect.bisect_left(self._description.first_positions, stop)

    def vocabulary(self, stop: int) -> Vocabulary:
        """Return the vocabulary of the first ``stop`` characters."""
        return Vocabulary(self._description.symbols[: self.num_symbols(stop)])

    def ids(self, start: int, stop: int) -> np.ndarray:
        """Return the ids of the characters from ``start`` to ``stop``: a read-only view of the memory map.

        Ids above the size of the vocabulary in use mean unknown characters; see ``known_ids``.

        Raises:
            ArgumentError: When the range does not lie inside the text.
        """
        self._check_range(start, stop)
        return self._map[start:stop]

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.num_chars:
            raise ArgumentError(
                f"Corpus expected 0 <= start <= stop <= {self.num_chars}, got start={start}, stop={stop}"
            )

    @cached_property
    def _map(self) -> np.ndarray:
        mapped = np.memmap(self._folder / _IDS, np.dtype(self._description.dtype), "r", shape=(self.num_chars,))
        return np.asarray(mapped)  # the same memory; slices of it cost a tenth of slices of a np.memmap


def known_ids(ids: np.ndarray, num_symbols: int) -> np.ndarray:
    """Return a copy of raw corpus ids as int64, with 0 for those above ``num_symbols``."""
    known = ids.astype(np.int64, order="C")  # the default keeps transposed memory
    known[known > num_symbols] = 0
    return known


def open_corpus(sources: Sequence[str | Path], cache_dir: str | Path | None = None) -> Corpus:
    """Return the corpus of some text files, made in one pass over them unless the cache has it.

    A file counts as unchanged while its path, size, time of change and time of status change are the same;
    the times of a file that was written within the last two seconds are not trusted.

    Args:
        sources: Files in the order in which they are joined; ``.gz`` and ``.xz`` are unpacked.
        cache_dir: Where corpora are kept; by default ``$RECURRA_CACHE``, else the user's cache folder.

    Raises:
        DataNotFoundError: When a file is not there.
        EncodingError: When a file is not UTF-8 text.
        DataError: When a file cannot be used, changes meanwhile, or the cache folder cannot take the result.
    """
    if not sources:
        raise DataError("open_corpus expected at least one file, got none")
    root = _root(cache_dir)
    paths = [Path(os.path.abspath(source)) for source in sources]
    began_s = time.time()
    stamps = [_stamp(path) for path in paths]
    entry = root / "index" / f"{_key(stamps)}.json"
    cached = _open_indexed(root, entry)
    if cached is not None:
        return cached
    with reported_writing(root, _room(stamps)), aside_folder(root) as aside:
        description = build_ids(paths, aside / _IDS)
        for path, before in zip(paths, stamps, strict=True):
            if _stamp(path) != before:
                raise DataError(f"expected {path} to stay as it is while it is read, but it changed")
        write_whole(aside / _DESCRIPTION, _to_json(description))
        folder = _publish(aside, root / description.fingerprint)
        if _settled(stamps, began_s):
            write_whole(entry, _index_json(description))
    return Corpus(folder, description)


def open_cached(fingerprint: str, cache_dir: str | Path | None = None) -> Corpus | None:
    """Return the corpus with this fingerprint if the cache has it whole, even where its sources are gone."""
    if len(fingerprint) != 64 or not set(fingerprint) <= set("0123456789abcdef"):
        raise ArgumentError(f"open_cached expected a fingerprint of 64 hexadecimal digits, got {fingerprint!r}")
    return _open_folder(_root(cache_dir) / fingerprint)


def _root(cache_dir: str | Path | None) -> Path:
    return resolve_cache_dir(cache_dir) / f"corpora-{_VERSION}"


def _stamp(path: Path) -> Stamp:
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
    return str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _settled(stamps: Sequence[Stamp], now_s: float) -> bool:
    return all(abs(now_s - time_ns / 1e9) > _SETTLED_AFTER_S for stamp in stamps for time_ns in stamp[2:])


def _key(stamps: Sequence[Stamp]) -> str:
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()


def _room(stamps: Sequence[Stamp]) -> str:
    """Say how much room the ids take: at most one byte for each byte of text while they are of the narrowest type."""
    size_mb = max(sum(stamp[1] for stamp in stamps) / 1e6, 0.1)
    if any(Path(stamp[0]).suffix in (".gz", ".xz") for stamp in stamps):
        return f"the unpacked text of {size_mb:.1f} MB"
    return f"{size_mb:.1f} MB, or three times that where more than 255 characters are distinct,"


def _publish(aside: Path, folder: Path) -> Path:
    """Rename a finished corpus to its place, unless another process was faster."""
    while True:
        try:
            os.rename(aside, folder)
        except OSError:
            if _open_folder(folder) is not None:
                return folder
            if not folder.exists():
                raise
        else:
            return folder
        # what lies there is damaged: put it out of the way, where nobody looks for it
        broken = folder.with_name(f".aside-{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):  # another process may do the same
            os.rename(folder, broken)
        shutil.rmtree(broken, ignore_errors=True)


def _open_indexed(root: Path, entry: Path) -> Corpus | None:
    try:
        content = json.loads(entry.read_bytes())
        folder, sources = root / content["fingerprint"], tuple(Source(**source) for source in content["sources"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no entry, or one that cannot be read: the corpus is made anew
    corpus = _open_folder(folder)
    if corpus is None:
        return None
    # the same text may have been made from other files before
    return Corpus(corpus._folder, dataclasses.replace(corpus._description, sources=sources))


def _open_folder(folder: Path) -> Corpus | None:
    try:
        description = _from_json((folder / _DESCRIPTION).read_bytes())
        size = (folder / _IDS).stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = size == description.num_chars * np.dtype(description.dtype).itemsize
    return Corpus(folder, description) if whole and description.fingerprint == folder.name else None


def _to_json(description: Description) -> bytes:
    content = {"format": _FORMAT, "version": _VERSION, **dataclasses.asdict(description)}
    return json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")


def _index_json(description: Description) -> bytes:
    sources = [dataclasses.asdict(source) for source in description.sources]
    content = {"fingerprint": description.fingerprint, "sources": sources}
    return json.dumps(content, indent=1).encode("utf-8")


def _from_json(data: bytes) -> Description:
    content = json.loads(data)
    if not isinstance(content, dict) or content.pop("format") != _FORMAT or content.pop("version") != _VERSION:
        raise ValueError("another format")
    content["sources"] = tuple(Source(**source) for source in content["sources"])
    content["first_positions"] = tuple(content["first_positions"])
    return Description(**content)


__all__ = ["Corpus", "Source", "known_ids", "open_cached", "open_corpus"]
