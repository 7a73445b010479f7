"""What the readers of labelled examples are asked for, and what they give, some examples at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from recurra.data.records import FILE_LABEL
from recurra.data.tables import find_column
from recurra.errors import DataError

TEXT, LABEL = "text", "label"
EXAMPLES_AT_A_TIME = 1000


@dataclass(frozen=True)
class Block:
    """Some examples that follow each other in one source.

    Attributes:
        where: The file, folder or data set that they are from.
        unit: What ``places`` counts in it: "line" or "row"; "" where they are names of files in a folder.
        places: The place of each example: a number from 1 on, or the name of a file.
        texts: Their texts.
        labels: Their labels; None where none are asked for.
        splits: The part of the data that the source puts each into, in its own words; None where it does not say.
        left_out: What the reader passed by, in words, and how often.
    """

    where: str
    unit: str
    places: Sequence[int] | Sequence[str]
    texts: list[str]
    labels: list[str] | None = None
    splits: list[str] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def origin(self, index: int) -> str:
        """Return where an example is from, for messages."""
        return describe_place(self.where, self.unit, self.places[index])


class ChosenColumns(NamedTuple):
    """The columns of a source that are read; None for those that are not."""

    text: str
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class WantedColumns:
    """Which columns are to be read, as far as that is known before a file is opened.

    Attributes:
        text: The column that holds the text, or None where that is not known.
        label: The column that holds the label; "file" means the name of the file; or None where that is not known.
        split: The column that says which part an example belongs to, or None.
        need_labels: Whether labels, and splits, are read.
    """

    text: str | None
    label: str | None
    split: str | None
    need_labels: bool

    @property
    def labels_of_files(self) -> bool:
        """Whether labels are needed, and are the names of the files."""
        return self.need_labels and self.label == FILE_LABEL

    def choose(self, there: Sequence[str], where: str, *, files: bool = True) -> ChosenColumns:
        """Return the columns to read of a source.

        Where it is not said which ones, they are ``text`` and ``label``; of two columns, one of which is known, the
        other one is the other one.

        Args:
            there: The columns of the source.
            where: What the source is, for messages.
            files: Whether ``"file"`` means the name of the file, rather than a column of that name.

        Raises:
            DataError: When a column is not there, or it is not plain which one is meant.
        """
        text, label = self.text, self.label
        of_file = files and label == FILE_LABEL
        if text is None:
            other = LABEL if label is None else None if of_file else label
            text = _default(TEXT, there, other)
            if text is None and len(there) == 1 and (of_file or not self.need_labels):
                (text,) = there
        if text is None:
            raise _undecided(TEXT, there, where)
        find_column(text, there, where)
        if not self.need_labels:
            return ChosenColumns(text)
        label = _default(LABEL, there, text) if label is None else label
        if label is None:
            raise _undecided(LABEL, there, where)
        for column in (None if of_file else label, self.split):
            if column is not None:
                find_column(column, there, where)
        return ChosenColumns(text, label, self.split)


def names_of(columns: ChosenColumns, *, label_of_file: bool) -> list[str]:
    """Return the columns that are read, but for a label that is the name of the file."""
    names = (columns.text, None if label_of_file else columns.label, columns.split)
    return [name for name in names if name is not None]


def describe_place(where: str, unit: str, place: int | str) -> str:
    """Return where an example is from, for messages; see ``Block``."""
    return f"{unit} {place} of {where}" if unit else os.path.join(where, str(place))


def block_of_values(
    where: str,
    unit: str,
    places: Sequence[int],
    columns: ChosenColumns,
    values: Mapping[str, Sequence[Any]],
    *,
    label_of_file: str | None = None,
) -> Block:
    """Return examples of a source whose columns hold values of many types.

    Args:
        where: As in ``Block``.
        unit: As in ``Block``.
        places: As in ``Block``.
        columns: The columns to read.
        values: The values of each column.
        label_of_file: The label of all examples, if it is the name of their file.

    Raises:
        DataError: When a text or split is no string, or a label is none and no whole number or truth value either.
    """
    labels = splits = None
    texts = _strings(TEXT, values[columns.text], where, unit, places)
    if label_of_file is not None:
        labels = [label_of_file] * len(texts)
    elif columns.label is not None:
        found = values[columns.label]
        labels = [_to_label(value, where, unit, place) for value, place in zip(found, places, strict=True)]
    if columns.split is not None:
        splits = _strings("split", values[columns.split], where, unit, places)
    return Block(where, unit, places, texts, labels, splits)


def _strings(what: str, values: Sequence[Any], where: str, unit: str, places: Sequence[int]) -> list[str]:
    strings = ["" if value is None else value for value in values]
    for value, place in zip(strings, places, strict=True):
        if not isinstance(value, str):
            raise DataError(
                f"expected a string for the {what} in {unit} {place} of {where}, got the {type(value).__name__} {value}"
            )
    return strings


def _to_label(value: Any, where: str, unit: str, place: int) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()  # as JSON writes it
    if isinstance(value, int):
        return str(value)
    raise DataError(
        f"expected a string or a whole number for the label in {unit} {place} of {where}, "
        f"got the {type(value).__name__} {value}",
        hint="numbers that measure something name no classes",
    )


def _default(name: str, there: Sequence[str], other: str | None) -> str | None:
    """Return the column meant where none is named, and ``other`` is known or likely to be another one."""
    if name in there and name != other:
        return name
    if len(there) == 2 and other in there:
        return there[1 - there.index(other)]
    return None


def _undecided(name: str, there: Sequence[str], where: str) -> DataError:
    return DataError(
        f"expected a column {name!r} in {where}, got {', '.join(map(repr, there)) or 'no column'}",
        hint=f"say which one holds the {name} ({name}_column); the columns of a table without a header line are '1', "
        "'2' and so on",
    )


__all__ = [
    "EXAMPLES_AT_A_TIME",
    "Block",
    "ChosenColumns",
    "WantedColumns",
    "block_of_values",
    "describe_place",
    "names_of",
]
