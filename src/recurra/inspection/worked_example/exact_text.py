"""Exact numbers as people write them: 1.1 + 0.3 tanh 0.5, in plain text and in LaTeX."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

_SUM, _PRODUCT, _ATOM = range(3)
_MAX_DECIMALS = 8
_BARE = frozenset(["tanh", "log", "sin", "cos"])
"""Functions that stand before a bare number without parentheses."""
_PLAIN_NAMES = {"sigmoid": "σ", "Abs": "abs"}
_LATEX_NAMES = {"sigmoid": r"\sigma", "Abs": r"\operatorname{abs}"}
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@lru_cache(maxsize=4096)  # long forms ask for the texts of their parts again and again
def exact_plain(value: Any) -> str:
    """Return a sympy number as text; fractions that are short decimals are written as such."""
    return _Writer(is_latex=False).write(value)[0]


def exact_latex(value: Any) -> str:
    """Return a sympy number as LaTeX, in the same form."""
    return _Writer(is_latex=True).write(value)[0]


def raised(exponent: int) -> str:
    """Return an integer in superscripts."""
    return str(exponent).translate(_RAISED)


class _Writer:
    """Writes a sympy number, and tells how tightly its outermost operation binds."""

    def __init__(self, *, is_latex: bool) -> None:
        self.is_latex = is_latex
        self.minus = "-" if is_latex else "−"

    def write(self, value: Any) -> tuple[str, int]:
        if value.is_Rational:
            return self._rational(value)
        if value.is_Add:
            return self._sum(value), _SUM
        if value.is_Mul:
            return self._product(value)
        if value.is_Function:
            return self._function(value, is_last=True), _ATOM
        if value.is_Pow:
            return self._power(*value.as_base_exp())
        return str(value).lower(), _ATOM

    def _rank(self, value: Any) -> tuple[int, str]:
        """Put what is short first, in both forms by the plain text."""
        text = exact_plain(value)
        return len(text), text

    def _rational(self, value: Any) -> tuple[str, int]:
        if value < 0:
            return self.minus + self._positive(-value)[0], _SUM
        return self._positive(value)

    def _positive(self, size: Any) -> tuple[str, int]:
        scaled = size * 10**_MAX_DECIMALS
        if not scaled.is_Integer:
            return (rf"\frac{{{size.p}}}{{{size.q}}}", _ATOM) if self.is_latex else (f"{size.p}/{size.q}", _PRODUCT)
        digits = str(scaled.p).rjust(_MAX_DECIMALS + 1, "0")
        return f"{digits[:-_MAX_DECIMALS]}.{digits[-_MAX_DECIMALS:]}".rstrip("0").rstrip("."), _ATOM

    def _sum(self, value: Any) -> str:
        # numbers first, and a person begins with what is not subtracted
        parts = sorted(
            value.args, key=lambda part: (part.could_extract_minus_sign(), not part.is_Rational, self._rank(part))
        )
        text = self.write(parts[0])[0]
        for part in parts[1:]:
            is_minus = part.could_extract_minus_sign()
            shown, binds = self.write(-part if is_minus else part)
            text += f" {self.minus if is_minus else '+'} {_enclosed(shown) if binds == _SUM else shown}"
        return text

    def _product(self, value: Any) -> tuple[str, int]:
        factor, others = value.as_coeff_Mul()
        if factor < 0:
            text, binds = self.write(-value)
            return self.minus + (_enclosed(text) if binds == _SUM else text), _SUM
        above, below = others.as_numer_denom()
        if below != 1:
            return self._quotient(factor * above, below)
        factors = sorted(others.args if others.is_Mul else (others,), key=self._rank)
        shown = [] if factor == 1 else [self._operand(factor)]
        # what follows tanh 0.5 would read as if it belonged to the argument
        shown += [self._operand(part, is_last=False) for part in factors[:-1]]
        return " ".join([*shown, self._operand(factors[-1])]), _PRODUCT

    def _quotient(self, above: Any, below: Any) -> tuple[str, int]:
        if self.is_latex:
            return rf"\frac{{{self.write(above)[0]}}}{{{self.write(below)[0]}}}", _ATOM
        top, binds = self.write(above)
        return f"{_enclosed(top) if binds == _SUM else top} / {self._operand(below)}", _PRODUCT

    def _operand(self, value: Any, *, is_last: bool = True) -> str:
        if value.is_Function:
            return self._function(value, is_last=is_last)
        text, binds = self.write(value)
        return text if binds == _ATOM else _enclosed(text)

    def _power(self, base: Any, exponent: Any) -> tuple[str, int]:
        if exponent.is_negative:
            return self._quotient(exponent**0, base**-exponent)
        text, binds = self.write(base)
        if exponent.is_Rational and (exponent.p, exponent.q) == (1, 2):
            shown = text if binds == _ATOM and not base.is_Function else _enclosed(text)
            return (rf"\sqrt{{{text}}}" if self.is_latex else f"√{shown}"), _ATOM
        shown = text if binds == _ATOM and not base.is_Function else _enclosed(text)
        if self.is_latex:
            return f"{shown}^{{{self.write(exponent)[0]}}}", _ATOM
        if exponent.is_Integer:
            return shown + raised(int(exponent)), _ATOM
        return f"{shown}^({self.write(exponent)[0]})", _ATOM

    def _function(self, value: Any, *, is_last: bool) -> str:
        which = type(value).__name__
        shown = (_LATEX_NAMES if self.is_latex else _PLAIN_NAMES).get(which, f"\\{which}" if self.is_latex else which)
        args = [self.write(arg) for arg in value.args]
        if is_last and which in _BARE and len(args) == 1 and args[0][1] == _ATOM and value.args[0].is_Rational:
            return f"{shown} {args[0][0]}"
        return f"{shown}({', '.join(text for text, _ in args)})"


def _enclosed(text: str) -> str:
    return f"({text})"
