"""Parts of words as tokens: byte-level byte-pair encoding."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.json_files import read_text, replace_text
from recurra.data.subword_library import BYTE_SYMBOLS, build_library, parse_library
from recurra.data.subword_units import SURROGATES, iter_subword_units
from recurra.data.tokenizer_files import SUBWORDS_FILE
from recurra.data.vocabulary import EOS_ID, LINE_END, SPECIAL_SYMBOLS, UNK_ID, Vocabulary
from recurra.errors import ArgumentError, VocabularyError

MIN_VOCAB_SIZE = len(SPECIAL_SYMBOLS) + len(BYTE_SYMBOLS)
_SURROGATE = re.compile(f"[{SURROGATES}]")
_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))
_SPECIAL_BYTES = (b"", "\ufffd".encode(), b"", LINE_END.encode())
_LINE_END_UNIT: dict[str, tuple[int, ...]] = {LINE_END: (EOS_ID,)}
# units longer than this hardly come again
_MAX_REMEMBERED_CHARS = 40
_MAX_REMEMBERED = 500_000


class BPETokenizer:
    """Cuts text into frequent sequences of bytes; every text that UTF-8 can hold comes back as it was.

    No token goes across a line end, which is ``<eos>``. Text that looks like a special symbol is text like any other.
    Only a lone surrogate, which no file can hold, is ``<unk>``.

    Args:
        text: What ``save`` wrote: JSON in the format of the library tokenizers.
        origin: Where it is from, for errors.

    Raises:
        VocabularyError: When the text is something else, or a tokeniser with other rules than ``train_bpe`` makes.

    Source: Sennrich, Haddow, Birch 2016, Neural machine translation of rare words with subword units
    (arXiv 1508.07909), over bytes as in GPT-2 (Radford and others 2019).
    """

    kind = "bpe"
    unit = "subword"

    def __init__(self, text: str, *, origin: str = "the text") -> None:
        self._text = text
        self._open(origin)

    def _open(self, origin: str) -> None:
        self._library, symbols, merges = parse_library(self._text, origin=origin)
        self.vocabulary = Vocabulary(symbols)
        content = json.dumps(["bpe 1", symbols, merges])
        self.fingerprint = hashlib.sha256(content.encode()).hexdigest()
        self._ids_of_unit = dict(_LINE_END_UNIT)

    def __getstate__(self) -> dict[str, Any]:
        return {"_text": self._text}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._text = state["_text"]
        self._open("a pickle")

    def __len__(self) -> int:
        """Number of ids, those of the special symbols and of the 256 bytes included."""
        return len(self.vocabulary)

    @cached_property
    def char_widths(self) -> np.ndarray:
        """How many characters begin in the token of each id; int64 of shape ``(len(self),)``.

        Their sum over the ids of a text is the length of the text.
        """
        # the bytes of UTF-8 that continue a character begin none
        return np.array([len(piece.translate(None, _CONTINUATION_BYTES)) for piece in self._bytes_of_id], np.int64)

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of ``text``: int64 of shape ``(number of tokens,)``."""
        return np.concatenate([np.zeros(0, np.int64), *map(self.encode_pieces, iter_subword_units([text]))])

    def encode_pieces(self, pieces: list[str]) -> np.ndarray:
        """Return the ids of pieces that ``iter_subword_units`` gave, one behind the other: int64.

        Most pieces have been seen before, and the library takes far longer for one than a look into a table.
        """
        if len(self._ids_of_unit) > _MAX_REMEMBERED:
            self._ids_of_unit = dict(_LINE_END_UNIT)  # a new one, as other threads may still look into the old one
        known = self._ids_of_unit
        found = self._encode_each([unit for unit in dict.fromkeys(pieces) if unit not in known])
        ids = np.fromiter(chain.from_iterable(known.get(unit) or found[unit] for unit in pieces), np.int64)
        known.update((unit, its_ids) for unit, its_ids in found.items() if len(unit) <= _MAX_REMEMBERED_CHARS)
        return ids

    def _encode_each(self, units: list[str]) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {unit: (UNK_ID,) for unit in units if _SURROGATE.match(unit)}
        plain = [unit for unit in units if unit not in found]
        encodings = self._library.encode_batch_fast(plain, add_special_tokens=False)
        found.update((unit, tuple(encoding.ids)) for unit, encoding in zip(plain, encodings, strict=True))
        return found

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """Return the text of ``ids``; ``<pad>`` and ``<bos>`` leave nothing.

        ``<unk>`` and bytes that are no UTF-8 become U+FFFD.

        Raises:
            VocabularyError: When an id is not one of the vocabulary.
        """
        pieces = map(self._bytes_of_id.__getitem__, self.vocabulary.checked_ids(ids).tolist())
        return b"".join(pieces).decode("utf-8", "replace")

    def decoder(self) -> SubwordDecoder:
        """Return a new decoder for ids that come one by one; a character comes once all of its bytes are there."""
        return SubwordDecoder(self._bytes_of_id)

    def unknown_in(self, text: str) -> list[str]:
        """Return the distinct lone surrogates of ``text``, in the order in which they first occur."""
        return list(dict.fromkeys(_SURROGATE.findall(text)))

    def save(self, folder: str | Path) -> None:
        """Write ``tokenizer.json`` into ``folder``."""
        replace_text(Path(folder) / SUBWORDS_FILE, self._text)

    @classmethod
    def load(cls, folder: str | Path) -> BPETokenizer:
        """Read the ``tokenizer.json`` of ``folder``.

        Raises:
            DataNotFoundError: When the file is not there.
            VocabularyError: When it holds something else.
        """
        path = Path(folder) / SUBWORDS_FILE
        return cls(read_text(path, what="a tokenizer"), origin=str(path))

    @cached_property
    def _bytes_of_id(self) -> tuple[bytes, ...]:
        to_byte = {ord(symbol): chr(byte) for byte, symbol in enumerate(BYTE_SYMBOLS)}
        return (*_SPECIAL_BYTES, *(symbol.translate(to_byte).encode("latin-1") for symbol in self.vocabulary.known))


