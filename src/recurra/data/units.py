r"""Cutting text into raw units by a rule.

``"char"``: every character is a unit. ``"whitespace"``: the text is tokenised already, and its units are the runs of
anything but white space. ``"word"``: the words and the punctuation of raw text. In all of them a line end ``"\n"`` is
a unit of its own; other white space is a unit under ``"char"`` only.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain, pairwise
from typing import Literal, get_args

import numpy as np

from recurra.errors import ChoiceError, DataError

Rule = Literal["char", "word", "whitespace"]
RULES: tuple[Rule, ...] = get_args(Rule)
MAX_RUN = 1_000_000
"""Characters that may stand between two places where text can be cut."""

# what joins two parts of a word, as it stands in a pattern's brackets: apostrophes and hyphens between any characters
# of words, points and commas between digits
_LINKS = "'\u2019\\-\u2010\u2011"
_DIGIT_LINKS = ".,"
# no punctuation, symbol, white space or cased letter lies beyond these planes
_PLANES_0_AND_1 = 0x20000
_LAST_SPACE = 0x3000


def split_units(text: str, rule: Rule, *, lowercase: bool = False) -> list[str]:
    r"""Return the units of ``text``.

    Under ``"word"``, a word is a run of characters that are neither white space nor punctuation or symbol (Unicode
    categories P and S; marks belong to words). An apostrophe or hyphen joins two runs, a point or comma joins digits,
    every other punctuation character is a unit. Scripts that part no words by spaces are cut at punctuation only.

    Args:
        text: Any text.
        rule: How it is cut.
        lowercase: Whether units are given in lower case. Under ``"char"``, each character becomes one character.

    Raises:
        ChoiceError: When the rule is not among the known ones.

    Example:
        >>> split_units("Don't pay 3.50, (well-known)!\n", "word")
        ["Don't", 'pay', '3.50', ',', '(', 'well-known', ')', '!', '\n']
        >>> split_units("the <unk> 's\n", "whitespace")
        ['the', '<unk>', "'s", '\n']
    """
    if rule == "char":
        return list(lowercase_chars(text) if lowercase else text)
    split = _splitter(rule)
    units: list[str] = []
    for line in text.split("\n"):
        units += split(line)
        units.append("\n")
    units.pop()  # behind the last part there is no line end
    return [unit.lower() for unit in units] if lowercase else units


def iter_pieces(chunks: Iterable[str], rule: Rule, *, origin: str = "the text") -> Iterator[str]:
    """Yield a text that comes in chunks in pieces such that no unit goes across their borders.

    The units of the pieces are those of the text, wherever one chunk ends and the next begins.

    Args:
        chunks: The text, in parts of any size.
        rule: How it is to be cut.
        origin: What errors call the text.

    Raises:
        ChoiceError: When the rule is not among the known ones.
        DataError: When there is no place to cut at within ``MAX_RUN`` characters, other than under ``"char"``.
    """
    if rule == "char":
        yield from chunks
        return
    any_border, last_border = _borders(rule)
    held, num_held, num_lines = [""], 0, 0
    for part in _iter_parts(chunks):
        first = any_border.search(part)
        if num_held + (first.start() if first else len(part)) > MAX_RUN:
            raise DataError(
                f"expected a border between {'words' if rule == 'word' else 'tokens'} within {MAX_RUN:,} characters, "
                f"got a longer run in line {num_lines + 1} of {origin}",
                hint='use tokenizer = "char" or "bpe"',
            )
        last = last_border.match(part) if first else None
        cut = last.end() if last else 0
        if cut:
            piece = "".join([*held, part[:cut]])
            num_lines += piece.count("\n")
            held, num_held = [], 0
            yield piece
        held.append(part[cut:])
        num_held += len(part) - cut
    if num_held:
        yield "".join(held)


def unit_ends(text: str, units: list[str]) -> np.ndarray:
    """Return where in ``text`` each of its units ends, offsets behind the unit; int64 of shape ``(len(units),)``.

    Args:
        text: Text that was cut by ``"word"`` or ``"whitespace"``.
        units: All of its units as they stand there, not in lower case.
    """
    if not units:
        return np.zeros(0, np.int64)
    # the units hold every character that is no white space, so their lengths say which of those is the last of each
    is_space = np.take(_spaces(), code_points(text), mode="clip")
    lengths = np.fromiter(map(len, units), np.int64, len(units))
    ends: np.ndarray = np.flatnonzero(~is_space)[np.cumsum(lengths) - 1] + 1
    return ends


def lowercase_chars(text: str) -> str:
    """Return ``text`` in lower case, of the same length: every character becomes one character by itself."""
    return str(lowercase_codes(code_points(text)).tobytes(), "utf-32-le", "surrogatepass")


def lowercase_codes(codes: np.ndarray) -> np.ndarray:
    """Return the code points of the lower case, one for one, uint32 of the same shape."""
    return np.take(_lower_codes(), codes, mode="clip")  # "clip" spares NumPy a check with a buffer


def code_points(text: str) -> np.ndarray:
    """Return the code points of ``text``, uint32 of shape ``(len(text),)``."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _splitter(rule: Rule) -> Callable[[str], Iterable[str]]:
    """Return what cuts one line without its end."""
    if rule == "word":
        return _split_words
    if rule == "whitespace":
        return str.split
    raise ChoiceError("rule", rule, RULES)


