"""Tokenisers and vocabularies of texts that are held in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from recurra.data.char_tokenizer import CharTokenizer
from recurra.data.subwords import train_bpe
from recurra.data.tokenization import Tokenizer
from recurra.data.units import split_units
from recurra.data.vocabulary import Vocabulary
from recurra.data.word_tokenizer import WordTokenizer
from recurra.errors import ArgumentError, ChoiceError, DataError

TOKENIZERS = ("char", "word", "whitespace", "bpe")
_BPE_VOCAB_SIZE = 8000


def build_tokenizer(
    texts: Sequence[str],
    kind: str,
    *,
    lowercase: bool = False,
    min_count: int | None = None,
    max_vocab_size: int | None = None,
) -> Tokenizer:
    """Return the tokeniser of some texts, which should be those of the training part alone.

    Args:
        texts: The texts.
        kind: "char", "word", "whitespace" or "bpe".
        lowercase: Put text in lower case first; not for "bpe".
        min_count: Tokens that are rarer are unknown; None means 2 for "word", else 1. Not for "bpe".
        max_vocab_size: Keep this many of the most frequent tokens; of "bpe" all of them, None meaning 8,000.

    Raises:
        ChoiceError: When the kind is none of these.
        ArgumentError: When options do not go with "bpe".
        DataError: When no token is frequent enough.
    """
    if kind not in TOKENIZERS:
        raise ChoiceError("kind of build_tokenizer", kind, TOKENIZERS)
    if kind == "bpe":
        if lowercase or min_count is not None:
            what = "lowercase" if lowercase else "min_count"
            raise ArgumentError(f"build_tokenizer expected no {what} with kind='bpe', which knows every byte; got it")
        return train_bpe((f"{text}\n" for text in texts), max_vocab_size or _BPE_VOCAB_SIZE)
    rule: Literal["word", "whitespace"] | Literal["char"]
    rule = "char" if kind == "char" else "word" if kind == "word" else "whitespace"
    units = (unit for text in texts for unit in split_units(text, rule, lowercase=lowercase))
    if min_count is None:
        min_count = 2 if kind == "word" else 1
    vocabulary = build_vocabulary(units, min_count=min_count, max_size=max_vocab_size)
    if rule == "char":
        return CharTokenizer(vocabulary, lowercase=lowercase)
    return WordTokenizer(vocabulary, rule, lowercase=lowercase)


def build_vocabulary(tokens: Iterable[str], *, min_count: int = 1, max_size: int | None = None) -> Vocabulary:
    """Return the vocabulary of some tokens, the most frequent first.

    Args:
        tokens: Tokens in their order; equally frequent ones are numbered by first occurrence.
        min_count: Tokens that are rarer are unknown.
        max_size: How many there may be, the special ones not counted; None means all.

    Raises:
        DataError: When no token is frequent enough.
    """
    counts = Counter(tokens)
    vocabulary = Vocabulary.select(list(counts), list(counts.values()), min_count=min_count, max_size=max_size)
    if not vocabulary.known:
        raise DataError(
            f"expected tokens that occur at least {min_count} times in the training part, got none",
            hint="use more data, or a smaller min_count",
        )
    return vocabulary


__all__ = ["TOKENIZERS", "build_tokenizer", "build_vocabulary"]
