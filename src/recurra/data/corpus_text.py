"""The text of a corpus of characters, from its ids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recurra.data.corpus import Corpus
from recurra.data.lines import Lines, iter_tokens
from recurra.data.vocabulary import LINE_END

_BLOCK_CHARS = 1 << 20


def iter_characters(corpus: Corpus, start: int, stop: int) -> Iterator[str]:
    """Yield the text of a range of a corpus of characters, in blocks."""
    codes = _codes(corpus)
    corpus.ids(start, stop)  # checks the range, which may be empty
    for begin in range(start, stop, _BLOCK_CHARS):
        yield _text(codes[corpus.ids(begin, min(begin + _BLOCK_CHARS, stop))])


def iter_line_characters(corpus: Corpus, lines: Lines) -> Iterator[str]:
    """Yield the text of some lines of a corpus of characters, each with a line end behind it, in blocks."""
    codes = _codes(corpus)
    for owners, within, places in iter_tokens(lines):
        behind = np.flatnonzero(within + 1 == lines.lengths[owners]) + 1
        yield _text(np.insert(codes[corpus.raw[places]], behind, ord(LINE_END)))


def _codes(corpus: Corpus) -> np.ndarray:
    """Return the code point of each raw id, uint32 of shape (number of symbols + 1,)."""
    return np.array([0, *map(ord, corpus.symbols)], "<u4")


def _text(codes: np.ndarray) -> str:
    return str(codes.tobytes(), "utf-32-le")


__all__ = ["iter_characters", "iter_line_characters"]