class SubwordDecoder:
    """Turns ids into text one by one; a character comes once all of its bytes are there."""

    def __init__(self, bytes_of_id: Sequence[bytes]) -> None:
        self._bytes_of_id = bytes_of_id
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token_id: int) -> str:
        """Return the text that ``token_id`` completes; may be empty.

        Raises:
            VocabularyError: When the id is not one of the vocabulary.
        """
        if not 0 <= token_id < len(self._bytes_of_id):
            raise VocabularyError(f"Decoder expected an id from 0 to {len(self._bytes_of_id) - 1}, got {token_id}")
        return self._utf8.decode(self._bytes_of_id[token_id])

    def flush(self) -> str:
        """Return U+FFFD where the last character lacks bytes."""
        return self._utf8.decode(b"", final=True)


def train_bpe(texts: Iterable[str], vocab_size: int) -> BPETokenizer:
    """Return the tokeniser whose merges are the most frequent ones of a text; the same for the same text.

    Args:
        texts: The text, in parts of any size.
        vocab_size: Number of ids, the special symbols and the 256 bytes included. There are fewer where the text has no
            further pair of tokens that occurs twice.

    Raises:
        ArgumentError: When ``vocab_size`` leaves no room for the special symbols and the bytes.
    """
    if vocab_size < MIN_VOCAB_SIZE:
        raise ArgumentError(
            f"train_bpe expected vocab_size to be at least {MIN_VOCAB_SIZE} ({len(SPECIAL_SYMBOLS)} special symbols "
            f"and {len(BYTE_SYMBOLS)} bytes), got {vocab_size}"
        )
    from tokenizers import trainers

    library = build_library()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_SYMBOLS),
        initial_alphabet=list(BYTE_SYMBOLS),
        show_progress=False,
    )
    # no token goes across a line end, so one may stand for what the library cannot take
    parts = (_SURROGATE.sub(LINE_END, "".join(units)) for units in iter_subword_units(texts))
    library.train_from_iterator(parts, trainer=trainer)
    return BPETokenizer(library.to_str(), origin="the trained tokenizer")


__all__ = ["MIN_VOCAB_SIZE", "BPETokenizer", "SubwordDecoder", "train_bpe"]
