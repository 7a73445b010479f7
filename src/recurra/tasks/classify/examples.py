"""Labelled examples as files hold them, and which of them are for training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recurra.data import FILE_LABEL, Sources, resolve
from recurra.data.example_splits import text_keys
from recurra.data.file_examples import is_plain
from recurra.data.labelled_arrays import read_arrays
from recurra.data.labelled_examples import read_labelled
from recurra.errors import ConfigError, DataError
from recurra.tasks.classify.config import DataConfig
from recurra.tasks.classify.parts import cut_off, part_notes
from recurra.tasks.shared.record import fingerprint
from recurra.training.protocol import Split

Item = str | np.ndarray
"""A text, or the vectors of a sequence (n, I), float32."""
PARTS: tuple[Split, ...] = ("train", "validation", "test")
Columns = Mapping[str, str | None]
"""Options of ``read_labelled`` that name columns."""
ARRAYS = ".npz"
"""How names of files of numbers end."""
_COLUMNS = ("text_column", "label_column", "split_column")


@dataclass(frozen=True)
class LabelledItems:
    """What some files hold.

    Attributes:
        items: Texts, or sequences of vectors.
        labels: Label of each; None where there are none.
        part_names: Which part each belongs to, where the files say it.
        notes: What was skipped and the like, for a person.
    """

    items: list[Item]
    labels: list[str] | None
    part_names: list[str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether the items are sequences of vectors."""
        return bool(self.items) and not isinstance(self.items[0], str)


