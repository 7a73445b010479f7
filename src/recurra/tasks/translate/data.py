"""From a configuration to pairs of sentences in three parts, as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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
    split_by_key,
    text_keys,
)
from recurra.errors import DataTooShortError, VocabularyError
from recurra.tasks.shared.record import DataRecord, check_unchanged, fingerprint, load_record
from recurra.tasks.shared.sources import one_part, part_files
from recurra.tasks.translate.config import DataConfig
from recurra.tasks.translate.normalization import prepare
from recurra.tasks.translate.parts import PARTS, PairPart, TranslateData, encode_part
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

SIDES = ("src", "tgt")
"""The folders of a run that hold the tokenisers."""
_MIN_COUNT_OF_WORDS = 2


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


def open_part(
    files: Sequence[str], config: DataConfig, tokenizers: tuple[Tokenizer, Tokenizer]
) -> tuple[PairPart, tuple[str, ...]]:
    """Open other pairs under the tokenisers of a run; nothing of them is filtered out but pairs with an empty side.

    Returns:
        The pairs, and what a person should know of them.

    Raises:
        DataError: When they cannot be used.
    """
    pairs = _read_normalized(one_part(files, kind="pairs", what="pairs of sentences"), config)
    return encode_part(pairs.sources, pairs.targets, tokenizers, config), pairs.notes


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
    parts = _read_parts(config)
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
    notes = {part: pairs.notes for part, pairs in parts.items()}
    if config.max_length is not None:
        encoded["train"], left_out = _without_long(encoded["train"], config.max_length)
        notes["train"] += left_out
    return TranslateData(encoded, *tokenizers, record, notes)


def _build(texts: list[str], kind: str, config: DataConfig) -> Tokenizer:
    min_count = config.min_count
    if kind == "word" and config.normalization == "ascii":
        # the words and marks stand apart already, and are to be written so again
        kind, min_count = "whitespace", min_count or _MIN_COUNT_OF_WORDS
    # the texts are in lower case already, where they are wanted so
    return build_tokenizer(texts, kind, min_count=min_count, max_vocab_size=config.max_vocab_size)


def _read_parts(config: DataConfig) -> dict[Split, SentencePairs]:
    train, validation, test = part_files(config, kind="pairs", what="pairs of sentences")
    pairs = _read(train, config)
    if not validation:
        cut_off = config.test_fraction if not test else 0.0
        parts = _split(pairs, config, cut_off)
    else:
        parts = {"train": pairs, "validation": _read(validation, config), "test": _none()}
    if test:
        parts["test"] = _read(test, config)
    return _with_shared(parts) if validation or test else parts


def _read(paths: Sequence[Path], config: DataConfig) -> SentencePairs:
    kept = _read_normalized(paths, config)
    chosen, notes = _chosen(kept, config), kept.notes
    if len(chosen) < len(kept):
        notes += (f"{len(chosen):,} of {len(kept):,} pairs kept: those with the prefixes and max_words asked for",)
    if not chosen:
        raise DataTooShortError(
            f"expected pairs that meet src_prefixes, tgt_prefixes and max_words, got none of {len(kept):,}",
            hint="prefixes are compared with the text after normalisation",
        )
    return _rows(kept, chosen, notes)


def _read_normalized(paths: Sequence[Path], config: DataConfig) -> SentencePairs:
    """Return pairs after normalisation, without those of which a side is empty then."""
    pairs = read_pairs(paths, swap=config.swap)
    sources, targets = prepare(pairs.sources, config), prepare(pairs.targets, config)
    rows = [row for row, sides in enumerate(zip(sources, targets, strict=True)) if all(sides)]
    if not rows:
        raise DataTooShortError(f"expected text on both sides after normalisation, got none in {len(pairs):,} pairs")
    notes = pairs.notes
    if len(rows) < len(pairs):
        num_empty = len(pairs) - len(rows)
        notes += (f"{num_empty:,} of {len(pairs):,} pairs left out: a side is empty after normalisation",)
    return _rows(SentencePairs(sources, targets), rows, notes)


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
    fraction = config.validation_fraction
    try:
        rows = split_by_key(keys, fraction, test_fraction, config.split_seed, what="pairs", who="translate")
    except DataTooShortError as error:
        raise DataTooShortError(
            f"translate expected pairs for training, for validation={fraction} and for test={test_fraction}, got "
            f"{len(pairs):,} pairs that form {len(np.unique(keys)):,} groups, each of which shares a source or a "
            f"target and stays together",
            hint="name validation_data and test_data, or use more pairs, or other fractions",
        ) from error
    # notes are of all that was read
    notes: tuple[tuple[str, ...], ...] = (pairs.notes, (), ())
    return {part: _rows(pairs, which, said) for part, which, said in zip(PARTS, rows, notes, strict=True)}


def _rows(pairs: SentencePairs, rows: Iterable[int], notes: tuple[str, ...]) -> SentencePairs:
    chosen = list(rows)
    return SentencePairs([pairs.sources[row] for row in chosen], [pairs.targets[row] for row in chosen], notes)


def _none() -> SentencePairs:
    return SentencePairs([], [])


def _with_shared(parts: Mapping[Split, SentencePairs]) -> dict[Split, SentencePairs]:
    """Note how much of held-out parts that the data bring stands in the training part too."""
    train = parts["train"]
    keys = {"sources": text_keys(train.sources), "targets": text_keys(train.targets)}

    def shared(pairs: SentencePairs) -> Iterator[str]:
        for side, texts in (("sources", pairs.sources), ("targets", pairs.targets)):
            count = count_shared(keys[side], text_keys(texts))
            if count:
                yield f"{count:,} of {len(pairs):,} {side} also stand in the training part"

    return {
        part: pairs if part == "train" or not len(pairs) else replace(pairs, notes=(*pairs.notes, *shared(pairs)))
        for part, pairs in parts.items()
    }


def _without_long(part: PairPart, most: int) -> tuple[PairPart, tuple[str, ...]]:
    """Return the pairs that are not longer on either side, and a note on the others."""
    # an end stands behind the tokens of each side
    lengths = np.maximum(part.src_lengths, part.tgt_lengths) - 1
    rows = np.flatnonzero(lengths <= most)
    if len(rows) == len(part):
        return part, ()
    if not len(rows):
        raise DataTooShortError(
            f"expected pairs of at most {most} tokens a side in the training part, got none",
            hint="give a larger max_length",
        )
    note = f"{len(part) - len(rows):,} of {len(part):,} training pairs left out: longer than {most} tokens"
    return part.select(rows), (note,)
