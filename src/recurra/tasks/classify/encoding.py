"""From texts to ids: each text is cut once, and what is between two white spaces is cut into tokens once for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np

from recurra.data import (
    LINE_END,
    BPETokenizer,
    CharTokenizer,
    Tokenizer,
    Vocabulary,
    WordTokenizer,
    split_units,
    table_of,
)
from recurra.data.numbering import CharNumbering, SymbolNumbering
from recurra.data.tokenizer_building import build_tokenizer
from recurra.errors import DataError
from recurra.tasks.classify.config import DataConfig

_SHORT_TEXT = 40

Kind = Literal["auto", "char", "word", "whitespace", "bpe"]
Rule = Literal["char", "word", "whitespace"]


def settled_kind(kind: Kind, texts: Sequence[str]) -> Kind:
    """Return the kind of tokens that "auto" stands for, given the texts of the training part."""
    if kind != "auto":
        return kind
    return "char" if np.median([len(text) for text in texts]) <= _SHORT_TEXT else "word"


def fit_and_encode(texts: Sequence[str], rows: np.ndarray, config: DataConfig) -> tuple[Tokenizer, list[np.ndarray]]:
    """Return a tokeniser of some of the texts, and the ids of all of them.

    Args:
        texts: All texts, without line ends.
        rows: Indices of those that the vocabulary is made of.
        config: How they are cut; nothing is left open.

    Raises:
        DataError: When no token is frequent enough.
    """
    assert config.tokenizer != "auto"
    if config.tokenizer == "bpe":
        tokenizer = build_tokenizer([texts[row] for row in rows], "bpe", max_vocab_size=config.max_vocab_size)
        return tokenizer, encode(texts, tokenizer)
    lowercase, min_count = bool(config.lowercase), config.min_count or 1
    numbers, symbols = _number(texts, config.tokenizer, lowercase=lowercase)
    counts = np.bincount(np.concatenate([numbers[row] for row in rows]), minlength=len(symbols) + 1)
    vocabulary = Vocabulary.select(symbols, counts[1:], min_count=min_count, max_size=config.max_vocab_size)
    if not vocabulary.known:
        raise DataError(
            f"expected tokens that occur at least {min_count} times in the training part, got none",
            hint="use more data, or a smaller min_count",
        )
    ids = _look_up(numbers, symbols, vocabulary)
    if config.tokenizer == "char":
        return CharTokenizer(vocabulary, lowercase=lowercase), ids
    return WordTokenizer(vocabulary, config.tokenizer, lowercase=lowercase), ids


def encode(texts: Sequence[str], tokenizer: Tokenizer) -> list[np.ndarray]:
    """Return the ids of texts without line ends, as the tokeniser gives them: int32 of shape (n,) each."""
    if isinstance(tokenizer, CharTokenizer | WordTokenizer):
        numbers, symbols = _number(texts, cast(Rule, tokenizer.kind), lowercase=tokenizer.lowercase)
        return _look_up(numbers, symbols, tokenizer.vocabulary)
    assert isinstance(tokenizer, BPETokenizer)
    return [tokenizer.encode(text).astype(np.int32) for text in texts]


def _look_up(numbers: list[np.ndarray], symbols: Sequence[str], vocabulary: Vocabulary) -> list[np.ndarray]:
    table = table_of(vocabulary, symbols).astype(np.int32)
    return [table[each] for each in numbers]


def _number(texts: Sequence[str], rule: Rule, *, lowercase: bool) -> tuple[list[np.ndarray], list[str]]:
    """Return numbers from 1 on for the tokens of each text, and the token of each number."""
    if rule == "char":
        characters = CharNumbering(lowercase=lowercase)
        return [characters.number(text) for text in texts], characters.symbols
    # tokens never go across white space, and of the runs between it most have been seen before
    runs, tokens = SymbolNumbering(), SymbolNumbering()
    runs_of_texts = [runs.number(text.split()) for text in texts]
    units = split_units(LINE_END.join(runs.symbols), rule)
    tokens.number([LINE_END])  # number 1, which ends each run
    numbers = tokens.number([unit.lower() for unit in units] if lowercase else units)
    is_end = numbers == 1
    num_tokens = np.bincount(np.cumsum(is_end)[~is_end] + 1, minlength=len(runs) + 1)
    begins, flat = np.cumsum(num_tokens) - num_tokens, numbers[~is_end]
    return [_expand(each, num_tokens, begins, flat) for each in runs_of_texts], tokens.symbols


def _expand(runs: np.ndarray, num_tokens: np.ndarray, begins: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Return the tokens of a text, given its runs, and for each run where its tokens stand in ``flat``."""
    counts = num_tokens[runs]
    ends = np.cumsum(counts)
    places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins[runs] - (ends - counts), counts)
    tokens: np.ndarray = flat[places]
    return tokens


__all__ = ["encode", "fit_and_encode", "settled_kind"]