@dataclass(frozen=True)
class Examples:
    """Labelled items in parts.

    Attributes:
        items: All of them.
        labels: Label of each.
        parts: Indices of the items of each part, ascending.
        sources: Files and data sets that they are from.
        notes: What was skipped, what stands in two parts, and the like, for a person.
    """

    items: list[Item]
    labels: list[str]
    parts: dict[Split, np.ndarray]
    sources: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether the items are sequences of vectors."""
        return not isinstance(self.items[0], str)


def read_items(sources: Sources, columns: Columns, *, need_labels: bool = True) -> LabelledItems:
    """Read all files of some sources.

    Args:
        sources: Texts, or numbers.
        columns: Options of ``read_labelled``; not for numbers.
        need_labels: Whether labels are read.

    Raises:
        DataError: When they cannot be used, or texts and numbers are mixed.
    """
    are_arrays = [path.name.endswith(ARRAYS) for path in sources.paths]
    if not any(are_arrays):
        read = read_labelled(sources, **columns, need_labels=need_labels)
        return LabelledItems([*read.texts], read.labels, read.splits, read.notes)
    if not all(are_arrays):
        raise DataError(f"expected either texts or {ARRAYS} files of numbers for data, got both")
    items: list[Item] = []
    labels: list[str] = []
    for path in sources.paths:
        arrays = read_arrays(path, need_labels=need_labels)
        items += arrays.values
        labels += arrays.labels or ()
    widths = sorted({item.shape[1] for item in items if isinstance(item, np.ndarray)})
    if len(widths) > 1:
        raise DataError(f"expected numbers whose steps are of one width, got widths {' and '.join(map(str, widths))}")
    return LabelledItems(items, labels if need_labels else None)


def column_options(sources: Sources, config: DataConfig) -> Columns:
    """Return the columns that a configuration names, for sources that have some; that of files alone for others."""
    if _have_columns(sources):
        return {name: getattr(config, name) for name in _COLUMNS}
    is_of_files = config.label_column == FILE_LABEL and all(path.is_file() for path in sources.paths)
    return {"label_column": FILE_LABEL} if is_of_files else {}


def columns_of_others(
    sources: Sources, config: DataConfig, text_column: str | None, label_column: str | None = None
) -> Columns:
    """Return the columns of data that a run was not trained on: those asked for, else those that they or it know.

    Which part an example belongs to is not read of files, since all of them are wanted.

    Raises:
        ConfigError: When columns are asked for, and there are none.
    """
    asked = {"text_column": text_column, "label_column": label_column}
    check_columns(asked, [sources])
    known = {} if sources.columns is not None else column_options(sources, replace(config, split_column=None))
    return {**known, **{name: column for name, column in asked.items() if column is not None}}


def check_columns(asked: Columns, all_sources: Sequence[Sources]) -> None:
    """Check that columns are named only where some source has columns.

    Raises:
        ConfigError: When they would mean nothing.
    """
    named = {name: column for name, column in asked.items() if column not in (None, FILE_LABEL)}
    if not named or any(map(_have_columns, all_sources)):
        return
    names = ", ".join(name for sources in all_sources for name in sources.names)
    raise ConfigError(
        [f"expected no {name} for {names}, where there are no columns, got {got}" for name, got in named.items()],
        hint="the names of tables end in .csv, .tsv, .tab, .jsonl or .parquet",
    )


def _have_columns(sources: Sources) -> bool:
    """Return whether some source is a table, or a data set of the hub, which is one."""
    paths = sources.paths + sources.validation + sources.test
    are_tables = (path.is_file() and not is_plain(path) and not path.name.endswith(ARRAYS) for path in paths)
    return bool(sources.hub) or any(are_tables)


def read_examples(config: DataConfig) -> Examples:
    """Read the data that a configuration names, and cut off what it has no files for.

    Raises:
        DataError: When the data cannot be used.
    """
    named = (config.data, config.validation_data, config.test_data)
    sources = [resolve(names, folders=True) if names else None for names in named]
    assert sources[0] is not None
    check_columns({name: getattr(config, name) for name in _COLUMNS}, [one for one in sources if one is not None])
    found = [read_items(sources[0], column_options(sources[0], config))]
    parts = [_parts_of_names(found[0])]
    for part, of_part in enumerate(sources):
        if not part or of_part is None:
            continue
        if (parts[0] == part).any():
            raise DataError(
                f"expected no {PARTS[part]}_data with {', '.join(config.data)}, which has a {PARTS[part]} part of its "
                f"own, got {', '.join(named[part])}"
            )
        read = read_items(of_part, column_options(of_part, replace(config, split_column=None)))
        found.append(read)
        parts.append(np.full(len(read.items), part))
    if len({one.is_numeric for one in found}) > 1:
        raise DataError("expected either texts or numbers for all parts of the data, got both")
    items = [item for one in found for item in one.items]
    labels = [label for one in found for label in one.labels or ()]
    part_of_item, keys = np.concatenate(parts), item_keys(items)
    notes = [note for one in found for note in one.notes]
    notes += cut_off(part_of_item, keys, labels, config)
    notes += part_notes(part_of_item, keys, labels, "sequence" if found[0].is_numeric else "text")
    return Examples(
        items,
        labels,
        {name: np.flatnonzero(part_of_item == part) for part, name in enumerate(PARTS)},
        config.data + config.validation_data + config.test_data,
        tuple(notes),
    )


def fingerprint_of(items: Sequence[Item], labels: Sequence[str], parts: Mapping[Split, np.ndarray]) -> str:
    """Return what identifies labelled items in their parts."""
    columns: list[Iterator[str]] = []
    for name in PARTS:
        rows = parts[name]
        columns += [(item_text(items[row]) for row in rows), (labels[row] for row in rows)]
    return fingerprint(*columns)


def item_keys(items: Sequence[Item]) -> np.ndarray:
    """Return a number for each item, equal for equal ones: uint64 (n,)."""
    return text_keys([item if isinstance(item, str) else _digest(item) for item in items])


def _digest(values: np.ndarray) -> str:
    return f"{values.shape} {hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()}"


def item_text(item: Item) -> str:
    """Return an item as text that stands for it where the data are compared with those of a run."""
    return item if isinstance(item, str) else _digest(item)


def _parts_of_names(read: LabelledItems) -> np.ndarray:
    """Return the number of each item's part, where the data name it: 0 train, 1 validation, 2 test."""
    if read.part_names is None:
        return np.zeros(len(read.items), np.int64)
    number_of: dict[str, int] = {name: part for part, name in enumerate(PARTS)}
    return np.array([number_of[name] for name in read.part_names], np.int64)
