"""One pass over text files: arrays into a folder, symbols and hashes into a description."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from recurra.data.corpus_description import Description, Reading, Source
from recurra.data.number_files import WIDE_TYPES, NumberFiles
from recurra.data.numbering import CharNumbering, SymbolNumbering
from recurra.data.records import RecordFile
from recurra.data.text_files import CHUNK_BYTES, TextFile
from recurra.data.units import iter_pieces, split_units, unit_ends
from recurra.errors import DataError


def build_corpus(
    paths: Sequence[Path], folder: Path, reading: Reading, *, chunk_bytes: int = CHUNK_BYTES
) -> Description:
    """Read the files once and write the arrays of their units into ``folder``.

    ``ids``: a number for each unit; the first distinct one gets 1, the next 2, and so on. ``ends``: where each unit
    ends, in characters, unless units are characters. ``labels``: a number from 0 on for each line, where lines have
    labels. Numbers are stored as narrow as they allow; a file is rewritten in chunks when it outgrows its type.

    Raises:
        DataError: When a file cannot be used as text.
        OSError: When ``folder`` cannot be written.
    """
    with NumberFiles(folder) as files:
        builder = _Builder(files, reading)
        for path in paths:
            builder.add(path, chunk_bytes, is_last=len(builder.sources) == len(paths) - 1)
        return builder.finish()


class _Builder:
    """Joins files to one corpus."""

    def __init__(self, files: NumberFiles, reading: Reading) -> None:
        self.sources: list[Source] = []
        self._files, self._reading = files, reading
        self._digest = hashlib.sha256()
        self._units = _Chars(files, reading) if reading.rule == "char" else _Words(files, reading)
        self._labels = _Labels(files) if reading.has_labels else None
        self._borders: list[int] = []
        self._num_joined = 0

    def add(self, path: Path, chunk_bytes: int, *, is_last: bool) -> None:
        columns = self._reading.columns
        file = TextFile(path) if columns is None else RecordFile(path, columns)
        texts = file.chunks(chunk_bytes)
        if isinstance(file, RecordFile) and self._labels is not None:
            texts = self._labels.collected(texts, file)
        if self._reading.ends_lines and not is_last:
            texts = _ended(texts)
        self._units.add(self._hashed(texts), str(path))
        self._borders.append(self._units.num_units)
        self.sources.append(Source(os.path.abspath(path), file.size_bytes, file.sha256))
        self._num_joined += file.num_joined if isinstance(file, RecordFile) else 0

    def finish(self) -> Description:
        if not self._units.num_units:
            raise DataError(f"expected text in {self.sources[0].path}, got white space only")
        self._units.finish()
        return Description(
            fingerprint=self._fingerprint(),
            reading=self._reading,
            num_chars=self._units.num_chars,
            symbols=tuple(self._units.symbols),
            borders=tuple(self._borders),
            label_names=tuple(self._labels.names) if self._labels else (),
            num_joined=self._num_joined,
            arrays=self._files.finish(),
            sources=tuple(self.sources),
        )

    def _hashed(self, texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            self._digest.update(text.encode("utf-8"))
            yield text

    def _fingerprint(self) -> str:
        """Return the hash of the text where it is one plain file, else that of all that was made of the files."""
        content = self._digest.hexdigest()
        if self._reading.is_plain and len(self._borders) == 1:
            return content
        parts = [content, asdict(self._reading), self._borders]
        if self._labels is not None:
            parts += [self._labels.names, self._labels.digest.hexdigest()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Chars:
    """Stores characters as ids."""

    def __init__(self, files: NumberFiles, reading: Reading) -> None:
        self._ids = files.open("ids")
        self._numbering = CharNumbering(lowercase=reading.lowercase)

    @property
    def num_units(self) -> int:
        return self._ids.length

    @property
    def num_chars(self) -> int:
        return self._ids.length

    @property
    def symbols(self) -> list[str]:
        return self._numbering.symbols

    def add(self, texts: Iterable[str], origin: str) -> None:
        for text in texts:
            numbers = self._numbering.number(text)
            self._ids.append(numbers, largest=len(self._numbering.symbols))

    def finish(self) -> None:
        """Nothing is held back."""


class _Words:
    """Stores words or tokens as ids, and where each of them ends."""

    def __init__(self, files: NumberFiles, reading: Reading) -> None:
        self.num_chars = 0
        self._ids, self._ends = files.open("ids"), files.open("ends", WIDE_TYPES)
        self._reading = reading
        self._numbering = SymbolNumbering()
        # the end of the last unit is held back: white space at the end of the text moves it
        self._held = np.zeros(0, np.int64)

    @property
    def num_units(self) -> int:
        return self._ids.length

    @property
    def symbols(self) -> list[str]:
        return self._numbering.symbols

    def add(self, texts: Iterable[str], origin: str) -> None:
        for piece in iter_pieces(texts, self._reading.rule, origin=origin):
            units = split_units(piece, self._reading.rule)
            ends = np.concatenate([self._held, unit_ends(piece, units) + self.num_chars])
            self._held = ends[-1:]
            self.num_chars += len(piece)
            self._ends.append(ends[:-1], largest=self.num_chars)
            if self._reading.lowercase:
                units = [unit.lower() for unit in units]
            numbers = self._numbering.number(units)
            self._ids.append(numbers, largest=len(self._numbering))

    def finish(self) -> None:
        self._ends.append(np.full(len(self._held), self.num_chars), largest=self.num_chars)


class _Labels:
    """Stores the label of each line as a number."""

    def __init__(self, files: NumberFiles) -> None:
        self.digest = hashlib.sha256()
        self._numbers = files.open("labels")
        self._numbering = SymbolNumbering()

    @property
    def names(self) -> list[str]:
        return self._numbering.symbols

    def collected(self, texts: Iterable[str], file: RecordFile) -> Iterator[str]:
        """Yield ``texts``, the chunks of ``file``, and store the labels that come with them."""
        for text in texts:
            numbers = self._numbering.number(file.labels) - np.uint32(1)
            assert len(numbers) == text.count("\n"), "as many labels as lines"
            file.labels.clear()  # they would grow with the file
            self.digest.update(numbers.astype("<u4").tobytes())
            self._numbers.append(numbers, largest=len(self._numbering) - 1)
            yield text


def _ended(texts: Iterable[str]) -> Iterator[str]:
    """Yield ``texts``, and a line end if the last of them has none."""
    text = "\n"
    for text in texts:
        yield text
    if not text.endswith("\n"):
        yield "\n"


__all__ = ["build_corpus"]
