"""A corpus cut into training, validation and test part, as tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from recurra.data import (
    EOS_ID,
    BPETokenizer,
    Corpus,
    Lines,
    LineSet,
    Range,
    Splits,
    StreamBatches,
    TokenIds,
    Tokenizer,
    find_lines,
    iter_tokens,
    open_subwords,
    split_lines,
    table_of,
)
from recurra.errors import DataTooShortError
from recurra.tasks.text.config import DataConfig
from recurra.tasks.text.facts import PARTS, CountChars, TextFacts
from recurra.tasks.text.line_data import LineData
from recurra.tasks.text.stream_data import StreamData
from recurra.tasks.text.tokenizing import RAW_UNITS, build_tokenizer

TextData = StreamData | LineData
NumFiles = tuple[int, int, int]


def cut(corpus: Corpus, config: DataConfig, num_files: NumFiles, tokenizer: Tokenizer | None) -> TextData:
    """Return a corpus as tokens in three parts.

    Args:
        corpus: The raw units of all files.
        config: How to cut them, with nothing left open.
        num_files: Files to train on, to validate on, to test on, in the corpus's order.
        tokenizer: What makes tokens of the units; None makes it from the training part.

    Raises:
        DataError: When a part would be empty, or the training part has too few distinct units.
    """
    make = _streams if config.sequences == "stream" else _lines
    return make(corpus, config, num_files, tokenizer)


def _streams(corpus: Corpus, config: DataConfig, num_files: NumFiles, tokenizer: Tokenizer | None) -> StreamData:
    ranges = _ranges(corpus, config, num_files)
    if tokenizer is None:
        tokenizer = build_tokenizer(corpus, config, [ranges[0]])
    ids, ranges = token_ids(corpus, tokenizer, ranges)
    _check_held_out([stop - start for start, stop in ranges[1:]], f"2 {tokenizer.unit}s", 2, num_files)
    facts = TextFacts.of_corpus(corpus, num_files)
    return StreamData(tokenizer, ids, Splits(*ranges), char_counter(corpus, ids, tokenizer), facts)


def _check_held_out(sizes: Sequence[int], what: str, least: int, num_files: NumFiles) -> None:
    """Check that there is something to predict in the validation part, and in the test part where there is one."""
    for part, size in zip(PARTS[1:], sizes, strict=True):
        is_wanted = part == "validation" or size > 0 or num_files[2] > 0
        if is_wanted and size < least:
            raise DataTooShortError(
                f"expected a {part} part of at least {what}, got {size}", hint="use more text, or other files"
            )


def _ranges(corpus: Corpus, config: DataConfig, num_files: NumFiles) -> list[Range]:
    """Return the three parts of a stream, in raw units: whole files where there are some, else fractions."""
    ends = (0, *corpus.borders)
    first, second = ends[num_files[0]], ends[num_files[0] + num_files[1]]
    whole = corpus.num_units
    if num_files[1]:
        return [(0, first), (first, second), (second, whole)]
    if num_files[2]:
        # a test file alone: validation is cut off what there is to train on
        splits = _cut(first, config, 0.0)
        return [splits.train, splits.validation, (first, whole)]
    splits = _cut(whole, config, config.test_fraction)
    return [splits.train, splits.validation, splits.test]


def _cut(num_units: int, config: DataConfig, test_fraction: float) -> Splits:
    """Cut a stream by fractions, or say how long it must be for that."""
    unit = RAW_UNITS[config.tokenizer]
    if config.tokenizer != "bpe":  # how many subwords there will be is not known yet
        assert config.batch_size is not None
        num_train = StreamBatches.num_units_needed(config.batch_size, config.bptt)
        needed = Splits.num_units_needed(config.validation_fraction, test_fraction, num_train)
        if num_units < needed:
            raise DataTooShortError(
                f"expected a text of at least {needed} {unit}s for validation_fraction={config.validation_fraction}, "
                f"test_fraction={test_fraction}, batch_size={config.batch_size} and bptt={config.bptt}, "
                f"got {num_units}",
                hint="use more text, a smaller batch_size or bptt, or other fractions",
            )
    return Splits.from_fractions(num_units, config.validation_fraction, test_fraction, unit=unit)


def token_ids(corpus: Corpus, tokenizer: Tokenizer, ranges: Sequence[Range]) -> tuple[TokenIds, list[Range]]:
    """Return a corpus as ids of a tokeniser, and where ranges of raw units lie in them."""
    if isinstance(tokenizer, BPETokenizer):
        subwords = open_subwords(corpus, ranges, tokenizer)
        return subwords.ids, list(subwords.ranges)
    return TokenIds(corpus.raw, table_of(tokenizer.vocabulary, corpus.symbols)), list(ranges)


def line_end(corpus: Corpus, tokenizer: Tokenizer) -> int | None:
    """Return the id that ends a line among the stored ids of ``token_ids``; None where no line ends."""
    return EOS_ID if isinstance(tokenizer, BPETokenizer) else corpus.newline_id


def char_counter(corpus: Corpus, ids: TokenIds, tokenizer: Tokenizer) -> CountChars:
    """Return what counts the characters that ranges of tokens stand for."""
    if corpus.rule == "whitespace" and all(len(symbol) == 1 for symbol in corpus.symbols):
        # the file spells characters out with white space between them: a token is a character
        return lambda start, stop: int(np.sum(stop - start))
    if not isinstance(tokenizer, BPETokenizer):
        return corpus.num_chars
    widths = tokenizer.char_widths

    def count_of_subwords(start: int | np.ndarray, stop: int | np.ndarray) -> int:
        starts, stops = np.atleast_1d(start), np.atleast_1d(stop)
        blocks = iter_tokens(Lines(ids, starts, stops - starts))
        return sum(int(widths[ids.map(ids.raw[places])].sum()) for _, _, places in blocks)

    return count_of_subwords


def _lines(corpus: Corpus, config: DataConfig, num_files: NumFiles, tokenizer: Tokenizer | None) -> LineData:
    raw = TokenIds(corpus.raw)
    found, num_empty = find_lines(corpus.raw, corpus.newline_id, labels=corpus.line_labels)
    lines = dataclasses.replace(found, ids=raw)
    parts = _parts(lines, corpus, config, num_files)
    _check_held_out([len(part) for part in parts[1:]], "1 line that is not empty", 1, num_files)
    if tokenizer is None:
        tokenizer = build_tokenizer(corpus, config, lines.take(parts[0]))
    notes = (*_text_notes(corpus, num_empty), *_shared_notes(lines, parts, num_files))
    ids, _ = token_ids(corpus, tokenizer, [(0, corpus.num_units)])
    if isinstance(tokenizer, BPETokenizer):
        # the same lines in the same order
        found, _ = find_lines(ids.raw, line_end(corpus, tokenizer), labels=corpus.line_labels)
    lines = dataclasses.replace(found, ids=ids)
    shares = {part: lines.take(indices) for part, indices in zip(PARTS, parts, strict=True)}
    notes += _label_notes(shares["train"], corpus.label_names)
    facts = TextFacts.of_corpus(corpus, num_files, notes)
    return LineData(tokenizer, shares, config.max_length, char_counter(corpus, ids, tokenizer), facts)


def _parts(
    lines: Lines, corpus: Corpus, config: DataConfig, num_files: NumFiles
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which lines belong to which part: those of whole files where there are some, else random shares."""
    ends = (0, *corpus.borders)
    first, second = ends[num_files[0]], ends[num_files[0] + num_files[1]]
    of_train, of_validation = (int(np.searchsorted(lines.starts, end)) for end in (first, second))
    everything = np.arange(len(lines))
    given = everything[:of_train]
    if num_files[1]:
        return given, everything[of_train:of_validation], everything[of_validation:]
    test_fraction = 0.0 if num_files[2] else config.test_fraction
    train, validation, test = split_lines(
        lines.take(given), config.validation_fraction, test_fraction, config.split_seed
    )
    return train, validation, everything[of_validation:] if num_files[2] else test


