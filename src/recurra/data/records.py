"""Reading one column of a table as lines of text, and another one as their labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recurra.data.tables import Table, is_number, is_table, unpacked_name
from recurra.data.text_files import CHUNK_BYTES, TextFile
from recurra.errors import ArgumentError, DataError

FILE_LABEL = "file"
"""As ``Columns.label``: the label of a record is the name of its file."""
# what says the kind of a file, and is no part of its label
_KINDS = (".txt", ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read.

    Attributes:
        text: Column that holds the text: its name in the header line, or its number, counted from "1", in a table
            without a header line. None means that the lines of a plain text file are the records.
        label: Column that holds the label of the text, named or numbered as ``text`` is; ``"file"`` means the name of
            the file without ``.txt``, ``.csv``, ``.gz`` and the like; None means that there are no labels.
        split: Column that says whether a record is there to train, to validate or to test, named or numbered as
            ``text`` is; None means that the table does not say. ``RecordFile`` reads all records.

    Raises:
        ArgumentError: When a column is named "", numbered 0, or cannot be found without the other.
    """

    text: str | None = None
    label: str | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        for argument, column in (("text", self.text), ("label", self.label), ("split", self.split)):
            if column is not None and (not column or (is_number(column) and int(column) == 0)):
                raise ArgumentError(
                    f"Columns expected {argument} to be the name of a column or its number from 1 on, got {column!r}"
                )
        for argument, column in (("label", None if self.label == FILE_LABEL else self.label), ("split", self.split)):
            if column is not None:
                self._check_with_text(argument, column)

    def _check_with_text(self, argument: str, column: str) -> None:
        if self.text is None:
            raise ArgumentError(f"Columns expected text to name a column, as {argument}={column!r} does, got None")
        if is_number(self.text) != is_number(column):
            raise ArgumentError(
                f"Columns expected two names, or two numbers, got text={self.text!r} and {argument}={column!r}",
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
        self._file: Table | TextFile = Table(path) if is_table(path) else TextFile(path)
        if columns.text is not None and isinstance(self._file, TextFile):
            raise DataError(
                f"expected a table for the column {columns.text!r}, got {self.path}",
                hint="tables end in .csv, .tsv or .tab (with .gz or .xz behind it where they are packed)",
            )
        if columns.text is None and isinstance(self._file, Table):
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
        if isinstance(self._file, Table):
            yield from self._records(self._file, chunk_bytes)
        else:
            yield from self._lines(self._file.chunks(chunk_bytes))

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
            self.labels.extend([file_label(self.path)] * count)

    def _records(self, table: Table, chunk_bytes: int) -> Iterator[str]:
        label = None if self._columns.label == FILE_LABEL else self._columns.label
        for numbers, (texts, labels) in table.records([self._columns.text, label], chunk_bytes):
            assert texts is not None
            if labels is None:
                self._add_file_labels(len(texts))
            else:
                self._add_labels(numbers, labels)
            yield "".join(map(self._line, texts))

    def _line(self, text: str) -> str:
        if "\n" in text:
            self.num_joined += 1
            text = text.replace("\n", " ")
        return text + "\n"

    def _add_labels(self, numbers: list[int], labels: list[str]) -> None:
        for number, label in zip(numbers, labels, strict=True):
            if not label.strip():
                raise DataError(f"expected a label in line {number} of {self.path}, got {label!r}")
        self.labels.extend(labels)


def file_label(path: Path) -> str:
    """Return the label that a file's name gives to its records."""
    name = unpacked_name(path)
    return name.stem if name.suffix.lower() in _KINDS else name.name


__all__ = ["FILE_LABEL", "Columns", "RecordFile", "file_label"]