def _split_words(line: str) -> Iterable[str]:
    return chain.from_iterable(map(_known_runs().__getitem__, line.split()))


class _Runs(dict[str, list[str]]):
    """The words and punctuation of runs without white space; most runs of a text have been seen before."""

    _MAX_RUNS, _MAX_LENGTH = 1 << 17, 64

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._split = pattern.findall

    def __missing__(self, run: str) -> list[str]:
        parts = self._split(run)
        if len(run) <= self._MAX_LENGTH:
            if len(self) >= self._MAX_RUNS:
                self.clear()
            self[run] = parts
        return parts


@cache
def _known_runs() -> _Runs:
    return _Runs(_word_pattern())


def _iter_parts(chunks: Iterable[str]) -> Iterator[str]:
    for chunk in chunks:
        for begin in range(0, len(chunk), MAX_RUN):
            yield chunk[begin : begin + MAX_RUN]


@cache
def _word_pattern() -> re.Pattern[str]:
    run = f"[{_word_chars()}]+"
    links = f"(?:[{_LINKS}]{run}|(?<=\\d)[{_DIGIT_LINKS}](?=\\d){run})*"
    return re.compile(f"{run}{links}|\\S")


@cache
def _borders(rule: Rule) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return a pattern of the characters behind which text can be cut, and one that ends behind the last of them."""
    if rule == "word":
        # white space, and what is a unit by itself whatever stands around it
        border = f"[^{_word_chars()}{_LINKS}{_DIGIT_LINKS}]"
    elif rule == "whitespace":
        border = r"\s"
    else:
        raise ChoiceError("rule", rule, RULES)
    return re.compile(border), re.compile(f"(?s:.*){border}")


@cache
def _word_chars() -> str:
    """Return the inside of a pattern's brackets that stands for what is neither white space nor punctuation.

    Patterns look this set up quickly: its part below 0x10000 is a table, which comes before the ranges above.
    """
    others = [-1, *(code for code in range(_PLANES_0_AND_1) if _is_other(chr(code))), sys.maxunicode + 1]
    ranges = [(before + 1, behind - 1) for before, behind in pairwise(others) if before + 1 < behind]
    return "".join(f"\\U{begin:08x}-\\U{end:08x}" for begin, end in ranges)


def _is_other(char: str) -> bool:
    return char.isspace() or unicodedata.category(char)[0] in "PS"


@cache
def _spaces() -> np.ndarray:
    """Return for each code whether it is white space other than a line end; the last entry is for all larger ones."""
    spaces = np.zeros(_LAST_SPACE + 2, bool)
    spaces[[code for code in range(_LAST_SPACE + 1) if chr(code).isspace() and chr(code) != "\n"]] = True
    return spaces


@cache
def _lower_codes() -> np.ndarray:
    codes = np.arange(sys.maxunicode + 1, dtype="<u4")
    # the one lower case of several characters begins with the letter that Unicode calls the simple lower case
    codes[:_PLANES_0_AND_1] = [ord(chr(code).lower()[0]) for code in range(_PLANES_0_AND_1)]
    return codes


__all__ = [
    "MAX_RUN",
    "RULES",
    "Rule",
    "code_points",
    "iter_pieces",
    "lowercase_chars",
    "lowercase_codes",
    "split_units",
    "unit_ends",
]
