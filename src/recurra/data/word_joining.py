"""Words and punctuation put together as people write them."""

from __future__ import annotations

from typing import Literal

from recurra.data.vocabulary import LINE_END

_NO_SPACE_BEFORE = frozenset(",.;:!?)]}%’…”")
_NO_SPACE_AFTER = frozenset("([{")
# an opening quotation mark, and what may close it: English, German, French and Swedish ways to quote
_CLOSERS = {'"': '"', "'": "'", "“": "”", "‘": "’", "„": "“”", "‚": "‘’", "«": "»", "»": "«»"}


class WordJoiner:
    r"""Puts a space before each unit where one belongs.

    No space stands around line ends, before closing signs, behind opening ones, or between two of the same sign
    (``--``). With rule ``"whitespace"`` only the first holds. Straight quotation marks open and close in turns, from
    the beginning of each line.

    Args:
        rule: How the text was cut: ``"word"`` or ``"whitespace"``.

    Example:
        >>> join = WordJoiner("word")
        >>> "".join(map(join, ["He", "said", ":", '"', "Yes", "(", "now", ")", "!", '"', "\n", "She", "left", "."]))
        'He said: "Yes (now)!"\nShe left.'
    """

    def __init__(self, rule: Literal["word", "whitespace"]) -> None:
        self._typographic = rule == "word"
        self._before = LINE_END
        self._holds = False  # the sign before holds on to what follows
        self._open: list[str] = []  # quotation marks that wait for their second half

    def __call__(self, unit: str) -> str:
        """Return ``unit``, with a space in front where it needs one behind the units before it."""
        spaced = self._needs_space(unit) if self._typographic else LINE_END not in (unit, self._before)
        self._before = unit
        return f" {unit}" if spaced else unit

    def _needs_space(self, unit: str) -> bool:
        held = self._holds or self._before == LINE_END
        self._holds = False
        if unit == LINE_END:
            self._open.clear()
            return False
        if self._closes_quote(unit):
            return False
        if unit in _CLOSERS:
            self._open.append(unit)
            self._holds = True
            return not held
        self._holds = unit in _NO_SPACE_AFTER
        doubled = unit == self._before and len(unit) == 1 and not unit.isalnum()
        return not (held or doubled or unit in _NO_SPACE_BEFORE)

    def _closes_quote(self, unit: str) -> bool:
        for position in reversed(range(len(self._open))):
            if unit in _CLOSERS[self._open[position]]:
                del self._open[position:]
                return True
        return False


__all__ = ["WordJoiner"]
