"""Reading the records of tables in text files: comma-separated and tab-separated values."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from recurra.data.text_files import CHUNK_BYTES, TextFile, iter_line_lists
from recurra.errors import DataError

MAX_FIELD_CHARS = 1 << 24
"""Characters that a single field, or a line, may have. Python's own bound of 131,072 is less than a long document, and
without any bound a quote that is never closed takes the rest of the file into memory."""
_PACKED = (".gz", ".xz")
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
# A list of records ends when it has so many of them, or about so many characters.
_RECORDS_AT_A_TIME = 1000
_CHARS_AT_A_TIME = CHUNK_BYTES

_NumberedRow = tuple[int, list[str]]


class Records(NamedTuple):
    """Some records of a table that follow each other.

    Attributes:
        numbers: The number of the line that each begins in, from 1 on.
        columns: The fields of each column asked for, one a record; None for a column that is None.
    """

    numbers: list[int]
    columns: list[list[str] | None]


class Table:
    """A table in a file that ends in ``.csv``, ``.tsv`` or ``.tab``, also below ``.gz`` or ``.xz``.

    All records have as many fields as the first line has. Wholly blank lines between records are skipped. Quotes in
    ``.csv`` are those of RFC 4180: a field that begins with one ends with one, and holds others doubled. In ``.tsv``
    and ``.tab``, where fields hold no tabs and no line breaks, a quote is a character like any other.

    Args:
        path: The file; ``is_table`` holds for it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = TextFile(path)
        self._delimiter = _DELIMITERS[unpacked_name(self.path).suffix.lower()]

    @property
    def size_bytes(self) -> int:
        """Bytes read so far, as stored."""
        return self._file.size_bytes

    @property
    def sha256(self) -> str:
        """The hash of the stored bytes read so far: of the whole file once ``records`` is used up."""
        return self._file.sha256

    def header(self) -> list[str]:
        """Read the fields of the first record, which are the names of the columns where it is a header line.

        Raises:
            DataError: When there is none, or it cannot be read.
        """
        return self._header(self._rows(TextFile(self.path).chunks()))

    def records(self, columns: Sequence[str | None], chunk_bytes: int = CHUNK_BYTES) -> Iterator[Records]:
        """Yield all records, some at a time.

        Args:
            columns: What to read of them: names of columns, or their numbers from "1" on in a table without a header
                line. The first one is no None, and decides which.
            chunk_bytes: How many bytes of the (unpacked) file are read at a time.

        Raises:
            DataError: When the file cannot be read as such a table: there is no record, a column is missing, a record
                has too few or too many fields, quotes are broken, or a line or field is longer than 16 million
                characters.
        """
        rows = self._rows(self._file.chunks(chunk_bytes))
        assert columns[0] is not None
        if is_number(columns[0]):
            places = [None if column is None else int(column) - 1 for column in columns]
        else:
            header = self._header(rows)
            places = [None if column is None else find_column(column, header, self.path) for column in columns]
        needed = max(place for place in places if place is not None) + 1
        has_records = False
        for some in rows:
            number, first = some[0]
            if len(first) < needed:
                raise DataError(f"expected at least {needed} fields in line {number} of {self.path}, got {len(first)}")
            has_records = True
            fields = [None if place is None else [row[place] for _, row in some] for place in places]
            yield Records([number for number, _ in some], fields)
        if not has_records:
            raise DataError(f"expected records in {self.path}, got none")

    def _header(self, rows: Iterator[list[_NumberedRow]]) -> list[str]:
        for ((_, header),) in rows:
            return header
        raise DataError(f"expected a header line in {self.path}, got blank lines only")

    def _rows(self, chunks: Iterator[str]) -> Iterator[list[_NumberedRow]]:
        """Yield lists of records, each with the number of the line that it begins in; the first list has one."""
        hint = "cut the text into several records"
        # no field is longer than its line, unless a quote is open
        blocks = iter_line_lists(chunks, self.path, max_chars=MAX_FIELD_CHARS, hint=hint)
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
    before = csv.field_size_limit(MAX_FIELD_CHARS)  # one number for the whole process: others find theirs again
    try:
        yield
    finally:
        csv.field_size_limit(before)


def find_column(name: str, columns: Sequence[str], where: str | Path) -> int:
    """Return the place of a column.

    Args:
        name: The column.
        columns: The names of all columns.
        where: What has these columns, for errors.

    Raises:
        DataError: When there is not exactly one of this name.
    """
    if columns.count(name) == 1:
        return columns.index(name)
    near = difflib.get_close_matches(name, columns, n=1)
    raise DataError(
        f"expected one column {name!r} in {where}, got {columns.count(name) or 'none'} among "
        f"{', '.join(map(repr, columns))}",
        hint=f"did you mean {near[0]!r}?" if near and near[0] != name else "",
    )


def is_number(column: str) -> bool:
    """Return whether a column is given by its number."""
    return column.isascii() and column.isdecimal()


def is_table(path: str | Path) -> bool:
    """Return whether a file's name says that it has columns."""
    return unpacked_name(Path(path)).suffix.lower() in _DELIMITERS


def unpacked_name(path: Path) -> Path:
    """Return a file's name without the suffix that says how it is packed."""
    return path.with_suffix("") if path.suffix in _PACKED else path


__all__ = ["MAX_FIELD_CHARS", "Records", "Table", "find_column", "is_number", "is_table", "unpacked_name"]
