"""Which examples are held out where no files say it, and what a person should know of the parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from recurra.data.example_splits import count_shared, split_by_key
from recurra.errors import DataError
from recurra.tasks.classify.config import DataConfig

_TRAIN, _VALIDATION, _TEST = range(3)
_NAMES = ("training", "validation", "test")


def cut_off(part_of_item: np.ndarray, keys: np.ndarray, labels: Sequence[str], config: DataConfig) -> list[str]:
    """Cut off from the training part what there are no files for, in place.

    Args:
        part_of_item: Number of each item's part: 0 train, 1 validation, 2 test. Shape (N,), int64.
        keys: Equal for equal items. Shape (N,), uint64.
        labels: Label of each.
        config: Shares of the parts, and the seed.

    Returns:
        What a person should know of it.

    Raises:
        DataError: When nothing is left to train or to validate on.
    """
    has_validation, has_test = ((part_of_item == part).any() for part in (_VALIDATION, _TEST))
    rows = np.flatnonzero(part_of_item == _TRAIN)
    if has_validation:
        if not len(rows):
            raise DataError(f"expected examples to train on in {', '.join(config.data)}, got none")
        if has_test or not config.test_fraction:
            return []
        return ["no test part: where data bring a validation part, none is cut off; test_data names files for one"]
    fraction = 0.0 if has_test else config.test_fraction
    _, validation, test = split_by_key(
        keys[rows], config.validation_fraction, fraction, config.split_seed, who="classify"
    )
    part_of_item[rows[validation]], part_of_item[rows[test]] = _VALIDATION, _TEST
    count = _give_back(part_of_item, rows, keys, labels)
    if not (part_of_item == _VALIDATION).any():
        raise DataError(
            f"expected classes with several examples, so that some can validate, got {len(set(labels)):,} classes for "
            f"{len(rows):,} examples",
            hint="name the column of the labels with label_column, or files to validate on with validation_data",
        )
    if not count:
        return []
    given = f"{count:,} {'example' if count == 1 else 'examples'}"
    return [f"{given} drawn for validation or test went back to training, where no other was of their class"]


def _give_back(part_of_item: np.ndarray, rows: np.ndarray, keys: np.ndarray, labels: Sequence[str]) -> int:
    """Put drawn items of classes that training would lack back, with all that equal them, and count them."""
    _, label = np.unique(np.array([labels[row] for row in rows]), return_inverse=True)
    is_held_out = part_of_item[rows] != _TRAIN
    is_lacking = is_held_out & ~np.isin(label, label[~is_held_out])
    # equal items stand in one part, also those that have other labels
    given = is_held_out & np.isin(keys[rows], keys[rows][is_lacking])
    part_of_item[rows[given]] = _TRAIN
    return int(given.sum())


def part_notes(part_of_item: np.ndarray, keys: np.ndarray, labels: Sequence[str], what: str) -> list[str]:
    """Return what the parts share, how often items repeat, and how many have several labels.

    Args:
        part_of_item: As for ``cut_off``.
        keys: As for ``cut_off``.
        labels: Label of each.
        what: What an item is: "text".
    """
    train = keys[part_of_item == _TRAIN]
    lines = list(_shared(part_of_item, keys))
    copies = len(train) - len(np.unique(train))
    if copies:
        lines.append(f"{copies:,} of the {len(train):,} training examples are copies of others")
    ambiguous = _count_ambiguous(keys, labels)
    if ambiguous:
        lines.append(f"{ambiguous:,} {what if ambiguous == 1 else what + 's'} with more than one label")
    return lines


def _shared(part_of_item: np.ndarray, keys: np.ndarray) -> Iterator[str]:
    """Say how many items stand in two parts."""
    for part, other in ((_VALIDATION, _TRAIN), (_TEST, _TRAIN), (_TEST, _VALIDATION)):
        held_out = keys[part_of_item == part]
        count = count_shared(keys[part_of_item == other], held_out)
        if count:
            verb = "stands" if count == 1 else "stand"
            yield f"{count:,} of the {len(held_out):,} {_NAMES[part]} examples also {verb} in the {_NAMES[other]} part"


def _count_ambiguous(keys: np.ndarray, labels: Sequence[str]) -> int:
    """Return how many distinct items have several labels: nobody can tell those."""
    _, group = np.unique(keys, return_inverse=True)
    _, label = np.unique(np.array(labels), return_inverse=True)
    pairs = np.unique(np.stack([group, label]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum()) if len(keys) else 0
