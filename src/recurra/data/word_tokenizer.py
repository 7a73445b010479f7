"""Words as tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from recurra.data.symbol_decoder import SymbolDecoder
from recurra.data.tokenizer_files import save_tokenizer
from recurra.data.units import split_units
from recurra.data.vocabulary import LINE_END, SPECIAL_SYMBOLS, UNK_ID, Vocabulary
from recurra.data.word_joining import WordJoiner
from recurra.errors import ChoiceError

WordRule = Literal["word", "whitespace"]
_UNIT_OF_RULE = {"word": "word", "whitespace": "token"}
_UNKNOWN = SPECIAL_SYMBOLS[UNK_ID]


class WordTokenizer:
    r"""Cuts text into words and punctuation, or at white space where it was cut into tokens before.

    The text ``<unk>`` is the unknown symbol itself, ``<eos>`` a line end: so data sets write them.

    Args:
        vocabulary: Known words.
        rule: ``"word"`` for raw text, ``"whitespace"`` for text whose tokens stand apart already.
        lowercase: Put text in lower case first.

    Raises:
        ChoiceError: When ``rule`` is none of the two.

    Example:
        >>> tokenizer = WordTokenizer(Vocabulary(["to", "be", ",", "or", "not"]), "word", lowercase=True)
        >>> tokenizer.encode("To be, or not to bee?\n")
        array([4, 5, 6, 7, 8, 4, 1, 1, 3])
        >>> tokenizer.decode([4, 5, 6, 7, 8, 1, 3])
        'to be, or not <unk>\n'
    """

    def __init__(self, vocabulary: Vocabulary, rule: WordRule, *, lowercase: bool = False) -> None:
        if rule not in _UNIT_OF_RULE:
            raise ChoiceError("rule of WordTokenizer", rule, _UNIT_OF_RULE)
        self.vocabulary, self.kind, self.lowercase = vocabulary, rule, lowercase
        self.unit = _UNIT_OF_RULE[rule]

    def __len__(self) -> int:
        """Number of ids, those of the special symbols included."""
        return len(self.vocabulary)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the rule, the vocabulary and of whether text is put in lower case, in hexadecimal digits."""
        return hashlib.sha256(f"{self.kind} {self.lowercase} {self.vocabulary.fingerprint}".encode()).hexdigest()

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of the units of ``text``: int64 of shape ``(number of units,)``."""
        return self.vocabulary.indices(self._split(text))

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """Return the text of ``ids`` with spaces where they belong; ``<pad>`` and ``<bos>`` leave nothing.

        Raises:
            VocabularyError: When an id is not one of the vocabulary.
        """
        return "".join(map(self.decoder().feed, self.vocabulary.checked_ids(ids).tolist()))

    def decoder(self) -> SymbolDecoder:
        """Return a new decoder for ids that come one by one; each text comes with the space in front of it."""
        return SymbolDecoder(self._texts, WordJoiner(self.kind))

    def unknown_in(self, text: str) -> list[str]:
        """Return the distinct units of ``text`` that have no id, in the order in which they first occur."""
        distinct = dict.fromkeys(self._split(text))
        return [unit for unit in distinct if self.vocabulary.index(unit) == UNK_ID and unit != _UNKNOWN]

    def save(self, folder: str | Path) -> None:
        """Write ``vocab.json`` into ``folder``."""
        save_tokenizer(folder, self.kind, self.lowercase, self.vocabulary)

    def _split(self, text: str) -> list[str]:
        return split_units(text, self.kind, lowercase=self.lowercase)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return ("", _UNKNOWN, "", LINE_END, *self.vocabulary.known)


__all__ = ["WordRule", "WordTokenizer"]
