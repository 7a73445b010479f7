"""From labelled examples to batches."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data import UNK_ID, Cursor, Tokenizer, load_tokenizer
from recurra.data.example_order import MAX_PADDED_STEPS, iter_in_order
from recurra.data.padding import pad_ids, pad_rows
from recurra.errors import DataError, RunError, VocabularyError
from recurra.tasks.classify.config import DataConfig
from recurra.tasks.classify.encoding import encode, fit_and_encode, settled_kind
from recurra.tasks.classify.examples import Examples, Item, fingerprint_of, item_keys, read_examples
from recurra.tasks.shared.record import DataRecord, check_unchanged, load_record
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

_MAX_TOKENS = 400
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True)
class ClassifyBatch:
    """Sequences side by side.

    Attributes:
        inputs: Ids (T, B), int64, or vectors (T, B, I), float32.
        lengths: Valid steps of each. Shape (B,), int64, on the CPU.
        targets: Number of each one's class. Shape (B,), int64.
        rows: Which examples they are. Shape (B,).
        cursor_after: Where to go on behind this batch.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    rows: np.ndarray
    cursor_after: Cursor

    starts_anew = True

    @property
    def cursor(self) -> dict[str, int]:
        """Where to go on behind this batch, as plain numbers."""
        return self.cursor_after.to_json()

    def to(self, device: torch.device) -> ClassifyBatch:
        """Return the batch on a device; lengths stay on the CPU, where layers read them."""
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))


@dataclass(frozen=True)
class Sequences:
    """What a model reads: sequences, cut to length.

    Attributes:
        values: Ids (n,), or vectors (n, I), of each.
        lengths: Steps of each. Shape (N,).
        num_cut: How many were longer.
    """

    values: list[np.ndarray]
    lengths: np.ndarray
    num_cut: int

    def batch(self, rows: Iterable[int]) -> tuple[Tensor, Tensor]:
        """Return some of them side by side, and their lengths."""
        chosen = [self.values[row] for row in rows]
        return pad_ids(chosen) if chosen[0].ndim == 1 else pad_rows(chosen)


@dataclass(frozen=True)
class ClassifyData:
    """Examples as a model reads them.

    Attributes:
        items: Texts or vectors as they came.
        sequences: The same as ids or vectors, cut to length.
        targets: Number of the class of each. Shape (N,), int64.
        labels: Names of the classes by their number, sorted; as numbers where all of them are whole ones.
        parts: Indices of the examples of each part.
        tokenizer: What made the ids; None for vectors.
        sources: Files and data sets that the examples are from.
        notes: What a person should know of them.
    """

    items: list[Item]
    sequences: Sequences
    targets: np.ndarray
    labels: tuple[str, ...]
    parts: dict[Split, np.ndarray]
    tokenizer: Tokenizer | None
    sources: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def input_size(self) -> int | None:
        """Width of the vectors; None for ids."""
        first = self.sequences.values[0]
        return None if first.ndim == 1 else int(first.shape[1])

    @property
    def num_outputs(self) -> int:
        """Logits of a model: one for two classes, else one a class."""
        return 1 if len(self.labels) == 2 else len(self.labels)

    def class_counts(self, split: Split) -> np.ndarray:
        """Return how many examples of each class a part has. Shape (K,)."""
        return np.bincount(self.targets[self.parts[split]], minlength=len(self.labels))

    def batch(self, rows: np.ndarray, cursor: Cursor) -> ClassifyBatch:
        """Return a batch of some examples."""
        inputs, lengths = self.sequences.batch(rows)
        return ClassifyBatch(inputs, lengths, torch.from_numpy(self.targets[rows]), rows, cursor)

    def evaluation_batches(self, split: Split, batch_size: int) -> Iterator[ClassifyBatch]:
        """Yield batches that hold each example of a part once."""
        rows = self.parts[split]
        lengths = self.sequences.lengths[rows]
        for chosen, cursor in iter_in_order(lengths, batch_size=batch_size, max_steps=MAX_PADDED_STEPS):
            yield self.batch(rows[chosen], cursor)

    def unknown_share(self, split: Split) -> float:
        """Return the share of a part's tokens that are unknown; 0 for vectors."""
        rows = self.parts[split]
        total = int(self.sequences.lengths[rows].sum())
        if self.tokenizer is None or not total:
            return 0.0
        return sum(int((self.sequences.values[row] == UNK_ID).sum()) for row in rows) / total

    def record(self) -> DataRecord:
        """Return what identifies the data of a run."""
        labels = [self.labels[target] for target in self.targets]
        facts: dict[str, Any] = {
            "labels": list(self.labels),
            "input_size": self.input_size,
            "tokenizer": None if self.tokenizer is None else self.tokenizer.fingerprint,
        }
        sizes: dict[str, int] = {name: len(rows) for name, rows in self.parts.items()}
        return DataRecord(fingerprint_of(self.items, labels, self.parts), sizes, self.sources, facts)


