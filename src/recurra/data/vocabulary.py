"""Characters and their numbers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recurra.errors import DataNotFoundError, VocabularyError

UNKNOWN_ID = 0
UNKNOWN_SYMBOL = "<unk>"
_REPLACEMENT = 0xFFFD
_FORMAT = "recurra-vocabulary"
_VERSION = 1


@dataclass(frozen=True)
class Vocabulary:
    r"""Characters in a fixed order, numbered from 1; 0 stands for every character that is not among them.

    Args:
        known: Distinct characters (code points) in the order of their ids 1, 2, ...; a string will do.

    Raises:
        VocabularyError: When a symbol occurs twice, or is not one character.

    Example:
        >>> vocabulary = Vocabulary("abc")
        >>> len(vocabulary), vocabulary.symbols
        (4, ('<unk>', 'a', 'b', 'c'))
        >>> vocabulary.encode("cab?")
        array([3, 1, 2, 0])
        >>> vocabulary.decode([3, 1, 2])
        'cab'
    """

    known: tuple[str, ...]

    def __init__(self, known: Iterable[str]) -> None:
        symbols = tuple(known)
        for symbol in symbols:
            if not isinstance(symbol, str) or len(symbol) != 1:
                raise VocabularyError(f"Vocabulary expected symbols of one character each, got {symbol!r}")
        if len(set(symbols)) != len(symbols):
            twice = next(symbol for position, symbol in enumerate(symbols) if symbol in symbols[:position])
            raise VocabularyError(f"Vocabulary expected distinct symbols, got {twice!r} twice")
        object.__setattr__(self, "known", symbols)

    def __len__(self) -> int:
        """Number of ids, that of the unknown symbol included."""
        return len(self.known) + 1

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of each id; that of id 0 is ``<unk>``."""
        return (UNKNOWN_SYMBOL, *self.known)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the symbols in their order, in hexadecimal digits."""
        return hashlib.sha256(b"recurra-vocabulary\0" + _code_points("".join(self.known)).tobytes()).hexdigest()

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of the characters of ``text``, int64 of shape ``(len(text),)``; 0 where one is unknown."""
        ids: np.ndarray = self._id_of_code[np.minimum(_code_points(text), len(self._id_of_code) - 1)]
        return ids

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """Return the text of ``ids``; the unknown symbol becomes U+FFFD.

        Raises:
            VocabularyError: When an id is outside ``0 .. len(self) - 1``, or no integer.
        """
        numbers = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
        if numbers.size == 0:
            return ""
        if numbers.dtype.kind not in "iu":
            raise VocabularyError(f"Vocabulary expected integer ids, got {numbers.dtype}")
        outside = (numbers < 0) | (numbers >= len(self))
        if outside.any():
            wrong = int(numbers[outside][0])
            raise VocabularyError(f"Vocabulary expected ids from 0 to {len(self) - 1}, got {wrong}")
        return str(self._code_of_id[numbers].tobytes(), "utf-32-le", "surrogatepass")

    def unknown_in(self, text: str) -> list[str]:
        """Return the distinct characters of ``text`` that have no id, in the order in which they first occur."""
        codes = _code_points(text)
        unknown = codes[self.encode(text) == UNKNOWN_ID]
        distinct, first = np.unique(unknown, return_index=True)
        return [chr(code) for code in distinct[np.argsort(first)]]

    def match(self, other: Vocabulary) -> np.ndarray:
        """Return for each own id the id of the same symbol in ``other``, or -1; int64 of shape ``(len(self),)``.

        The unknown symbols match each other. Rows of a weight then move by symbol:
        ``own[match >= 0] = others[match[match >= 0]]``.
        """
        indices = other.encode("".join(self.known))
        indices[indices == UNKNOWN_ID] = -1
        return np.concatenate([np.array([UNKNOWN_ID]), indices])

    def to_json(self) -> str:
        """Return the vocabulary as JSON text that is pure UTF-8 even for lone surrogates."""
        content = {"format": _FORMAT, "version": _VERSION, "unknown": UNKNOWN_SYMBOL, "symbols": self.known}
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        # what UTF-8 cannot hold turns into the escape that JSON has for it
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    @classmethod
    def from_json(cls, text: str, *, origin: str = "the text") -> Vocabulary:
        """Read what ``to_json`` wrote; ``origin`` names it in errors.

        Raises:
            VocabularyError: When the text is no vocabulary, or one of a later version.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise VocabularyError(f"expected a vocabulary in {origin}, got broken JSON: {error}") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise VocabularyError(f"expected a vocabulary in {origin}, got other JSON")
        if content.get("version") != _VERSION:
            got = content.get("version")
            raise VocabularyError(f"expected a vocabulary of version {_VERSION} in {origin}, got version {got!r}")
        symbols = content.get("symbols")
        if not isinstance(symbols, list):
            raise VocabularyError(f"expected a list of symbols in {origin}, got {symbols!r}")
        return cls(symbols)

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as JSON, aside first, so that ``path`` is whole at every moment."""
        path = Path(path)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            aside.write_text(self.to_json(), encoding="utf-8", newline="\n")
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read a vocabulary that ``save`` wrote.

        Raises:
            DataNotFoundError: When the file is not there.
            VocabularyError: When the file holds something else.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise DataNotFoundError(f"expected a vocabulary at {path}, got nothing: no such file") from error
        except UnicodeDecodeError as error:
            raise VocabularyError(f"expected a vocabulary in {path}, got no UTF-8: {error.reason}") from error
        return cls.from_json(text, origin=str(path))

    @cached_property
    def _code_of_id(self) -> np.ndarray:
        return np.concatenate([np.array([_REPLACEMENT], "<u4"), _code_points("".join(self.known))])

    @cached_property
    def _id_of_code(self) -> np.ndarray:
        codes = self._code_of_id[1:]
        # one entry more than the largest code: all larger codes are looked up there
        table = np.zeros(int(codes.max(initial=0)) + 2, np.int64)
        table[codes] = np.arange(1, len(self))
        return table


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


__all__ = ["UNKNOWN_ID", "UNKNOWN_SYMBOL", "Vocabulary"]
