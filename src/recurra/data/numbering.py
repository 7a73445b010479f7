"""Numbering symbols from 1 on, by first occurrence."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from recurra.data.units import code_points, lowercase_codes


class CharNumbering:
    """Numbers characters.

    Args:
        lowercase: Whether they are numbered in lower case.

    Attributes:
        symbols: The characters of the numbers 1, 2, ...
    """

    def __init__(self, *, lowercase: bool = False) -> None:
        self.symbols: list[str] = []
        self._lowercase = lowercase
        self._number_of_code = np.zeros(sys.maxunicode + 1, np.uint32)

    def number(self, text: str) -> np.ndarray:
        """Return the numbers of the characters of ``text``, uint32; new characters get new ones."""
        codes = code_points(text)
        if self._lowercase:
            codes = lowercase_codes(codes)
        # every code point has its place, and "clip" spares NumPy a check with a buffer
        numbers = np.take(self._number_of_code, codes, mode="clip")
        if not numbers.all():
            self._admit(codes[numbers == 0])
            numbers = np.take(self._number_of_code, codes, mode="clip")
        return numbers

    def _admit(self, codes: np.ndarray) -> None:
        new, first = np.unique(codes, return_index=True)
        new = new[np.argsort(first)]
        start = len(self.symbols) + 1
        self._number_of_code[new] = np.arange(start, start + len(new))
        self.symbols.extend(map(chr, new))


class SymbolNumbering:
    """Numbers strings of any kind."""

    def __init__(self) -> None:
        self._numbers = _Numbers()

    @property
    def symbols(self) -> list[str]:
        """The strings of the numbers 1, 2, ..."""
        return list(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, symbols: Sequence[str]) -> np.ndarray:
        """Return the numbers of ``symbols``, uint32; new symbols get new ones."""
        return np.fromiter(map(self._numbers.__getitem__, symbols), np.uint32, len(symbols))


class _Numbers(dict[str, int]):
    def __missing__(self, symbol: str) -> int:
        number = self[symbol] = len(self) + 1
        return number


__all__ = ["CharNumbering", "SymbolNumbering"]
