"""What is done to the text of both sides before it is cut into tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from recurra.errors import ArgumentError
from recurra.tasks.translate.config import DataConfig

_SENTENCE_ENDS = ".!?"


def prepare(texts: Sequence[str], config: DataConfig) -> list[str]:
    """Return texts as a configuration wants them: in lower case or in ASCII, without white space at the ends.

    Raises:
        ArgumentError: When a text holds a line break.
    """
    if config.normalization == "ascii":
        return to_ascii(texts)
    _check_lines(texts)
    return [text.strip().lower() for text in texts] if config.lowercase else [text.strip() for text in texts]


def to_ascii(texts: Sequence[str]) -> list[str]:
    """Return texts with nothing but the letters a to z, the marks . ! ? each behind a space, and single spaces.

    Raises:
        ArgumentError: When a text holds a line break.

    Example:
        >>> to_ascii(["Où est-il ?", "It's the Straße."])
        ['ou est il ?', 'it s the stra e .']

    Source: normalizeString in the PyTorch tutorial "NLP from scratch: translation with a sequence to sequence network".
    """
    _check_lines(texts)
    # one text at a time would take several times as long
    joined = unicodedata.normalize("NFD", "\n".join(texts).lower())
    plain = joined.translate({ord(char): _plain(char) for char in set(joined)})
    return [" ".join(line.split()) for line in plain.split("\n")] if texts else []


def _plain(char: str) -> str:
    if "a" <= char <= "z" or char == "\n":
        return char
    if char in _SENTENCE_ENDS:
        return f" {char}"
    return "" if unicodedata.category(char) == "Mn" else " "


def _check_lines(texts: Sequence[str]) -> None:
    broken = next((text for text in texts if "\n" in text), None)
    if broken is not None:
        raise ArgumentError(f"expected sentences without line breaks, got {broken[:60]!r}", hint="give each line apart")
