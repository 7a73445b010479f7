"""Reading labelled examples from JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from recurra.data.example_blocks import (
    EXAMPLES_AT_A_TIME,
    Block,
    ChosenColumns,
    WantedColumns,
    block_of_values,
    names_of,
)
from recurra.data.records import file_label
from recurra.data.tables import MAX_FIELD_CHARS
from recurra.data.text_files import TextFile, iter_line_lists
from recurra.errors import DataError, EncodingError

JSON_LINES = (".jsonl", ".ndjson")


def iter_json_lines(path: Path, wanted: WantedColumns) -> Iterator[Block]:
    """Yield the examples of a file that holds a JSON object a line; blank lines are skipped.

    Which keys are read is decided by the first object.

    Raises:
        DataError: When a line is no such object, lacks a key or is longer than 16 million characters, or a value is of
            the wrong type.
        EncodingError: When a text or label cannot be written as UTF-8.
    """
    hint = "cut the text into several ones"
    blocks = iter_line_lists(TextFile(path).chunks(), path, max_chars=MAX_FIELD_CHARS, hint=hint)
    numbered = zip(count(1), (line for block in blocks for line in block), strict=False)
    filled = ((number, line) for number, line in numbered if line.strip())
    label = file_label(path) if wanted.labels_of_files else None
    columns: ChosenColumns | None = None
    while some := list(islice(filled, EXAMPLES_AT_A_TIME)):
        numbers = [number for number, _ in some]
        objects = [_parse(line, number, path) for number, line in some]
        if columns is None:
            columns = wanted.choose(list(objects[0]), f"line {numbers[0]} of {path}")
        names = names_of(columns, label_of_file=label is not None)
        values = {name: _values(objects, name, numbers, path) for name in names}
        block = block_of_values(str(path), "line", numbers, columns, values, label_of_file=label)
        _check_unicode(block)
        yield block
    if columns is None:
        raise DataError(f"expected JSON lines in {path}, got blank lines only")


def _parse(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected a JSON object in line {number} of {path}, got broken JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise DataError(f"expected a JSON object in line {number} of {path}, got a {type(parsed).__name__}")
    return parsed


def _values(objects: Sequence[dict[str, Any]], name: str, numbers: Sequence[int], path: Path) -> list[Any]:
    for single, number in zip(objects, numbers, strict=True):
        if name not in single:
            there = ", ".join(map(repr, single)) or "none"
            raise DataError(f"expected the key {name!r} in line {number} of {path}, got {there}")
    return [single[name] for single in objects]


def _check_unicode(block: Block) -> None:
    """Refuse halves of surrogate pairs, which escapes can spell and no file can hold."""
    try:
        "".join([*block.texts, *(block.labels or ())]).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        values = zip(block.texts, block.labels or block.texts, strict=True)
        index = next(index for index, (text, label) in enumerate(values) if half in text or half in label)
        raise EncodingError(
            f"expected text in {block.origin(index)}, got half of a surrogate pair: {half!r}"
        ) from error


__all__ = ["JSON_LINES", "iter_json_lines"]
