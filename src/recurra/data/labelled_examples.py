"""Texts with labels, read from tables, JSON lines, Parquet, folders, one file a class, or the Hugging Face hub."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from recurra.data.catalog import Sources
from recurra.data.example_blocks import Block, WantedColumns, describe_place
from recurra.data.file_examples import is_plain, iter_file
from recurra.data.folder_examples import iter_folder
from recurra.data.hub_examples import iter_hub
from recurra.data.part_names import PART_NAMES, TEST, TRAIN, VALIDATION
from recurra.data.records import FILE_LABEL, Columns
from recurra.errors import DataError

_EMPTY, _JOINED = "empty texts left out", "texts whose lines were joined by spaces"
_BREAK = re.compile(r"\r\n|\r|\n")


class Origins(Sequence[str]):
    """Where each example is from, for messages: "line 3 of reviews.csv"."""

    def __init__(self) -> None:
        self._blocks: list[tuple[str, str, Sequence[int] | Sequence[str]]] = []
        self._ends: list[int] = []

    def append_block(self, where: str, unit: str, places: Sequence[int] | Sequence[str]) -> None:
        """Add the examples of a block behind the others; see ``Block``."""
        self._blocks.append((where, unit, places))
        self._ends.append(len(self) + len(places))

    def extend(self, others: Origins) -> None:
        """Add others behind these."""
        for block in others._blocks:
            self.append_block(*block)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        index = range(len(self))[index]
        block = bisect_right(self._ends, index)
        where, unit, places = self._blocks[block]
        return describe_place(where, unit, places[index - self._ends[block] + len(places)])


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their labels.

    Attributes:
        texts: The texts, without line breaks.
        labels: The label of each; None where none were asked for.
        splits: The part that the data themselves put each into: "train", "validation" or "test"; None where they know
            no parts.
        origins: Where each is from, for messages.
        counts: What was left out or changed, in words, and how often.
    """

    texts: list[str]
    labels: list[str] | None = None
    splits: list[str] | None = None
    origins: Origins = field(default_factory=Origins)
    counts: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or changed, for a person to read."""
        return tuple(f"{what}: {count:,}" for what, count in self.counts.items())


def read_labelled(
    sources: Sources,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    split_column: str | None = None,
    need_labels: bool = True,
) -> LabelledTexts:
    """Read all examples of files, folders and data sets of the hub into memory.

    Files are tables (``.csv``, ``.tsv``, ``.tab``), JSON lines (``.jsonl``, ``.ndjson``), Parquet, or several text
    files with a text a line, each called after its label. Folders hold a folder for each label, with a file for each
    text; or such folders in ``train``, ``test`` and the like. Line breaks inside texts become spaces.

    Args:
        sources: What ``resolve`` found. Files that they have for validation and test form these parts.
        text_column: Column that holds the text: its name, or its number, counted from "1", in a table without a header
            line. By default what the sources know, else ``text``.
        label_column: Column that holds the label, in the same way; ``"file"`` means the name of the file. By default
            what the sources know, else ``label``. Of two columns, one of which is known, the other one is the other.
        split_column: Column that says which part an example belongs to; by default what the sources know, else none.
        need_labels: Whether labels and parts are read.

    Returns:
        The examples in the order of the sources. Empty texts are left out and counted.

    Raises:
        DataNotFoundError: When a file or a data set is not there.
        EncodingError: When a file is not UTF-8 text.
        DataError: When a source cannot be read: a column is missing, a label is empty, a line is longer than 16
            million characters, some examples belong to a part and others do not, or there is no text at all.
        ArgumentError: When columns are named "", numbered 0, or some are named and others numbered.
    """
    chunks = list(
        iter_labelled(
            sources,
            text_column=text_column,
            label_column=label_column,
            split_column=split_column,
            need_labels=need_labels,
        )
    )
    counts: Counter[str] = Counter()
    origins = Origins()
    for chunk in chunks:
        counts.update(chunk.counts)
        origins.extend(chunk.origins)
    chunks = [chunk for chunk in chunks if chunk.texts]
    texts = list(chain.from_iterable(chunk.texts for chunk in chunks))
    if not texts:
        raise DataError(f"expected texts in {', '.join(sources.names)}, got empty ones only")
    labels = list(chain.from_iterable(chunk.labels or () for chunk in chunks)) if need_labels else None
    return LabelledTexts(texts, labels, _joined_splits(chunks), origins, dict(counts))


def iter_labelled(
    sources: Sources,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    split_column: str | None = None,
    need_labels: bool = True,
    keep_empty: bool = False,
) -> Iterator[LabelledTexts]:
    """Yield the examples that ``read_labelled`` gives, some at a time, so that any size can be read.

    Args:
        sources: As for ``read_labelled``.
        text_column: As for ``read_labelled``.
        label_column: As for ``read_labelled``.
        split_column: As for ``read_labelled``.
        need_labels: As for ``read_labelled``.
        keep_empty: Whether empty texts are given, too.

    Raises:
        DataNotFoundError, EncodingError, DataError, ArgumentError: As ``read_labelled``, once it gets there.
    """
    known = sources.columns or Columns()
    label = known.label if label_column is None else label_column
    if label is None and len(sources.paths) > 1 and all(path.is_file() and is_plain(path) for path in sources.paths):
        label = FILE_LABEL
    wanted = WantedColumns(
        text=known.text if text_column is None else text_column,
        label=label,
        split=known.split if split_column is None else split_column,
        need_labels=need_labels,
    )
    for block in _iter_blocks(sources, wanted):
        yield _checked(block, keep_empty)


def _iter_blocks(sources: Sources, wanted: WantedColumns) -> Iterator[Block]:
    for name in sources.hub:
        yield from iter_hub(name, wanted)
    has_parts = bool(sources.validation or sources.test) and wanted.need_labels
    for part, paths in ((TRAIN, sources.paths), (VALIDATION, sources.validation), (TEST, sources.test)):
        for path in paths:
            blocks = iter_folder(path, wanted) if path.is_dir() else iter_file(path, wanted)
            for block in blocks:
                yield replace(block, splits=[part] * len(block.texts)) if has_parts else block


def _checked(block: Block, keep_empty: bool) -> LabelledTexts:
    """Return the examples of a block as they are used, or say where one cannot be used."""
    counts = Counter(block.left_out)
    texts = [text.strip("\r\n") if "\n" in text or "\r" in text else text for text in block.texts]
    broken = [index for index, text in enumerate(texts) if "\n" in text or "\r" in text]
    for index in broken:
        texts[index] = _BREAK.sub(" ", texts[index])
    counts[_JOINED] += len(broken)
    labels, splits, places = block.labels, block.splits, block.places
    if not keep_empty:
        kept = [index for index, text in enumerate(texts) if text and not text.isspace()]
        if len(kept) < len(texts):
            counts[_EMPTY] += len(texts) - len(kept)
            texts = [texts[index] for index in kept]
            places = [places[index] for index in kept]  # type: ignore[assignment]
            labels = None if labels is None else [labels[index] for index in kept]
            splits = None if splits is None else [splits[index] for index in kept]
    origins = Origins()
    origins.append_block(block.where, block.unit, places)
    if labels is not None:
        _check_labels(labels, origins)
    return LabelledTexts(texts, labels, None if splits is None else _parts(splits, origins), origins, +counts)


def _check_labels(labels: list[str], origins: Origins) -> None:
    distinct = dict.fromkeys(labels)
    for label in distinct:
        if not label.strip():
            raise DataError(f"expected a label in {origins[labels.index(label)]}, got {label!r}")
        if not label.isprintable() and any(char in label for char in "\n\r\t"):
            raise DataError(
                f"expected a label without line breaks and tabs in {origins[labels.index(label)]}, got {label!r}"
            )


def _parts(splits: list[str], origins: Origins) -> list[str]:
    for split in dict.fromkeys(splits):
        if split.strip().lower() not in PART_NAMES:
            raise DataError(
                f"expected one of {', '.join(PART_NAMES)} for the part in {origins[splits.index(split)]}, got {split!r}"
            )
    return [PART_NAMES[split.strip().lower()] for split in splits]


def _joined_splits(chunks: list[LabelledTexts]) -> list[str] | None:
    with_parts = [chunk.splits is not None for chunk in chunks]
    if not any(with_parts):
        return None
    if not all(with_parts):
        raise DataError(
            "expected all sources to say which part an example belongs to, or none, "
            f"got one that does not: {chunks[with_parts.index(False)].origins[0]}"
        )
    splits = list(chain.from_iterable(chunk.splits or () for chunk in chunks))
    return None if set(splits) == {TRAIN} else splits


__all__ = ["LabelledTexts", "Origins", "iter_labelled", "read_labelled"]
