"""Equations read from plain text: the inverse of ``plain.py``, where the grammar stands.

A term that was printed and read again has the same value to the last bit. It has no shapes: all but 𝟎 and 𝟏 claim to
be (1, 1), which evaluation does not mind.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

from recurra.errors import ArgumentError
from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.plain import GREEK, KEYWORDS, RELATIONS, SUBSCRIPTS, SUPERSCRIPTS
from recurra.inspection.equations.terms import Line, Symbol, Term

_HEADS = {function.plain: name for name, function in FUNCTIONS.items()}
_COUNTED = ("repeat", "block_sum")
_FILLED = {"𝟎": "zeros", "𝟏": "ones"}
_BY_SIGN = {sign: relation for relation, sign in RELATIONS.items()}
_LATIN = str.maketrans({letter: name for name, letter in GREEK.items()})
_DIGITS = str.maketrans(SUPERSCRIPTS + SUBSCRIPTS + "₋", "0123456789" * 2 + "-", "⁽⁾ₜ₊")
_LETTERS = "A-Za-z_" + "".join(GREEK.values())
_ANY_HEAD = "|".join(re.escape(head) for head in (*_HEADS, *_COUNTED))
_ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}")
_TOKEN = re.compile(
    rf"""(?P<space>\ *)(?:
        (?P<head>{_ANY_HEAD})(?=\()
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|∞|nan(?![{_LETTERS}0-9.′]))
      | (?P<keyword>(?:{"|".join(KEYWORDS)})(?![{_LETTERS}0-9.′]))
      | (?P<symbol>(?P<gradient>δ?)
            (?:`(?P<quoted>[^`]+)`|(?P<name>[{_LETTERS}][{_LETTERS}0-9.]*′*))
            (?P<version>⁽[{SUPERSCRIPTS}]+⁾)?
            (?P<time>ₜ(?:[₋₊][{SUBSCRIPTS}]+)?)?)
      | (?P<sign>\+=|[^\ ])
      | (?P<end>$))""",
    re.VERBOSE,
)


def parse(text: str) -> Term:
    """Read a term from what ``plain`` returned.

    Args:
        text: The right side of an equation; the grammar is that of ``plain.py``.

    Returns:
        A term without shapes, with the value of the printed one.

    Raises:
        ArgumentError: If the text is not in the grammar; the message says where.
    """
    parser = _Parser(text)
    term = parser.sum()
    parser.finish()
    return term


def parse_line(text: str) -> Line:
    """Read an equation from what ``plain_line`` returned.

    Args:
        text: A name, ``=`` or ``+=``, and a term.

    Returns:
        The equation, from no place.

    Raises:
        ArgumentError: As :func:`parse`.
    """
    parser = _Parser(text)
    target = parser.symbol()
    is_sum = parser.skip("+=") != ""
    if not is_sum:
        parser.take("=")
    term = parser.sum()
    parser.finish()
    return Line(target, term, is_sum=is_sum)


def parse_symbol(text: str) -> Symbol:
    """Read a name from what ``plain_symbol`` returned.

    Args:
        text: A name with the marks of its gradient, version and time.

    Returns:
        The symbol.

    Raises:
        ArgumentError: As :func:`parse`.
    """
    parser = _Parser(text)
    symbol = parser.symbol()
    parser.finish()
    return symbol


@dataclass(frozen=True)
class _Token:
    """A piece of a text; a space before it tells a product of matrices from a call or a cut."""

    kind: str
    text: str
    place: int
    has_space: bool
    symbol: Symbol | None


def _token(match: re.Match[str]) -> _Token:
    kind = match.lastgroup or ""
    symbol = None
    if kind == "symbol":
        quoted = match["quoted"]
        name = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), quoted) if quoted else match["name"].translate(_LATIN)
        time = (match["time"] or "").translate(_DIGITS)
        symbol = Symbol(
            name,
            time=int(time or 0) if match["time"] else None,
            version=int((match["version"] or "0").translate(_DIGITS)),
            is_gradient=bool(match["gradient"]),
        )
    return _Token(kind, match[kind], match.start(kind), bool(match["space"]), symbol)


class _Parser:
    """Reads a text from left to right; each rule of the grammar is a method."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [_token(match) for match in _TOKEN.finditer(text)]
        self.at = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, expected: str) -> NoReturn:
        got = repr(self.next.text) if self.next.text else "the end"
        raise ArgumentError(f"parse expected {expected} at character {self.next.place + 1} of {self.text!r}, got {got}")

    def skip(self, *texts: str) -> str:
        """Go past the next token if it is one of these, and return it, else nothing."""
        text = self.next.text
        if self.next.kind == "symbol" or text not in texts:
            return ""
        self.at += 1
        return text

    def take(self, text: str) -> None:
        if not self.skip(text):
            self.fail(repr(text))

    def finish(self) -> None:
        if self.next.kind != "end":
            self.fail("the end")

    def sum(self) -> Term:
        parts: list[Term] = []
        sign = self.skip("−")
        while sign or not parts:
            product = self.product()
            parts.append(Term("neg", (product,)) if sign == "−" else product)
            sign = self.skip("+", "−")
        return parts[0] if len(parts) == 1 else Term("add", tuple(parts))

    def product(self) -> Term:
        factors = [self.chain()]
        while sign := self.skip("⊙", "·", "/"):
            factors.append(self.chain())
            if sign == "/":
                *numerator, denominator = factors
                factors = [Term("div", (_joined("mul", numerator), denominator))]
        return _joined("mul", factors)

    def chain(self) -> Term:
        term = self.postfix()
        while self.next.has_space and self.is_atom():
            term = Term("matmul", (term, self.postfix()))
        return term

    def is_atom(self) -> bool:
        return self.next.kind in ("head", "number", "symbol") or self.next.text in ("(", "[", "|", *_FILLED)

    def postfix(self) -> Term:
        term = self.atom()
        while not self.next.has_space and (mark := self.skip("ᵀ", "^", "[", *SUPERSCRIPTS)):
            if mark == "ᵀ":
                term = Term("transpose", (term,))
            elif mark == "[":
                term = self.cut(term)
            else:
                term = Term("power", (term,), self.exponent() if mark == "^" else SUPERSCRIPTS.index(mark))
        return term

    def exponent(self) -> float:
        if not self.skip("("):
            return self.number()
        self.take("−")
        value = -self.number()
        self.take(")")
        return value

    def cut(self, term: Term) -> Term:
        axis = 0
        if self.skip(":"):
            self.take(",")
            axis = 1
        numbers = [self.count()]
        if self.skip(":"):
            found = Term("cut", (term,), (axis, numbers[0] - 1, self.count()))
        else:
            while self.skip(","):
                numbers.append(self.count())
            found = Term("pick", (term,), (axis, tuple(place - 1 for place in numbers)))
        self.take("]")
        return found

    def atom(self) -> Term:
        token = self.next
        if token.kind == "number":
            return Term("number", value=self.number())
        if token.kind == "symbol":
            return Term("name", value=self.symbol())
        if token.kind == "head":
            return self.call()
        if self.skip("("):
            return self.parenthesis()
        if self.skip("["):
            return self.bracket()
        if self.skip("|"):
            inner = self.sum()
            self.take("|")
            return Term("function", (inner,), "abs")
        if token.text in _FILLED:
            return self.filled()
        self.fail("a term")

    def call(self) -> Term:
        head = self.next.text
        self.at += 1
        self.take("(")
        args = [self.sum()]
        if head in _COUNTED:
            self.take(",")
            found = Term(head, tuple(args), self.count())
        else:
            while len(args) < FUNCTIONS[_HEADS[head]].num_args:
                self.take(",")
                args.append(self.sum())
            found = Term("function", tuple(args), _HEADS[head])
        self.take(")")
        return found

    def parenthesis(self) -> Term:
        found = self.sum()
        if self.skip("mod"):
            found = Term("function", (found, self.sum()), "mod")
        elif self.skip("if"):
            condition = self.condition()
            self.take("else")
            found = Term("where", (condition, found, self.sum()))
        self.take(")")
        return found

    def bracket(self) -> Term:
        parts = [self.condition()]
        if parts[0].op == "compare":
            self.take("]")
            return Term("indicator", tuple(parts))
        sign = self.skip(";", ",")
        if not sign:
            self.fail("a relation, ';' or ','")
        parts.append(self.sum())
        while self.skip(sign):
            parts.append(self.sum())
        self.take("]")
        return Term("stack", tuple(parts), 0 if sign == ";" else 1)

    def condition(self) -> Term:
        term = self.sum()
        sign = self.skip(*_BY_SIGN)
        return Term("compare", (term, self.sum()), _BY_SIGN[sign]) if sign else term

    def filled(self) -> Term:
        op = _FILLED[self.next.text]
        self.at += 1
        self.take("[")
        rows = self.count()
        self.take("×")
        columns = self.count()
        self.take("]")
        return Term(op, shape=(rows, columns))

    def symbol(self) -> Symbol:
        symbol = self.next.symbol
        if symbol is None:
            self.fail("a name")
        self.at += 1
        return symbol

    def number(self) -> float:
        token = self.next
        if token.kind != "number":
            self.fail("a number")
        self.at += 1
        if token.text == "∞":
            return math.inf
        return int(token.text) if token.text.isdecimal() else float(token.text)

    def count(self) -> int:
        if not self.next.text.isdecimal():
            self.fail("a whole number")
        return int(self.number())


def _joined(op: str, parts: list[Term]) -> Term:
    return parts[0] if len(parts) == 1 else Term(op, tuple(parts))
