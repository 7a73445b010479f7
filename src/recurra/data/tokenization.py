"""What every tokeniser offers, and how one is read from a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from recurra.data.char_tokenizer import CharTokenizer
from recurra.data.tokenizer_files import SUBWORDS_FILE, VOCABULARY_FILE, read_tokenizer
from recurra.data.vocabulary import Vocabulary
from recurra.data.word_tokenizer import WordTokenizer
from recurra.errors import DataNotFoundError, VocabularyError


class Decoder(Protocol):
    """Turns ids into text one after the other; what it returns, joined, is what ``Tokenizer.decode`` returns."""

    def feed(self, token_id: int) -> str:
        """Return the text that ``token_id`` completes; may be empty.

        Raises:
            VocabularyError: When the id is not one of the vocabulary.
        """
        ...

    def flush(self) -> str:
        """Return what is left at the end."""
        ...


class Tokenizer(Protocol):
    r"""Text as ids and back.

    The ids of all tokenisers begin with ``<pad>`` 0, ``<unk>`` 1, ``<bos>`` 2 and ``<eos>`` 3. The line end ``"\n"`` is
    always a token of its own, and is id 3; so ``encode(a + b)`` is ``encode(a)`` and ``encode(b)`` where a ends in one.
    """

    @property
    def kind(self) -> str:
        """``"char"``, ``"word"``, ``"whitespace"`` or ``"bpe"``."""
        ...

    @property
    def unit(self) -> str:
        """What one token is, for people: ``"character"``, ``"word"``, ``"token"`` or ``"subword"``."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbol of every id."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal digits of everything that the ids of a text depend on."""
        ...

    def __len__(self) -> int:
        """Number of ids, those of the special symbols included."""
        ...

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of ``text``: int64 of shape ``(number of tokens,)``, that of ``<unk>`` for what is unknown."""
        ...

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """Return the text of ``ids``; ``<pad>`` and ``<bos>`` leave nothing.

        Raises:
            VocabularyError: When an id is not one of the vocabulary.
        """
        ...

    def decoder(self) -> Decoder:
        """Return a new decoder for ids that come one by one."""
        ...

    def unknown_in(self, text: str) -> list[str]:
        """Return the distinct tokens of ``text`` that have no id, in the order in which they first occur."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write the tokeniser as one file into ``folder``, for ``load_tokenizer``."""
        ...


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """Return the tokeniser that was saved in ``folder``.

    ``tokenizer.json`` holds subwords in the format of the library tokenizers, ``vocab.json`` every other kind.

    Raises:
        DataNotFoundError: When neither file is there.
        VocabularyError: When both are there, or the one holds something else.
        ChoiceError: When the kind in ``vocab.json`` is none of the known ones.
    """
    has_subwords, has_vocabulary = ((Path(folder) / name).exists() for name in (SUBWORDS_FILE, VOCABULARY_FILE))
    if has_subwords and has_vocabulary:
        raise VocabularyError(
            f"load_tokenizer expected one of {SUBWORDS_FILE} and {VOCABULARY_FILE} in {folder}, got both",
            hint="remove the one that was not written last",
        )
    if has_subwords:
        from recurra.data.subwords import BPETokenizer

        return BPETokenizer.load(folder)
    if not has_vocabulary:
        raise DataNotFoundError(
            f"load_tokenizer expected {VOCABULARY_FILE} or {SUBWORDS_FILE} in {folder}, got neither: no such file"
        )
    kind, lowercase, vocabulary = read_tokenizer(folder)
    if kind == "char":
        return CharTokenizer(vocabulary, lowercase=lowercase)
    return WordTokenizer(vocabulary, "word" if kind == "word" else "whitespace", lowercase=lowercase)


__all__ = ["CharTokenizer", "Decoder", "Tokenizer", "WordTokenizer", "load_tokenizer"]
