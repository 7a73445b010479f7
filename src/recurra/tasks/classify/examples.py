"""Labelled examples as files hold them, and which of them are for training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.data import Sources, resolve
from recurra.data.example_splits import count_shared, split_by_key, text_keys
from recurra.data.file_examples import is_plain
from recurra.data.labelled_arrays import read_arrays
from recurra.data.labelled_examples import read_labelled
from recurra.errors import DataError
from recurra.tasks.classify.config import DataConfig
from recurra.training.protocol import Split

Item = str | np.ndarray
"""A text, or the vectors of a sequence (n, I), float32."""
PARTS: tuple[Split, ...] = ("train", "validation", "test")
ARRAYS = ".npz"
"""How names of files of numbers end."""


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


def read_items(sources: Sources, config: DataConfig, *, need_labels: bool = True) -> LabelledItems:
    """Read all files of some sources.

    Raises:
        DataError: When they cannot be used, or texts and numbers are mixed.
    """
    are_arrays = [path.name.endswith(ARRAYS) for path in sources.paths]
    if not any(are_arrays):
        read = read_labelled(sources, **column_options(sources, config), need_labels=need_labels)
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


def column_options(sources: Sources, config: DataConfig) -> dict[str, str | None]:
    """Return the columns that a configuration names, for sources that are tables."""
    if sources.paths and all(path.is_file() and is_plain(path) for path in sources.paths):
        return {}
    names = ("text_column", "label_column", "split_column")
    return {name: getattr(config, name) for name in names}


def read_examples(config: DataConfig) -> Examples:
    """Read the data that a configuration names, and cut off what it has no files for.

    Raises:
        DataError: When the data cannot be used.
    """
    found = [read_items(resolve(config.data, folders=True), config)]
    parts = [_parts_of_names(found[0])]
    for part, names in ((1, config.validation_data), (2, config.test_data)):
        if not names:
            continue
        if (parts[0] == part).any():
            raise DataError(
                f"expected no {PARTS[part]}_data with {', '.join(config.data)}, which has a {PARTS[part]} part of its "
                f"own, got {', '.join(names)}"
            )
        read = read_items(resolve(names, folders=True), config)
        found.append(read)
        parts.append(np.full(len(read.items), part))
    if len({one.is_numeric for one in found}) > 1:
        raise DataError("expected either texts or numbers for all parts of the data, got both")
    items = [item for one in found for item in one.items]
    labels = [label for one in found for label in one.labels or ()]
    part_of_item, keys = np.concatenate(parts), item_keys(items)
    shared = _cut_off(part_of_item, keys, config)
    notes = [note for one in found for note in one.notes]
    return Examples(
        items,
        labels,
        {name: np.flatnonzero(part_of_item == part) for part, name in enumerate(PARTS)},
        config.data + config.validation_data + config.test_data,
        (*notes, *shared, *_contradictions(keys, labels)),
    )


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


def _cut_off(part_of_item: np.ndarray, keys: np.ndarray, config: DataConfig) -> list[str]:
    """Cut off what there are no files for, in place, and say how many items stand in two parts."""
    has_validation, has_test = ((part_of_item == part).any() for part in (1, 2))
    rows = np.flatnonzero(part_of_item == 0)
    if not has_validation:
        fraction = 0.0 if has_test else config.test_fraction
        _, validation, test = split_by_key(
            keys[rows], config.validation_fraction, fraction, config.split_seed, who="classify"
        )
        part_of_item[rows[validation]], part_of_item[rows[test]] = 1, 2
    elif not len(rows):
        raise DataError(f"expected examples to train on in {', '.join(config.data)}, got none")
    lines = []
    for part, name in ((1, "validation"), (2, "test")):
        held_out = keys[part_of_item == part]
        count = count_shared(keys[part_of_item == 0], held_out)
        if count:
            lines.append(f"{count:,} of the {len(held_out):,} {name} examples also stand in the training part")
    return lines


def _contradictions(keys: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Say how many items stand there with other labels too: nobody can tell those."""
    _, group = np.unique(keys, return_inverse=True)
    _, label = np.unique(np.array(labels), return_inverse=True)
    pairs = np.unique(np.stack([group, label]), axis=1)
    ambiguous = int((np.bincount(pairs[0]) > 1).sum()) if len(keys) else 0
    return [f"{ambiguous:,} examples stand there with several labels"] if ambiguous else []
