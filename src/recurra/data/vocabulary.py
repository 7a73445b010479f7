"""Symbols and their numbers."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from recurra.errors import ArgumentError, VocabularyError

PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3
SPECIAL_SYMBOLS = ("<pad>", "<unk>", "<bos>", "<eos>")
LINE_END = "\n"
_SURROGATES = re.compile("[\ud800-\udfff]")
# what text may hold of the names above; padding and beginnings are never part of a text
_SPECIAL_IN_TEXT = {"<unk>": UNK_ID, "<eos>": EOS_ID, LINE_END: EOS_ID}
_FORMAT = "recurra-vocabulary"
_VERSION = 2


@dataclass(frozen=True)
class Vocabulary:
    r"""Symbols in a fixed order, numbered from 4 on, behind the four special ones that every vocabulary has.

    The special symbols are ``<pad>`` 0, ``<unk>`` 1 (stands for every symbol that is not known), ``<bos>`` 2 and
    ``<eos>`` 3, which is the line end ``"\n"``. Vocabularies are equal when their symbols are, in their order.

    Args:
        known: Distinct symbols in the order of their ids 4, 5, ...; a string will do for single characters.
        counts: How often the symbol of each id occurs in the text that the vocabulary was made from, the special ones
            included; that of ``<unk>`` counts what was left out.

    Raises:
        VocabularyError: When a symbol occurs twice, is empty, no string, a special name, or holds a line end, or when
            ``counts`` has another length than the vocabulary.

    Example:
        >>> vocabulary = Vocabulary(["to", "be", "or"])
        >>> len(vocabulary), vocabulary.symbols
        (7, ('<pad>', '<unk>', '<bos>', '<eos>', 'to', 'be', 'or'))
        >>> vocabulary.index("be"), vocabulary.index("not"), vocabulary.index("\n")
        (5, 1, 3)
        >>> vocabulary.indices(["to", "be", "or", "not", "to", "be"])
        array([4, 5, 6, 1, 4, 5])
    """

    known: tuple[str, ...]
    counts: tuple[int, ...] | None = field(default=None, compare=False, repr=False)

    def __init__(self, known: Iterable[str], counts: Iterable[int] | None = None) -> None:
        symbols = tuple(known)
        _check_symbols(symbols)
        object.__setattr__(self, "known", symbols)
        object.__setattr__(self, "counts", None if counts is None else _checked_counts(counts, len(self)))

    def __len__(self) -> int:
        """Number of ids, those of the special symbols included."""
        return len(self.known) + len(SPECIAL_SYMBOLS)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of each id, the special ones first."""
        return SPECIAL_SYMBOLS + self.known

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the symbols in their order, in hexadecimal digits."""
        # no symbol holds a line end
        content = LINE_END.join(self.symbols).encode("utf-8", "surrogatepass")
        return hashlib.sha256(f"{_FORMAT} {_VERSION}\0".encode() + content).hexdigest()

    def index(self, symbol: str) -> int:
        r"""Return the id of ``symbol`` as it stands in a text: that of ``<unk>`` if it is not known.

        ``"\n"`` and ``"<eos>"`` are the line end. ``"<pad>"`` and ``"<bos>"`` are never part of a text, hence unknown.
        """
        return self._index_of_symbol.get(symbol, UNK_ID)

    def indices(self, symbols: Sequence[str]) -> np.ndarray:
        """Return the ids of ``symbols``, as ``index`` gives them; int64 of shape ``(len(symbols),)``."""
        table = self._index_of_symbol
        return np.fromiter((table.get(symbol, UNK_ID) for symbol in symbols), np.int64, len(symbols))

    def checked_ids(self, ids: Iterable[int] | np.ndarray) -> np.ndarray:
        """Return ``ids`` as an array of integers that are all ids of this vocabulary.

        Raises:
            VocabularyError: When an id is outside ``0 .. len(self) - 1``, or no integer.
        """
        numbers = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
        if numbers.size == 0:
            return np.zeros(0, np.int64)
        if numbers.dtype.kind not in "iu":
            raise VocabularyError(f"Vocabulary expected integer ids, got {numbers.dtype}")
        outside = (numbers < 0) | (numbers >= len(self))
        if outside.any():
            wrong = int(numbers[outside][0])
            raise VocabularyError(f"Vocabulary expected ids from 0 to {len(self) - 1}, got {wrong}")
        return numbers

    def match(self, other: Vocabulary) -> np.ndarray:
        """Return for each own id the id of the same symbol in ``other``, or -1; int64 of shape ``(len(self),)``.

        The special symbols match each other. Rows of a weight then move by symbol:
        ``own[match >= 0] = others[match[match >= 0]]``.
        """
        indices = other.indices(self.known)
        indices[indices == UNK_ID] = -1
        return np.concatenate([np.arange(len(SPECIAL_SYMBOLS)), indices])

    @classmethod
    def select(
        cls,
        symbols: Sequence[str],
        counts: Sequence[int] | np.ndarray,
        *,
        min_count: int = 1,
        max_size: int | None = None,
    ) -> Vocabulary:
        r"""Return the vocabulary of a text, made from the symbols that were found and how often each of them occurs.

        Symbols are numbered from the most frequent to the least, equally frequent ones by first occurrence. The line
        end and the special names are left out of the known symbols; their counts go to the special ids.

        Args:
            symbols: Distinct symbols in the order in which they first occur.
            counts: How often each occurs in the part that the vocabulary is made from; shape ``(len(symbols),)``.
            min_count: Symbols that occur less often are left out; at least 1.
            max_size: How many known symbols there may be, the special ones not counted; the most frequent are kept,
                of equally frequent ones those that occur first. ``None`` means all.

        Raises:
            ArgumentError: When an argument lies outside its range.
        """
        frequency = np.asarray(counts, np.int64)
        _check_selection(len(symbols), frequency, min_count, max_size)
        is_line_end = np.array([symbol in (LINE_END, SPECIAL_SYMBOLS[EOS_ID]) for symbol in symbols], bool)
        is_special = is_line_end | np.array([symbol in SPECIAL_SYMBOLS for symbol in symbols], bool)
        candidates = np.flatnonzero(~is_special & (frequency >= min_count))
        kept = candidates[np.argsort(-frequency[candidates], kind="stable")][:max_size]
        num_line_ends = int(frequency[is_line_end].sum())
        num_unknown = int(frequency.sum()) - num_line_ends - int(frequency[kept].sum())
        known_counts = frequency[kept].tolist()
        return cls((symbols[position] for position in kept), (0, num_unknown, 0, num_line_ends, *known_counts))

    def to_content(self) -> dict[str, Any]:
        """Return the vocabulary as an object of plain lists and numbers, as JSON holds them."""
        return {"format": _FORMAT, "version": _VERSION, "symbols": self.known, "counts": self.counts}

    @classmethod
    def from_content(cls, content: object, *, origin: str = "the text") -> Vocabulary:
        """Read what ``to_content`` gave; ``origin`` names it in errors.

        Raises:
            VocabularyError: When it is no vocabulary, or one of another version.
        """
        if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
            raise VocabularyError(f"expected a vocabulary in {origin}, got other JSON")
        version = content.get("version")
        if version == 1:
            raise VocabularyError(
                f"expected a vocabulary of version {_VERSION} in {origin}, got one written by an earlier version",
                hint="train anew: its ids mean other symbols now",
            )
        if version != _VERSION:
            raise VocabularyError(f"expected a vocabulary of version {_VERSION} in {origin}, got version {version!r}")
        symbols, counts = content.get("symbols"), content.get("counts")
        if not isinstance(symbols, list | tuple):
            raise VocabularyError(f"expected a list of symbols in {origin}, got {symbols!r}")
        if not isinstance(counts, list | tuple | None):
            raise VocabularyError(f"expected a list of counts in {origin}, got {counts!r}")
        return cls(symbols, counts)

    @cached_property
    def _index_of_symbol(self) -> dict[str, int]:
        table = dict(zip(self.known, range(len(SPECIAL_SYMBOLS), len(self)), strict=True))
        table.update(_SPECIAL_IN_TEXT)
        return table


def table_of(vocabulary: Vocabulary, raw_symbols: Sequence[str]) -> np.ndarray:
    """Return the id in ``vocabulary`` of every raw id; int64 of shape ``(len(raw_symbols) + 1,)``.

    Args:
        vocabulary: Where the ids are from.
        raw_symbols: The symbols of the raw ids 1, 2, ...; raw id 0 means none of them, and becomes that of ``<unk>``.
    """
    return np.concatenate([np.array([UNK_ID]), vocabulary.indices(raw_symbols)])


def _check_symbols(symbols: tuple[str, ...]) -> None:
    for symbol in symbols:
        if not isinstance(symbol, str) or not symbol or symbol in SPECIAL_SYMBOLS or LINE_END in symbol:
            raise VocabularyError(
                "Vocabulary expected symbols that are strings, not empty, without line ends and none of "
                f"{', '.join(SPECIAL_SYMBOLS)}; got {symbol!r}"
            )
        if len(symbol) > 1 and _SURROGATES.search(symbol):
            # two halves side by side would come back from JSON as one character
            raise VocabularyError(f"Vocabulary expected symbols of characters that UTF-8 can hold, got {symbol!r}")
    if len(set(symbols)) != len(symbols):
        twice, _ = Counter(symbols).most_common(1)[0]
        raise VocabularyError(f"Vocabulary expected distinct symbols, got {twice!r} twice")


def _checked_counts(counts: Iterable[int], size: int) -> tuple[int, ...]:
    numbers = tuple(counts)
    if len(numbers) != size:
        raise VocabularyError(f"Vocabulary expected counts of one number for each of {size} ids, got {len(numbers)}")
    for number in numbers:
        if not isinstance(number, int | np.integer) or number < 0:
            raise VocabularyError(f"Vocabulary expected counts that are integers from 0 on, got {number!r}")
    return tuple(map(int, numbers))


def _check_selection(num_symbols: int, counts: np.ndarray, min_count: int, max_size: int | None) -> None:
    if counts.shape != (num_symbols,):
        raise ArgumentError(
            f"Vocabulary.select expected counts of shape (len(symbols),) = ({num_symbols},), got {counts.shape}"
        )
    if min_count < 1:
        raise ArgumentError(f"Vocabulary.select expected min_count to be at least 1, got {min_count}")
    if max_size is not None and max_size < 1:
        raise ArgumentError(f"Vocabulary.select expected max_size to be at least 1, or None, got {max_size}")


__all__ = [
    "BOS_ID",
    "EOS_ID",
    "LINE_END",
    "PAD_ID",
    "SPECIAL_SYMBOLS",
    "UNK_ID",
    "Vocabulary",
    "table_of",
]
