"""Reading one column of a table as lines of text, and another one as their labels."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.data.text_files import CHUNK_BYTES, TextFile, iter_line_lists
from recurra.errors import ArgumentError, DataError

FILE_LABEL = "file"
"""As ``Columns.label``: the label of a record is the name of its file."""
_PACKED = (".gz", ".xz")
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_PLAIN = ".txt"
# What a single field, or a line, may hold. Python's own bound of 131,072 is less than a long document, and without any
# bound a quote that is never closed takes the rest of the file into memory.
_MAX_FIELD_CHARS = 1 << 24
# A chunk of records ends when it has so many of them, or about so many characters.
_RECORDS_AT_A_TIME = 1000
_CHARS_AT_A_TIME = CHUNK_BYTES

_NumberedRow = tuple[int, list[str]]


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read.

    Attributes:
        text: Column that holds the text: its name in the header line, or its number, counted from "1", in a table
            without a header line. None means that the lines of a plain text file are the records.
        label: Column that holds the label of the text, named or numbered as ``text`` is; ``"file"`` means the name of
            the file without ``.txt``, ``.csv``, ``.gz`` and the like; None means that there are no labels.

    Raises:
        ArgumentError: When a column is named "", numbered 0, or cannot be found without the other.
    """

    text: str | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        for argument, column in (("text", self.text), ("label", self.label)):
            if column is not None and (not column or (_is_number(column) and int(column) == 0)):
                raise ArgumentError(
                    f"Columns expected {argument} to be the name of a column or its number from 1 on, got {column!r}"
                )
        if self.label is None or self.label == FILE_LABEL:
            return
        if self.text is None:
            raise ArgumentError(f"Columns expected text to name a column, as label={self.label!r} does, got None")
        if _is_number(self.text) != _is_number(self.label):
            raise ArgumentError(
                f"Columns expected two names, or two numbers, got text={self.text!r} and label={self.label!r}",
                hint="numbers are for tables without a header line",
            )


