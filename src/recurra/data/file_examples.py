"""Readers of labelled examples from single files: tables, lines of text, and what the other modules read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recurra.data.example_blocks import Block, ChosenColumns, WantedColumns
from recurra.data.json_examples import JSON_LINES, iter_json_lines
from recurra.data.parquet_examples import iter_parquet
from recurra.data.records import FILE_LABEL, Columns, file_label
from recurra.data.tables import MAX_FIELD_CHARS, Table, is_number, is_table, unpacked_name
from recurra.data.text_files import TextFile, iter_line_lists
from recurra.errors import DataError

_PARQUET, _JSON, _ARRAYS = ".parquet", ".json", ".npz"


def iter_file(path: Path, wanted: WantedColumns) -> Iterator[Block]:
    """Yield the examples of a file, some at a time; the end of its name says what it is.

    ``.csv``, ``.tsv`` and ``.tab`` are tables, ``.jsonl`` and ``.ndjson`` hold a JSON object a line, ``.parquet`` is
    Parquet; in any other file each line is a text. All but Parquet may be packed (``.gz``, ``.xz``).

    Raises:
        DataError: When the file cannot be read as what it is; the message gives the line.
    """
    kind = unpacked_name(path).suffix.lower()
    if is_table(path):
        return _iter_table(path, wanted)
    if kind in JSON_LINES:
        return iter_json_lines(path, wanted)
    if kind == _PARQUET:
        return iter_parquet(path, wanted)
    if kind == _JSON:
        raise DataError(
            f"expected JSON lines, got {path}", hint="write one object a line, and let the name end in .jsonl"
        )
    if kind == _ARRAYS:
        raise DataError(f"expected texts, got {path}, which holds arrays of numbers")
    return _iter_lines(path, wanted)


def is_plain(path: Path) -> bool:
    """Return whether the lines of a file are its texts."""
    kind = unpacked_name(path).suffix.lower()
    return not is_table(path) and kind not in (*JSON_LINES, _PARQUET, _JSON, _ARRAYS)


def _iter_table(path: Path, wanted: WantedColumns) -> Iterator[Block]:
    table = Table(path)
    if wanted.text is not None and is_number(wanted.text):
        columns = _numbered(path, wanted.text, wanted)
    else:
        columns = wanted.choose(table.header(), str(path))
    label = None if wanted.labels_of_files else columns.label
    for numbers, (texts, labels, splits) in table.records([columns.text, label, columns.split]):
        assert texts is not None
        if wanted.labels_of_files:
            labels = [file_label(path)] * len(texts)
        yield Block(str(path), "line", numbers, texts, labels, splits)


def _numbered(path: Path, text: str, wanted: WantedColumns) -> ChosenColumns:
    if not wanted.need_labels:
        return ChosenColumns(text)
    if wanted.label is None:
        raise DataError(
            f"expected the number of the column of {path} that holds the label, got only that of the text, {text}"
        )
    Columns(text, wanted.label, wanted.split)  # refuses names beside numbers
    return ChosenColumns(text, wanted.label, wanted.split)


def _iter_lines(path: Path, wanted: WantedColumns) -> Iterator[Block]:
    for named in (wanted.text, None if wanted.label == FILE_LABEL else wanted.label):
        if named is not None:
            raise DataError(
                f"expected a table for the column {named!r}, got {path}",
                hint="the names of tables end in .csv, .tsv, .tab, .jsonl or .parquet",
            )
    if wanted.need_labels and not wanted.labels_of_files:
        raise DataError(
            f"expected labels for the lines of {path}, got a file of texts alone",
            hint="name the files of all classes, each called after its class, or a table with a column of labels",
        )
    number = 0
    for lines in iter_line_lists(
        TextFile(path).chunks(), path, max_chars=MAX_FIELD_CHARS, hint="cut the text into several lines"
    ):
        labels = [file_label(path)] * len(lines) if wanted.need_labels else None
        yield Block(str(path), "line", range(number + 1, number + len(lines) + 1), lines, labels)
        number += len(lines)


__all__ = ["is_plain", "iter_file"]
