r"""Names as LaTeX: letters in italics, longer names upright, what stands behind underscores as indices.

A name that this cannot show without taking something away, ``_h`` or ``x__i``, is written letter by letter. What is
left are names that come out alike though each is well written, ``h1`` and ``h_1``, ``alpha`` and ``α``: only what else
is on a page tells whether that matters, so ``look_alikes.py`` says which of them are to be written letter by letter.
"""

from __future__ import annotations

import keyword
import re
import string
from dataclasses import dataclass

from recurra.inspection.equations.plain import GREEK

# those of the capitals that do not look like Latin ones, and what plain text leaves alone
_LETTERS = {letter: name for name, letter in GREEK.items()} | {
    **{"δ": "delta", "ξ": "xi", "σ": "sigma", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi"},
    **{"Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega"},
}
_GREEK = {name: rf"\{name}" for name in _LETTERS.values() if name.lower() != "xi"}
# an index of one or two letters is a list of letters, x to i; that of a gate named in Greek may have x or h before it
_GREEK_INDEX = re.compile(rf"([xhc]?)({'|'.join(name for name in _GREEK if len(name) > 2)})(\d*)")
_NUMBERED = re.compile(r"([^\W\d_]+)(\d+)")
# parts with one underscore between them, and perhaps one behind; a δ before a letter would read as a gradient
_ORDINARY = re.compile(r"(?!δ[^\W_])[^\W_][^\W_.]*(?:[_.][^\W_]+)*_?")
_ESCAPED = {**{sign: rf"\{sign}" for sign in "_%#$&{} "}, "\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "}
_BARE = frozenset(string.ascii_letters + string.digits + ".<>|")


@dataclass(frozen=True)
class Spelling:
    """A name in LaTeX.

    Attributes:
        base: What stands on the line.
        indices: What stands below it, in turn.
    """

    base: str
    indices: tuple[str, ...] = ()


def spelling(name: str, is_literal: bool = False) -> Spelling:
    r"""Return how a name is written.

    Args:
        name: The name, without primes at its end.
        is_literal: Whether it is written letter by letter in any case.

    Example:
        >>> spelling("W_xi").indices, spelling("h_").base, spelling("_h").base
        (('xi',), '\\tilde{h}', '\\mathrm{\\_h}')
    """
    if is_literal or not _ORDINARY.fullmatch(name):
        return Spelling(literal(name))
    # what Python keeps for itself has an underscore only for that
    has_mark = name.endswith("_") and not keyword.iskeyword(name[:-1])
    base, *indices = name.rstrip("_").split("_")
    written = [*_base(base), *map(_index, indices)]
    if has_mark:
        place = -1 if indices else 0
        written[place] = rf"\tilde{{{written[place]}}}"
    return Spelling(written[0], tuple(written[1:]))


def literal(name: str) -> str:
    r"""Return a name letter by letter, with what means something to TeX escaped.

    Example:
        >>> print(literal("a b%"))
        \mathrm{a\ b\%}
    """
    return rf"\mathrm{{{''.join(map(_character, name))}}}"


def _character(character: str) -> str:
    if character in _BARE:
        return character
    if character in _ESCAPED:
        return _ESCAPED[character]
    if character in _LETTERS:
        return rf"\{_LETTERS[character]} "
    # minus and comma would get the room of operators
    return rf"\text{{{character if character.isprintable() else f'U+{ord(character):04X}'}}}"


def _base(name: str) -> list[str]:
    """Return the letter or the word of a name, and the number behind it as an index."""
    if match := _NUMBERED.fullmatch(name):
        return [_word(match[1]), match[2]]
    return [_word(name)]


def _word(name: str) -> str:
    if name in _GREEK:
        return _GREEK[name]
    if not name.isascii():
        pieces = re.split(f"([{''.join(_LETTERS)}])", name)
        if len(pieces) > 1:
            return " ".join(rf"\{_LETTERS[piece]}" if piece in _LETTERS else _word(piece) for piece in pieces if piece)
        return rf"\text{{{name}}}"
    return name if len(name) == 1 and name in string.ascii_letters else rf"\mathrm{{{name}}}"


def _index(name: str) -> str:
    if match := _GREEK_INDEX.fullmatch(name):
        return f"{match[1]}{_GREEK[match[2]]}" + (f" {match[3]}" if match[3] else "")
    return name if name.isascii() and (len(name) <= 2 or name.isdigit()) else _word(name)