class RecordFile:
    r"""A file whose records are read as lines; the counterpart of ``TextFile``.

    In a table (``.csv``, ``.tsv`` or ``.tab``, also below ``.gz`` or ``.xz``) the text of each record makes a line.
    All records have as many fields as the first line has. Wholly blank lines between records are skipped. In any other
    file the lines are the records.

    Quotes in ``.csv`` are those of RFC 4180: a field that begins with one ends with one, and holds others doubled; a
    line break inside it becomes a space. In ``.tsv`` and ``.tab``, where fields hold no tabs and no line breaks, a
    quote is a character like any other.

    Args:
        path: The file.
        columns: What to read of it.

    Attributes:
        path: Where the file lies.
        labels: The label of each line given out so far; empty without labels.
        num_joined: Records given out so far whose text held a line break.

    Raises:
        DataError: When a column is asked for and the file is no table, or the file is a table and none is.
    """

    def __init__(self, path: str | Path, columns: Columns) -> None:
        self.path = Path(path)
        self.labels: list[str] = []
        self.num_joined = 0
        self._columns = columns
        self._file = TextFile(path)
        self._delimiter = _DELIMITERS.get(_unpacked_name(self.path).suffix.lower())
        if columns.text is not None and self._delimiter is None:
            raise DataError(
                f"expected a table for the column {columns.text!r}, got {self.path}",
                hint="tables end in .csv, .tsv or .tab (with .gz or .xz behind it where they are packed)",
            )
        if columns.text is None and self._delimiter is not None:
            raise DataError(
                f"expected the column of {self.path} that holds the text, got none",
                hint="name it, or give its number where the table has no header line",
            )

    @property
    def size_bytes(self) -> int:
        """Bytes read so far, as stored."""
        return self._file.size_bytes

    @property
    def sha256(self) -> str:
        """The hash of the stored bytes read so far: of the whole file once ``chunks`` is used up."""
        return self._file.sha256

    def chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[str]:
        r"""Yield the lines in chunks of text, each line ended by ``"\n"``; that of a plain file may go across chunks.

        ``labels`` has grown by the label of each line that ends in a chunk when the chunk is given out.

        Args:
            chunk_bytes: How many bytes of the (unpacked) file are read at a time.

        Raises:
            DataError: When the file cannot be read as such a table: a column is missing, a record has too few or too
                many fields, a label is empty, quotes are broken, or a line or field is longer than 16 million
                characters.
        """
        self.labels, self.num_joined = [], 0
        chunks = self._file.chunks(chunk_bytes)
        yield from self._lines(chunks) if self._delimiter is None else self._records(chunks)

    def _lines(self, chunks: Iterator[str]) -> Iterator[str]:
        text = "\n"
        for text in chunks:
            self._add_file_labels(text.count("\n"))
            yield text
        if not text.endswith("\n"):
            self._add_file_labels(1)
            yield "\n"

    def _add_file_labels(self, count: int) -> None:
        if self._columns.label == FILE_LABEL:
            self.labels.extend([_file_label(self.path)] * count)

    def _records(self, chunks: Iterator[str]) -> Iterator[str]:
        text, label = self._columns.text, self._columns.label
        assert text is not None
        rows = self._rows(chunks)
        if _is_number(text):
            text_place, label_place = int(text) - 1, int(label) - 1 if label and _is_number(label) else None
            needed = max(text_place, label_place or 0) + 1
        else:
            header = self._header(rows)
            text_place, needed = self._find(text, header), 1
            label_place = self._find(label, header) if label not in (None, FILE_LABEL) else None
        has_records = False
        for some in rows:
            number, first = some[0]
            if len(first) < needed:
                raise DataError(f"expected at least {needed} fields in line {number} of {self.path}, got {len(first)}")
            has_records = True
            self._add_labels(some, label_place)
            yield "".join(self._line(row[text_place]) for _, row in some)
        if not has_records:
            raise DataError(f"expected records in {self.path}, got none")

    def _header(self, rows: Iterator[list[_NumberedRow]]) -> list[str]:
        for ((_, header),) in rows:
            return header
        raise DataError(f"expected a header line in {self.path}, got blank lines only")

    def _find(self, name: str | None, header: list[str]) -> int:
        assert name is not None
        if header.count(name) == 1:
            return header.index(name)
        columns = ", ".join(map(repr, header))
        near = difflib.get_close_matches(name, header, n=1)
        raise DataError(
            f"expected one column {name!r} in {self.path}, got {header.count(name) or 'none'} among {columns}",
            hint=f"did you mean {near[0]!r}?" if near and near[0] != name else "",
        )

    def _line(self, text: str) -> str:
        if "\n" in text:
            self.num_joined += 1
            text = text.replace("\n", " ")
        return text + "\n"

    def _add_labels(self, rows: list[_NumberedRow], place: int | None) -> None:
        if place is None:
            self._add_file_labels(len(rows))
            return
        for number, row in rows:
            label = row[place]
            if not label.strip():
                raise DataError(f"expected a label in line {number} of {self.path}, got {label!r}")
            self.labels.append(label)

    def _rows(self, chunks: Iterator[str]) -> Iterator[list[_NumberedRow]]:
        """Yield lists of records, each with the number of the line that it begins in; the first list has one."""
        assert self._delimiter is not None
        hint = "cut the text into several records"
        # no field is longer than its line, unless a quote is open
        blocks = iter_line_lists(chunks, self.path, max_chars=_MAX_FIELD_CHARS, hint=hint)
        lines = (f"{line}\n" for block in blocks for line in block)
        reader = csv.reader(
            lines,
            delimiter=self._delimiter,
            quoting=csv.QUOTE_NONE if self._delimiter == "\t" else csv.QUOTE_MINIMAL,
            strict=True,
        )
        first = rows = self._take(reader, 1)
        while rows:
            self._check_widths(rows, *first[0])
            yield rows
            rows = self._take(reader, _RECORDS_AT_A_TIME)

    def _check_widths(self, rows: list[_NumberedRow], first_number: int, first: list[str]) -> None:
        for number, row in rows:
            if len(row) != len(first):
                raise DataError(
                    f"expected {len(first)} fields in line {number} of {self.path}, as in line {first_number}, "
                    f"got {len(row)}",
                    hint="no field can hold a tab"
                    if self._delimiter == "\t"
                    else "a field that holds a comma must stand in quotes",
                )

    def _take(self, reader: Any, count: int) -> list[_NumberedRow]:
        rows: list[_NumberedRow] = []
        number, num_chars = reader.line_num + 1, 0
        try:
            with _raised_field_limit():
                while len(rows) < count and num_chars < _CHARS_AT_A_TIME:
                    number = reader.line_num + 1
                    row = next(reader)
                    if row:  # a blank line has no field at all
                        rows.append((number, row))
                        num_chars += sum(map(len, row))
        except StopIteration:
            return rows
        except csv.Error as error:
            raise DataError(
                f"expected whole records in {self.path}, got in the one that begins in line {number}: {error}",
                hint='a field that begins with a quote must end with one, and hold others doubled: "He said ""no""."',
            ) from error
        return rows


@contextmanager
def _raised_field_limit() -> Iterator[None]:
    before = csv.field_size_limit(_MAX_FIELD_CHARS)  # one number for the whole process: others find theirs again
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _is_number(column: str) -> bool:
    return column.isascii() and column.isdecimal()


def is_table(path: str | Path) -> bool:
    """Return whether a file's name says that it has columns."""
    return _unpacked_name(Path(path)).suffix.lower() in _DELIMITERS


def _unpacked_name(path: Path) -> Path:
    return path.with_suffix("") if path.suffix in _PACKED else path


def _file_label(path: Path) -> str:
    name = _unpacked_name(path)
    return name.stem if name.suffix.lower() in (_PLAIN, *_DELIMITERS) else name.name


__all__ = ["FILE_LABEL", "Columns", "RecordFile", "is_table"]
