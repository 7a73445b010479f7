"""Words in a text: how many of those that a model wrote does the training text know?"""

from __future__ import annotations

import math
import re

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


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
