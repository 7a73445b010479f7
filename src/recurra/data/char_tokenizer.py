"""Characters as tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from recurra.data.symbol_decoder import SymbolDecoder
from recurra.data.tokenizer_files import save_tokenizer
from recurra.data.units import code_points, lowercase_chars
from recurra.data.vocabulary import BOS_ID, EOS_ID, LINE_END, PAD_ID, SPECIAL_SYMBOLS, UNK_ID, Vocabulary
from recurra.errors import VocabularyError

_UNKNOWN = "\ufffd"
# the characters of the special ids; those of <pad> and <bos> are never looked up
_SPECIAL_CHARACTERS = _UNKNOWN * EOS_ID + LINE_END


class CharTokenizer:
    r"""Takes every character (code point) for a token; lone surrogates are characters, too.

    Args:
        vocabulary: Known symbols of one character each.
        lowercase: Put text in lower case first, each character by itself.

    Raises:
        VocabularyError: When a known symbol is not one character.

    Example:
        >>> tokenizer = CharTokenizer(Vocabulary("abc"))
        >>> tokenizer.encode("cab?\n")
        array([6, 4, 5, 1, 3])
        >>> tokenizer.decode([6, 4, 5, 3])
        'cab\n'
    """

    kind = "char"
    unit = "character"

    def __init__(self, vocabulary: Vocabulary, *, lowercase: bool = False) -> None:
        for symbol in vocabulary.known:
            if len(symbol) != 1:
                raise VocabularyError(f"CharTokenizer expected symbols of one character each, got {symbol!r}")
        self.vocabulary, self.lowercase = vocabulary, lowercase

    def __len__(self) -> int:
        """Number of ids, those of the special symbols included."""
        return len(self.vocabulary)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the vocabulary and of whether text is put in lower case, in hexadecimal digits."""
        return hashlib.sha256(f"char {self.lowercase} {self.vocabulary.fingerprint}".encode()).hexdigest()

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of the characters of ``text``: int64 of shape ``(len(text),)``."""
        return self._lookup(code_points(self._prepared(text)))

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """Return the text of ``ids``; ``<unk>`` becomes U+FFFD, ``<pad>`` and ``<bos>`` nothing.

        Raises:
            VocabularyError: When an id is not one of the vocabulary.
        """
        numbers = self.vocabulary.checked_ids(ids)
        shown = numbers[(numbers != PAD_ID) & (numbers != BOS_ID)]
        return str(self._code_of_id[shown].tobytes(), "utf-32-le", "surrogatepass")

    def decoder(self) -> SymbolDecoder:
        """Return a new decoder for ids that come one by one."""
        return SymbolDecoder(("", _UNKNOWN, "", LINE_END, *self.vocabulary.known))

    def unknown_in(self, text: str) -> list[str]:
        """Return the distinct characters of ``text`` that have no id, in the order in which they first occur."""
        codes = code_points(self._prepared(text))
        distinct, first = np.unique(codes[self._lookup(codes) == UNK_ID], return_index=True)
        return [chr(code) for code in distinct[np.argsort(first)]]

    def save(self, folder: str | Path) -> None:
        """Write ``vocab.json`` into ``folder``."""
        save_tokenizer(folder, self.kind, self.lowercase, self.vocabulary)

    def _prepared(self, text: str) -> str:
        return lowercase_chars(text) if self.lowercase else text

    def _lookup(self, codes: np.ndarray) -> np.ndarray:
        # larger codes than the table has are looked up in its last place, which is unknown
        ids: np.ndarray = self._id_of_code[np.minimum(codes, len(self._id_of_code) - 1)]
        return ids

    @cached_property
    def _code_of_id(self) -> np.ndarray:
        return code_points(_SPECIAL_CHARACTERS + "".join(self.vocabulary.known))

    @cached_property
    def _id_of_code(self) -> np.ndarray:
        codes = self._code_of_id[EOS_ID:]
        table = np.full(int(codes.max()) + 2, UNK_ID, np.int64)
        table[codes] = np.arange(EOS_ID, len(SPECIAL_SYMBOLS) + len(self.vocabulary.known))
        return table


__all__ = ["CharTokenizer"]
