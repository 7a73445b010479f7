"""Text as memory-mapped arrays of raw ids, kept in a cache."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data import corpus_cache
from recurra.data.cache import aside_folder, reported_writing
from recurra.data.corpus_builder import build_corpus
from recurra.data.corpus_description import Description, Reading, Source
from recurra.data.records import Columns
from recurra.data.units import Rule
from recurra.errors import ArgumentError, DataError

_COUNTED_AT_ONCE = 1 << 22


class Corpus:
    r"""The units of one or more files as raw ids in a memory-mapped array.

    Units are what a rule cuts text into: characters, words, or the tokens of a text that is tokenised already. Their
    raw ids are given by first occurrence over all files, from 1 on.

    Attributes:
        rule: How the text was cut.
        lowercase: Whether units are in lower case.
        columns: Which columns the text and its labels were read from; None for plain text.
        fingerprint: Tells corpora apart: SHA-256 of the text, of how it was read and of where its files end. For one
            plain file and characters as they are, it is that of the text as UTF-8, without byte-order mark and with
            ``\n`` line ends.
        num_units: Length in units.
        symbols: What the raw ids 1, 2, ... stand for.
        newline_id: Raw id of the line end; None where there is none.
        sources: The files, in the order in which they were joined.
        borders: Units up to the end of each file; the last one is ``num_units``.
        label_names: What the numbers of ``line_labels`` stand for; empty without labels.
        num_joined: Records whose text held line ends, which became spaces.
    """

    def __init__(self, folder: Path, description: Description) -> None:
        self._folder, self._arrays, self._num_chars = folder, description.arrays, description.num_chars
        self.rule: Rule = description.reading.rule
        self.lowercase = description.reading.lowercase
        self.columns = description.reading.columns
        self.fingerprint = description.fingerprint
        self.num_units = description.borders[-1]
        self.symbols = description.symbols
        self.newline_id = self.symbols.index("\n") + 1 if "\n" in self.symbols else None
        self.sources = description.sources
        self.borders = description.borders
        self.label_names = description.label_names
        self.num_joined = description.num_joined

    def __repr__(self) -> str:
        return f"Corpus(rule={self.rule!r}, {self.num_units} units, {len(self.symbols)} distinct)"

    def __getstate__(self) -> dict[str, Any]:
        # a pickled memory map would be a copy of the whole text
        return {name: value for name, value in self.__dict__.items() if not isinstance(value, np.ndarray)}

    @cached_property
    def raw(self) -> np.ndarray:
        """The raw ids of all units: a read-only view of the memory map, shape ``(num_units,)``."""
        return self._open("ids")

    @cached_property
    def line_labels(self) -> np.ndarray | None:
        """The label of each line as a number from 0 on, a read-only view of the memory map; None without labels."""
        return self._open("labels") if "labels" in self._arrays else None

    def ids(self, start: int, stop: int) -> np.ndarray:
        """Return the raw ids of the units from ``start`` to ``stop``: a read-only view of the memory map.

        Raises:
            ArgumentError: When the range does not lie inside the text.
        """
        self._check_range(start, stop)
        return self.raw[start:stop]

    def num_chars(self, start: int | np.ndarray, stop: int | np.ndarray) -> int:
        """Return how many characters of text the units from ``start`` to ``stop`` stand for.

        White space between units counts to the one behind it, and at the end of the text to the last one.

        Args:
            start: Where a range begins, or where each of several ranges does, integers of shape (n,).
            stop: Where it ends, or where each of them does; they count together.

        Raises:
            ArgumentError: When a range does not lie inside the text.
        """
        starts, stops = np.atleast_1d(start), np.atleast_1d(stop)
        is_outside = (starts < 0) | (starts > stops) | (stops > self.num_units)
        if is_outside.any():
            wrong = int(np.argmax(is_outside))
            self._check_range(int(starts[wrong]), int(stops[wrong]))
        if self.rule == "char":
            return int((stops - starts).sum())
        return int((self._chars_before(stops) - self._chars_before(starts)).sum())

    def counts(self, start: int, stop: int) -> np.ndarray:
        """Return how often each raw id occurs from ``start`` to ``stop``; int64 of shape ``(len(symbols) + 1,)``.

        Raises:
            ArgumentError: When the range does not lie inside the text.
        """
        self._check_range(start, stop)
        counts = np.zeros(len(self.symbols) + 1, np.int64)
        for begin in range(start, stop, _COUNTED_AT_ONCE):
            some = np.bincount(self.raw[begin : min(begin + _COUNTED_AT_ONCE, stop)])
            counts[: len(some)] += some
        return counts

    def _chars_before(self, places: np.ndarray) -> np.ndarray:
        ends = self._ends[np.maximum(places - 1, 0)].astype(np.int64)
        return np.where(places > 0, ends, 0)

    @cached_property
    def _ends(self) -> np.ndarray:
        return self._open("ends")

    def _open(self, name: str) -> np.ndarray:
        return self._arrays[name].open(self._folder, name)

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.num_units:
            raise ArgumentError(
                f"Corpus expected 0 <= start <= stop <= {self.num_units}, got start={start}, stop={stop}"
            )


def open_corpus(
    sources: Sequence[str | Path],
    cache_dir: str | Path | None = None,
    *,
    rule: Rule = "char",
    lowercase: bool = False,
    columns: Columns | None = None,
) -> Corpus:
    r"""Return the corpus of some text files, made in one pass over them unless the cache has it.

    A file counts as unchanged while its path, size, time of change and time of status change are the same;
    the times of a file that was written within the last two seconds are not trusted.

    Characters of plain text are joined as they stand. With any other rule or with ``columns``, the last line of a
    file that another one follows gets its line end if it has none, so no line goes across files.

    Args:
        sources: Files in the order in which they are joined; ``.gz`` and ``.xz`` are unpacked.
        cache_dir: Where corpora are kept; by default ``$RECURRA_CACHE``, else the user's cache folder.
        rule: How text is cut; see ``split_units``.
        lowercase: Whether units are taken in lower case.
        columns: Reads the files record by record, one a line, with labels if they are asked for.

    Raises:
        ChoiceError: When the rule is not among the known ones.
        DataNotFoundError: When a file is not there.
        EncodingError: When a file is not UTF-8 text.
        DataError: When a file cannot be used, changes meanwhile, or the cache folder cannot take the result.
    """
    if not sources:
        raise DataError("open_corpus expected at least one file, got none")
    reading = Reading(rule, lowercase, columns)
    root = corpus_cache.corpora_root(cache_dir)
    paths = [Path(os.path.abspath(source)) for source in sources]
    began_s = time.time()
    stamps = [corpus_cache.stamp_of(path) for path in paths]
    entry = corpus_cache.index_entry(root, stamps, reading)
    cached = corpus_cache.read_entry(root, entry)
    if cached is not None:
        return Corpus(*cached)
    with reported_writing(root, corpus_cache.needed_room(stamps, reading)), aside_folder(root) as aside:
        description = build_corpus(paths, aside, reading)
        for path, before in zip(paths, stamps, strict=True):
            if corpus_cache.stamp_of(path) != before:
                raise DataError(f"expected {path} to stay as it is while it is read, but it changed")
        folder = corpus_cache.publish(aside, root, description)
        if corpus_cache.are_settled(stamps, began_s):
            corpus_cache.write_entry(entry, description)
    return Corpus(folder, description)


def open_cached(fingerprint: str, cache_dir: str | Path | None = None) -> Corpus | None:
    """Return the corpus with this fingerprint if the cache has it whole, even where its sources are gone."""
    if len(fingerprint) != 64 or not set(fingerprint) <= set("0123456789abcdef"):
        raise ArgumentError(f"open_cached expected a fingerprint of 64 hexadecimal digits, got {fingerprint!r}")
    folder = corpus_cache.corpora_root(cache_dir) / fingerprint
    description = corpus_cache.read_folder(folder)
    return None if description is None else Corpus(folder, description)


__all__ = ["Corpus", "Source", "open_cached", "open_corpus"]