def _text_notes(corpus: Corpus, num_empty: int) -> tuple[str, ...]:
    counts = {
        "empty lines are left out": num_empty,
        "records held line breaks, which became spaces": corpus.num_joined,
    }
    return tuple(f"{count:,} {what}" for what, count in counts.items() if count)


def _shared_notes(lines: Lines, parts: Sequence[np.ndarray], num_files: NumFiles) -> tuple[str, ...]:
    """Say how many held-out lines from files of their own are training lines, too; of random shares none can be."""
    if not any(num_files[1:]):
        return ()
    notes = []
    known = LineSet(lines.take(parts[0]))
    for part, indices, count_of_files in zip(PARTS[1:], parts[1:], num_files[1:], strict=True):
        count = int(known.holds(lines.take(indices)).sum()) if count_of_files else 0
        if count:
            notes.append(f"{count:,} of {len(indices):,} {part} lines also stand in the training part")
    return tuple(notes)


def _label_notes(train: Lines, names: Sequence[str]) -> tuple[str, ...]:
    if train.labels is None:
        return ()
    counts = np.bincount(train.labels, minlength=len(names))
    missing = [name for name, count in zip(names, counts.tolist(), strict=True) if not count]
    return (f"no training line has the label {', '.join(missing)}: the model learns nothing of it",) if missing else ()
