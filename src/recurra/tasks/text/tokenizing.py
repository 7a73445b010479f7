"""The tokeniser of a text: what of the training part becomes a token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from recurra.data import (
    LINE_END,
    CharTokenizer,
    Corpus,
    Lines,
    Range,
    Rule,
    Tokenizer,
    Vocabulary,
    WordTokenizer,
    iter_characters,
    iter_line_characters,
    iter_tokens,
    train_bpe,
)
from recurra.errors import DataError
from recurra.tasks.text.config import DataConfig

RULES: dict[str, Rule] = {"char": "char", "bpe": "char", "word": "word", "whitespace": "whitespace"}
"""How a text is cut into raw units, by the tokeniser."""
RAW_UNITS = {"char": "character", "bpe": "character", "word": "word", "whitespace": "token"}
"""What a raw unit is, for people, by the tokeniser."""
_BPE_VOCAB_SIZE = 8000

Spans = Sequence[Range] | Lines
"""Where the training part lies in a corpus: ranges of a stream, or lines."""


def build_tokenizer(corpus: Corpus, config: DataConfig, train: Spans) -> Tokenizer:
    """Return the tokeniser that a configuration asks for, made from the training part of a corpus only.

    Raises:
        DataError: When the training part has fewer than two distinct raw units, or none of them is frequent enough.
    """
    counts = _counts(corpus, train)
    if np.count_nonzero(counts) < 2:
        only = [symbol for symbol, count in zip(corpus.symbols, counts[1:].tolist(), strict=True) if count]
        raise DataError(
            f"expected a training part with at least two distinct {RAW_UNITS[config.tokenizer]}s, "
            f"got {f'{only[0]!r} over and over' if only else 'none'}"
        )
    if config.tokenizer == "bpe":
        return train_bpe(_texts(corpus, train), config.max_vocab_size or _BPE_VOCAB_SIZE)
    assert config.min_count is not None
    vocabulary = Vocabulary.select(
        corpus.symbols, counts[1:], min_count=config.min_count, max_size=config.max_vocab_size
    )
    if not vocabulary.known:
        raise DataError(
            f"expected tokens that occur at least {config.min_count} times in the training part, got none",
            hint="use more text, or a smaller min_count",
        )
    if config.tokenizer == "char":
        return CharTokenizer(vocabulary, lowercase=config.lowercase)
    rule: Literal["word", "whitespace"] = "word" if config.tokenizer == "word" else "whitespace"
    return WordTokenizer(vocabulary, rule, lowercase=config.lowercase)


def _counts(corpus: Corpus, train: Spans) -> np.ndarray:
    """Return how often each raw unit stands in the training part, int64 of shape (number of symbols + 1,)."""
    if not isinstance(train, Lines):
        return sum(corpus.counts(start, stop) for start, stop in train)  # type: ignore[return-value]
    counts = np.zeros(len(corpus.symbols) + 1, np.int64)
    for _, _, places in iter_tokens(train):
        counts += np.bincount(corpus.raw[places], minlength=len(counts))
    return counts


def _texts(corpus: Corpus, train: Spans) -> Iterator[str]:
    if isinstance(train, Lines):
        yield from iter_line_characters(corpus, train)
        return
    for start, stop in train:
        yield from iter_characters(corpus, start, stop)
        yield LINE_END  # what stands behind one another here does not in the text