def open_data(config: DataConfig) -> tuple[DataConfig, ClassifyData]:
    """Read the data that a configuration names; tokeniser and classes are those of the training part.

    Returns:
        The configuration with everything that was left open settled, and the data.

    Raises:
        DataError: When the data cannot be used.
    """
    examples = read_examples(config)
    labels, targets = _number_labels(examples)
    settled = settle(config, examples)
    if examples.is_numeric:
        return settled, _build(examples, cut(_arrays(examples), settled), targets, labels, None)
    tokenizer, ids = fit_and_encode(_texts(examples), examples.parts["train"], settled)
    return settled, _build(examples, cut(ids, settled), targets, labels, tokenizer)


def reopen_data(folder: RunFolder, config: DataConfig) -> ClassifyData:
    """Read the data of a run again, with the tokeniser that the run has.

    Raises:
        DataError: When they are gone, or have changed since the run began.
        RunError: When the run's description of them is missing or damaged.
    """
    recorded = load_record(folder)
    examples = read_examples(config)
    labels, targets = _number_labels(examples)
    known = recorded_labels(folder, recorded)
    if set(known) == set(labels):  # otherwise the examples differ, too
        labels, targets = known, class_numbers(examples.labels, known, "the data")
    tokenizer = open_tokenizer(folder, recorded)
    if examples.is_numeric != (tokenizer is None):
        now, then = ("numbers", "texts") if examples.is_numeric else ("texts", "numbers")
        raise DataError(f"the examples of {', '.join(config.data)} have changed since the run began: {now}, not {then}")
    values = _arrays(examples) if tokenizer is None else encode(_texts(examples), tokenizer)
    data = _build(examples, cut(values, config), targets, labels, tokenizer)
    check_unchanged(recorded, data.record(), config.data)
    return data


def recorded_labels(folder: RunFolder, recorded: DataRecord) -> tuple[str, ...]:
    """Return the classes of a run by their number.

    Raises:
        RunError: When its description has none.
    """
    labels = recorded.facts.get("labels")
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise RunError(
            f"expected the labels of the classes among the facts in data.json of {folder.path}, got {labels!r}"
        )
    return tuple(labels)


def training_keys(folder: RunFolder, config: DataConfig) -> np.ndarray | None:
    """Return the keys of a run's training part, as of ``item_keys``; None where its data are gone or have changed.

    Raises:
        RunError: When the run's description of them is missing or damaged.
    """
    recorded = load_record(folder)
    try:
        examples = read_examples(config)
    except DataError:
        return None
    if fingerprint_of(examples.items, examples.labels, examples.parts) != recorded.fingerprint:
        return None
    return item_keys([examples.items[row] for row in examples.parts["train"]])


