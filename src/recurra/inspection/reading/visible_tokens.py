"""Tokens as signs that can be seen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from recurra.inspection.terminal_columns import columns

MARKS = {" ": ("␣", "space"), "\n": ("⏎", "line end"), "\t": ("⇥", "tab")}
"""What stands for a character that cannot be seen, and what that is."""

_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))
"""They choose a form of the character before them, of which nobody sees that it was chosen."""
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159")
"""Fillers, joiners and empty signs, which count as printable and show nothing."""
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
_FIRST_STRONG_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"


def visible(token: str) -> str:
    r"""Return a token with every character to be seen.

    Spaces and line ends become ``␣`` and ``⏎``, other characters without a form of their own escapes such as ``\x00``;
    what combines with the character before it stands on a dotted circle where nothing is before it.

    Example:
        >>> visible(" noir\n"), visible("\x00"), visible("\u0301"), visible("\ufe0f")
        ('␣noir⏎', '\\x00', '◌́', '\\ufe0f')
    """
    shown = "".join(map(_visible_character, token))
    return f"◌{shown}" if shown and _combines(shown[0]) else shown


def _visible_character(character: str) -> str:
    if character in MARKS:
        return MARKS[character][0]
    return character.encode("unicode_escape").decode("ascii") if _is_unseen(character) else character


def _is_unseen(character: str) -> bool:
    is_selector = any(ord(character) in numbers for numbers in _SELECTORS)
    return is_selector or character in _BLANKS or not character.isprintable()


def _combines(character: str) -> bool:
    # vowels of Korean syllables are letters, and yet take no column of their own
    return unicodedata.category(character).startswith("M") or not columns(character)


def isolated(text: str) -> str:
    """Return a text whose letters from right to left do not turn around what stands beside it.

    Signs that take no column and that terminals with both directions obey are put around it, where it has such letters.
    """
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_END_OF_ISOLATE}"
    return text


def marks_line(tokens: Iterable[str]) -> str:
    """Return what the marks in some tokens stand for; nothing where there are none."""
    characters = set("".join(tokens))
    return ", ".join(f"{mark} {meaning}" for character, (mark, meaning) in MARKS.items() if character in characters)
