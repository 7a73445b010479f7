"""From a configuration to pairs of sentences in three parts, as tokens."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from recurra.data import (
    SentencePairs,
    Tokenizer,
    build_tokenizer,
    count_shared,
    linked_keys,
    load_tokenizer,
    read_pairs,
    resolve,
    split_by_key,
    text_keys,
)
from recurra.errors import DataError, DataTooShortError, VocabularyError
from recurra.tasks.shared.record import DataRecord, check_unchanged, fingerprint, load_record
from recurra.tasks.translate.config import DataConfig
from recurra.tasks.translate.normalization import prepare
from recurra.tasks.translate.parts import PARTS, PairPart, TranslateData, encode_part
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

SIDES = ("src", "tgt")
"""The folders of a run that hold the tokenisers."""
_MIN_COUNT_OF_WORDS = 2


def absolute(config: DataConfig) -> DataConfig:
    """Return a configuration that names its files from the root; names of data sets stay."""

    def whole(items: Sequence[str]) -> tuple[str, ...]:
        paths = [os.path.abspath(os.path.expanduser(item)) for item in items]
        # a name that is also a file is that file, as for `resolve`
        return tuple(path if os.path.isfile(path) else item for item, path in zip(items, paths, strict=True))

    names = ("data", "validation_data", "test_data")
    return dataclasses.replace(config, **{name: whole(getattr(config, name)) for name in names})  # type: ignore[arg-type]


def open_pairs(config: DataConfig) -> TranslateData:
    """Open the pairs that a configuration names, with tokenisers of their training part.

    Raises:
        DataError: When the pairs cannot be used.
    """
    return _cut(config, None)


def reopen_pairs(folder: RunFolder, config: DataConfig) -> TranslateData:
    """Open the pairs of a run with the tokenisers that the run has.

    Raises:
        DataError: When they are gone, or have changed since the run began.
        RunError: When the run's description of them is missing or damaged.
        VocabularyError: When a tokeniser is not that of the run.
    """
    recorded = load_record(folder)
    data = _cut(config, open_tokenizers(folder))
    check_unchanged(recorded, data.record, config.data)
    return data


def open_part(files: Sequence[str], config: DataConfig, tokenizers: tuple[Tokenizer, Tokenizer]) -> PairPart:
    """Open other pairs under the tokenisers of a run; nothing of them is filtered out but pairs with an empty side.

    Raises:
        DataError: When they cannot be used.
    """
    pairs, _ = _normalized(read_pairs(_whole(files), swap=config.swap), config)
    return encode_part(pairs.sources, pairs.targets, tokenizers, config)


def open_tokenizers(folder: RunFolder) -> tuple[Tokenizer, Tokenizer]:
    """Return the tokenisers of a run, of the source and of the target side.

    Raises:
        VocabularyError: When one is not that which the run was trained with.
        RunError: When the run's description of its data is missing or damaged.
    """
    facts = load_record(folder).facts
    source, target = (load_tokenizer(folder.path / side) for side in SIDES)
    for side, tokenizer in zip(SIDES, (source, target), strict=True):
        if tokenizer.fingerprint != facts.get(f"{side}_tokenizer"):
            raise VocabularyError(
                f"the tokeniser in {folder.path / side} is not the one that the run was trained with",
                hint="put the old file back; another tokeniser needs a new run",
            )
    return source, target


# ---------------------------------------------------------------------- reading


def _cut(config: DataConfig, tokenizers: tuple[Tokenizer, Tokenizer] | None) -> TranslateData:
    notes: list[str] = []
    parts = _read_parts(config, notes)
    train = parts["train"]
    if tokenizers is None:
        tokenizers = _build(train.sources, config.tokenizer, config), _build(train.targets, config.tgt_kind, config)
    columns = [column for pairs in parts.values() for column in (pairs.sources, pairs.targets)]
    record = DataRecord(
        fingerprint(*columns),
        {part: len(pairs) for part, pairs in parts.items()},
        (*config.data, *config.validation_data, *config.test_data),
        {f"{side}_tokenizer": tokenizer.fingerprint for side, tokenizer in zip(SIDES, tokenizers, strict=True)},
    )
    encoded: dict[Split, PairPart] = {
        part: encode_part(pairs.sources, pairs.targets, tokenizers, config) for part, pairs in parts.items()
    }
    encoded["train"] = _without_long(encoded["train"], config.max_length, notes)
    return TranslateData(encoded, *tokenizers, record, tuple(notes))


def _build(texts: list[str], kind: str, config: DataConfig) -> Tokenizer:
    min_count = config.min_count
    if kind == "word" and config.normalization == "ascii":
        # the words and marks stand apart already, and are to be written so again
        kind, min_count = "whitespace", min_count or _MIN_COUNT_OF_WORDS
    # the texts are in lower case already, where they are wanted so
    return build_tokenizer(texts, kind, min_count=min_count, max_vocab_size=config.max_vocab_size)


def _read_parts(config: DataConfig, notes: list[str]) -> dict[Split, SentencePairs]:
    train, validation, test = _files(config)
    pairs = _read(train, config, notes)
    if not validation:
        cut_off = config.test_fraction if not test else 0.0
        parts = _split(pairs, config, cut_off)
    else:
        parts = {"train": pairs, "validation": _read(validation, config, notes, "validation"), "test": _none()}
    if test:
        parts["test"] = _read(test, config, notes, "test")
    if validation or test:
        notes += _shared_lines(parts)
    return parts


def _files(config: DataConfig) -> tuple[tuple[Path, ...], tuple[Path, ...], tuple[Path, ...]]:
    sources = resolve(config.data)
    if sources.kind not in (None, "pairs"):
        raise DataError(
            f"expected pairs of sentences for data, got {', '.join(config.data)}, a data set of {sources.kind}",
            hint="`recurra data list` says which data sets are for translate",
        )
    validation = _whole(config.validation_data) if config.validation_data else sources.validation
    test = _whole(config.test_data) if config.test_data else sources.test
    return sources.paths, validation, test


def _whole(names: Sequence[str]) -> tuple[Path, ...]:
    """Return files that are one part together: no data set that has its own three."""
    sources = resolve(names)
    if sources.validation or sources.test:
        raise DataError(
            f"expected files that are one part, got {', '.join(names)}, which has parts of its own",
            hint="name one of its files",
        )
    return sources.paths


def _read(paths: Sequence[Path], config: DataConfig, notes: list[str], part: str = "") -> SentencePairs:
    pairs = read_pairs(paths, swap=config.swap)
    kept, num_empty = _normalized(pairs, config)
    found = list(pairs.notes)
    if num_empty:
        found.append(f"{num_empty:,} of {len(pairs):,} pairs left out: a side is empty after normalisation")
    chosen = _chosen(kept, config)
    if len(chosen) < len(kept):
        found.append(f"{len(chosen):,} of {len(kept):,} pairs kept: those with the prefixes and max_words asked for")
    if not chosen:
        raise DataTooShortError(
            f"expected pairs that meet src_prefixes, tgt_prefixes and max_words, got none of {len(kept):,}",
            hint="prefixes are compared with the text after normalisation",
        )
    notes += [f"{part}: {note}" if part else note for note in found]
    return SentencePairs([kept.sources[row] for row in chosen], [kept.targets[row] for row in chosen])


def _normalized(pairs: SentencePairs, config: DataConfig) -> tuple[SentencePairs, int]:
    """Return pairs after normalisation without those of which a side is empty then, and how many these were."""
    sources, targets = prepare(pairs.sources, config), prepare(pairs.targets, config)
    rows = [row for row, sides in enumerate(zip(sources, targets, strict=True)) if all(sides)]
    if not rows:
        raise DataTooShortError(f"expected text on both sides after normalisation, got none in {len(pairs):,} pairs")
    return SentencePairs([sources[row] for row in rows], [targets[row] for row in rows]), len(pairs) - len(rows)


def _chosen(pairs: SentencePairs, config: DataConfig) -> list[int]:
    def is_chosen(source: str, target: str) -> bool:
        fits = (not config.src_prefixes or source.startswith(config.src_prefixes)) and (
            not config.tgt_prefixes or target.startswith(config.tgt_prefixes)
        )
        most = config.max_words
        return fits and (most is None or max(len(source.split()), len(target.split())) <= most)

    return [row for row, sides in enumerate(zip(pairs.sources, pairs.targets, strict=True)) if is_chosen(*sides)]


# ---------------------------------------------------------------------- parts


def _split(pairs: SentencePairs, config: DataConfig, test_fraction: float) -> dict[Split, SentencePairs]:
    keys = linked_keys(pairs.sources, pairs.targets)
    rows = split_by_key(keys, config.validation_fraction, test_fraction, config.split_seed, what="pairs")
    return {part: _rows(pairs, which) for part, which in zip(PARTS, rows, strict=True)}


def _rows(pairs: SentencePairs, rows: Iterable[int]) -> SentencePairs:
    chosen = list(rows)
    return SentencePairs([pairs.sources[row] for row in chosen], [pairs.targets[row] for row in chosen])


def _none() -> SentencePairs:
    return SentencePairs([], [])


def _shared_lines(parts: Mapping[Split, SentencePairs]) -> Iterator[str]:
    """Say how much of held-out parts that the data bring stands in the training part too."""
    train = parts["train"]
    keys = {"sources": text_keys(train.sources), "targets": text_keys(train.targets)}
    for part, pairs in parts.items():
        if part == "train" or not len(pairs):
            continue
        for side, texts in (("sources", pairs.sources), ("targets", pairs.targets)):
            shared = count_shared(keys[side], text_keys(texts))
            if shared:
                yield f"{shared:,} of the {len(pairs):,} {side} of the {part} part also stand in the training part"


def _without_long(part: PairPart, most: int | None, notes: list[str]) -> PairPart:
    if most is None:
        return part
    # an end stands behind the tokens of each side
    lengths = np.maximum(part.src_lengths, part.tgt_lengths) - 1
    rows = np.flatnonzero(lengths <= most)
    if len(rows) == len(part):
        return part
    if not len(rows):
        raise DataTooShortError(
            f"expected pairs of at most {most} tokens a side in the training part, got none",
            hint="give a larger max_length",
        )
    notes.append(f"{len(part) - len(rows):,} of {len(part):,} training pairs left out: longer than {most} tokens")
    return part.select(rows)
