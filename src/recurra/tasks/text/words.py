"""Words in a text: how many of those that a model wrote does the training text know?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_INSIDE = re.compile(r"[^\W\d_]|['\u2019]")


def words(text: str) -> list[str]:
    """Return the runs of letters in a text, in lower case; an apostrophe inside a word belongs to it.

    Example:
        >>> words("Don't go, 3 wolves!")
        ["don't", 'go', 'wolves']
    """
    return _WORD.findall(text.lower())


def known_word_share(text: str, known: frozenset[str]) -> float:
    """Return the share of a text's words that are among the known ones; NaN when it has no words."""
    found = words(text)
    return sum(word in known for word in found) / len(found) if found else math.nan


def distinct_words(pieces: Iterable[str]) -> frozenset[str]:
    """Return the distinct words of a text that comes in pieces, which may be cut anywhere.

    Example:
        >>> sorted(distinct_words(["To be, or n", "ot to be"]))
        ['be', 'not', 'or', 'to']
    """
    found: set[str] = set()
    rest = ""
    for piece in pieces:
        text = rest + piece
        cut = _last_border(text)
        found.update(words(text[:cut]))
        rest = text[cut:]
    found.update(words(rest))
    return frozenset(found)


def _last_border(text: str) -> int:
    """Return the place after the last character that is in no word; the text's end where all of them may be."""
    for end in range(len(text), 0, -1):
        if not _INSIDE.match(text[end - 1]):
            return end
    return len(text)