def open_tokenizer(folder: RunFolder, recorded: DataRecord) -> Tokenizer | None:
    """Return the tokeniser of a run; None where it reads vectors.

    Raises:
        VocabularyError: When it is not the one that the run was trained with.
    """
    expected = recorded.facts.get("tokenizer")
    if expected is None:
        return None
    tokenizer = load_tokenizer(folder.path)
    if tokenizer.fingerprint != expected:
        raise VocabularyError(
            f"the tokeniser in {folder.path} is not the one that the run was trained with",
            hint="put the old vocab.json or tokenizer.json back; another tokeniser needs a new run",
        )
    return tokenizer


def settle(config: DataConfig, examples: Examples) -> DataConfig:
    """Return a configuration with what "auto" and unset values stand for."""
    if examples.is_numeric:
        return config
    texts = [item for row in examples.parts["train"] if isinstance(item := examples.items[row], str)]
    kind = settled_kind(config.tokenizer, texts)
    is_bpe = kind == "bpe"
    return dataclasses.replace(
        config,
        tokenizer=kind,
        lowercase=(kind == "word") if config.lowercase is None else config.lowercase,
        min_count=config.min_count if config.min_count or is_bpe else 2 if kind == "word" else 1,
        max_length=config.max_length or _MAX_TOKENS,
    )


def cut(values: Sequence[np.ndarray], config: DataConfig) -> Sequences:
    """Cut sequences to the length that a configuration allows."""
    limit = config.max_length
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    if limit is None or not (lengths > limit).any():
        return Sequences(list(values), lengths, 0)
    # copies, so that the long ones can be forgotten
    kept = [
        value if len(value) <= limit else (value[:limit] if config.keep == "begin" else value[-limit:]).copy()
        for value in values
    ]
    return Sequences(kept, np.minimum(lengths, limit), int((lengths > limit).sum()))


def class_numbers(found: Sequence[str], labels: Sequence[str], where: str) -> np.ndarray:
    """Return the number of each label among the known ones.

    Raises:
        DataError: When there are others.
    """
    number_of = {label: number for number, label in enumerate(labels)}
    unknown = sorted(set(found) - number_of.keys())
    if unknown:
        raise DataError(
            f"expected labels of {where} among those of the training part, {_few(labels)}; got {_few(unknown)}",
            hint="a model knows only the labels that it was trained on",
        )
    return np.fromiter((number_of[label] for label in found), np.int64, len(found))


def _number_labels(examples: Examples) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the classes, and the number of each example's."""
    train = {examples.labels[row] for row in examples.parts["train"]}
    are_numbers = all(_WHOLE_NUMBER.fullmatch(label) for label in train)
    labels = tuple(sorted(train, key=lambda label: (int(label), label)) if are_numbers else sorted(train))
    for name in ("validation", "test"):
        held_out = [examples.labels[row] for row in examples.parts[name]]
        if set(held_out) - train:
            class_numbers(held_out, labels, f"the {name} part")
    if len(labels) < 2:
        raise DataError(
            f"expected examples of at least two classes to train on, got one label only: {labels[0]!r}",
            hint="name the column of the labels with label_column, or give the files of the other classes too",
        )
    return labels, class_numbers(examples.labels, labels, "the data")


def _few(names: Sequence[str], limit: int = 10) -> str:
    shown = ", ".join(map(repr, names[:limit]))
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def _texts(examples: Examples) -> list[str]:
    return [item for item in examples.items if isinstance(item, str)]


def _arrays(examples: Examples) -> list[np.ndarray]:
    return [item for item in examples.items if isinstance(item, np.ndarray)]


def _build(
    examples: Examples,
    sequences: Sequences,
    targets: np.ndarray,
    labels: tuple[str, ...],
    tokenizer: Tokenizer | None,
) -> ClassifyData:
    return ClassifyData(
        examples.items, sequences, targets, labels, examples.parts, tokenizer, examples.sources, examples.notes
    )


def save_tokenizer(data: ClassifyData, folder: Path) -> None:
    """Write the tokeniser, where there is one."""
    if data.tokenizer is not None:
        data.tokenizer.save(folder)
