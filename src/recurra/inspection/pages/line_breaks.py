r"""Where an equation in LaTeX may be broken: before its signs.

Widths are estimates, in letters of the size of a line.
"""

from __future__ import annotations

import re
from collections import deque

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.S)
# nothing is broken inside of these, and parentheses only where there is no other way
_OPENING, _CLOSING = frozenset(["{", r"\begin", r"\left"]), frozenset(["}", r"\end", r"\right"])
_PARENTHESES = {"(": 1, "[": 1, ")": -1, "]": -1}
_DEEPEST = 2
_SUMS, _PRODUCTS = frozenset("+-"), frozenset([r"\odot"])
_WORDS = {name: len(name) - 1 for name in (r"\tanh", r"\exp", r"\log", r"\sin", r"\cos", r"\max", r"\min", r"\bmod")}
_WITHOUT_WIDTH = frozenset(["&", r"\tilde", r"\left", r"\right", r"\mathrm", r"\text", r"\mathbf", r"\sqrt"])
_WIDE_SIGNS = frozenset(["+", "-", "=", r"\odot", r"\cdot", "<", ">", r"\le", r"\ge", r"\ne"])
_SMALL = 0.7


def pieces(latex: str, width: float) -> list[str]:
    r"""Return the parts between which a term may be broken; only one if it is no wider than that.

    Sums are broken, then products element by element, and then what stands in parentheses, as far as parts are too
    wide. A part after the first begins with its sign.

    Example:
        >>> pieces(r"a \odot (b + c) + d", 9)
        ['a \\odot (b + c)', '{} + d']
    """
    found = [latex]
    for depth in range(_DEEPEST + 1):
        for signs in (_SUMS, _PRODUCTS):
            found = [
                part
                for piece in found
                for part in (_split(piece, signs, depth) if latex_width(piece) > width else [piece])
            ]
    return found


def broken(latex: str, width: float) -> list[str]:
    """Return a term in as many lines as it needs, each as full as can be."""
    lines: list[str] = []
    for piece in pieces(latex, width):
        if lines and latex_width(lines[-1]) + latex_width(piece) <= width:
            lines[-1] += piece.removeprefix("{}")
        else:
            lines.append(piece)
    return lines


def _split(latex: str, signs: frozenset[str], deepest: int) -> list[str]:
    """Split before signs that stand between spaces and in no more parentheses than that."""
    parts, closed, depth, before = [""], 0, 0, ""
    tokens = _TOKEN.findall(latex)
    for place, token in enumerate(tokens):
        closed += (token in _OPENING) - (token in _CLOSING)
        depth += _PARENTHESES.get(token, 0)
        is_between = before.isspace() and place + 1 < len(tokens) and tokens[place + 1].isspace()
        if token in signs and not closed and depth <= deepest and is_between and parts[-1].strip() not in ("", "{}"):
            parts[-1] = parts[-1].rstrip()
            parts.append("{} ")
        parts[-1] += token
        before = token
    return parts


def latex_width(latex: str) -> float:
    """Return about how many letters wide a term comes out."""
    return _sequence(deque(_TOKEN.findall(latex)))


def _sequence(tokens: deque[str]) -> float:
    """Return the width of what comes before the next closing brace or the end of an environment, and take it away."""
    widest, width = 0.0, 0.0
    while tokens:
        token = tokens.popleft()
        if token == "}":
            break
        if token == r"\end":
            _argument(tokens)
            break
        if token == r"\\":  # the next row
            widest, width = max(widest, width), 0.0
        else:
            width += _one(token, tokens)
    return max(widest, width)


def _one(token: str, tokens: deque[str]) -> float:
    if token in ("_", "^"):
        return _SMALL * _argument(tokens)
    if token == r"\frac":
        return max(_argument(tokens), _argument(tokens))
    if token == "{":
        return _sequence(tokens)
    if token == r"\begin":
        _argument(tokens)
        return 1 + _sequence(tokens)
    if token.isspace() or token in _WITHOUT_WIDTH:
        return 0.0
    return 2.0 if token in _WIDE_SIGNS else _WORDS.get(token, 1.0)


def _argument(tokens: deque[str]) -> float:
    return _one(tokens.popleft(), tokens)
