r"""Equations as LaTeX, for amsmath and for what turns LaTeX into MathML.

They read as on a lecturer's board: ``plain.py`` is exact, here a chain of conditions is one ``cases``, a quotient a
fraction, the square of tanh(c) is ``\tanh^{2}(c)``, and where a matrix of zeros stands its size is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.latex_names import spelling
from recurra.inspection.equations.plain import is_negative, summands, unsigned
from recurra.inspection.equations.terms import Line, Symbol, Term

_RELATIONS = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}
_WITH_RAISED_EXPONENT = (r"\tanh", r"\sin", r"\cos")

# how strongly a piece holds together; only the last can be given an exponent without parentheses
_CASES, _SUM, _PRODUCT, _CHAIN, _CLOSED, _BASE = range(6)


@dataclass(frozen=True)
class _Piece:
    """LaTeX of a term, and how it may be used inside others."""

    text: str
    level: int = _BASE
    is_tall: bool = False

    def at(self, level: int) -> str:
        """Return the text, in parentheses where it does not hold together that strongly."""
        return self.text if self.level >= level else self.within("(", ")")

    def within(self, opening: str, closing: str) -> str:
        """Return the text in parentheses as high as it is."""
        if self.is_tall:
            return rf"\left{opening} {self.text} \right{closing}"
        return f"{opening}{self.text}{closing}"


def latex(term: Term, spelled_out: Collection[str] = (), at: int | None = None) -> str:
    r"""Return a term as LaTeX, such as ``f_{t} \odot c_{t-1} + i_{t} \odot g_{t}``.

    Args:
        term: The term.
        spelled_out: Names that are written letter by letter; see ``look_alikes.py``.
        at: The number of the step to write for t; without it, t.
    """
    return _piece(_with_names(term, spelled_out, at)).text


def latex_line(line: Line, align: bool = True, spelled_out: Collection[str] = (), at: int | None = None) -> str:
    r"""Return an equation as LaTeX.

    Args:
        line: The equation.
        align: Whether an ``&`` stands before the sign, for a line of ``align``.
        spelled_out: As for :func:`latex`.
        at: As for :func:`latex`.

    Returns:
        Such as ``\delta b &= \delta z_{t}``, without a ``\\`` at its end.
    """
    sign = r"\;\text{+=}\;" if line.is_sum else "="
    target = latex_symbol(line.target, spelled_out, at)
    return f"{target} {'&' if align else ''}{sign} {latex(line.term, spelled_out, at)}"


def latex_symbol(symbol: Symbol, spelled_out: Collection[str] = (), at: int | None = None) -> str:
    r"""Return a name as LaTeX: letters in italics, longer names upright, a time as the last index.

    Args:
        symbol: The symbol.
        spelled_out: As for :func:`latex`.
        at: As for :func:`latex`.

    Example:
        >>> print(latex_symbol(Symbol("z_i", time=-1, is_gradient=True)))
        \delta z_{i,t-1}
    """
    bare = symbol.name.rstrip("′")
    spelled = spelling(bare, symbol.name in spelled_out)
    primes = len(symbol.name) - len(bare)
    indices = [*spelled.indices, *_time(symbol.time, at)]
    text = spelled.base + "'" * primes
    if symbol.version:
        text = f"{{{text}}}" if primes else text
    text += f"_{{{','.join(indices)}}}" if indices else ""
    text += f"^{{({symbol.version})}}" if symbol.version else ""
    return (r"\delta " if symbol.is_gradient else "") + text


def latex_number(value: float) -> str:
    r"""Return a number that is not negative, such as ``0.5`` or ``10^{-5}``."""
    if math.isinf(value):
        return r"\infty"
    if math.isnan(value):
        return r"\mathrm{nan}"
    mantissa, _, exponent = (repr(value) if isinstance(value, int) else repr(float(value))).partition("e")
    if not exponent:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def _time(time: int | None, at: int | None) -> list[str]:
    if time is None:
        return []
    return [str(at + time) if at is not None else f"t{time:+d}" if time else "t"]


def _with_names(term: Term, spelled_out: Collection[str], at: int | None) -> Term:
    """Return a term whose symbols are written already."""
    if term.op == "name":
        symbol: Symbol = term.value
        is_raised = symbol.version or symbol.name.endswith("′")
        level = _CLOSED if is_raised or symbol.is_gradient else _BASE
        return replace(term, value=_Piece(latex_symbol(symbol, spelled_out, at), level))
    return replace(term, args=tuple(_with_names(arg, spelled_out, at) for arg in term.args)) if term.args else term


def _piece(term: Term) -> _Piece:
    return _OPERATIONS[term.op](term)


def _number(term: Term) -> _Piece:
    if is_negative(term):
        return _Piece(f"-{latex_number(-term.value)}", _SUM)
    text = latex_number(term.value)
    return _Piece(text, _PRODUCT if r"\cdot" in text else _CLOSED if "^" in text else _BASE)


def _name(term: Term) -> _Piece:
    written: _Piece = term.value
    return written


def _add(term: Term) -> _Piece:
    parts = summands(term)
    text, is_tall = "", False
    for part in parts:
        sign = "-" if is_negative(part) else "+"
        piece = _piece(unsigned(part) if sign == "-" else part)
        # only what stands last can be left open to the right
        inner = piece.text if piece.level == _CASES and part is parts[-1] else piece.at(_PRODUCT)
        text += f" {sign} {inner}" if text else f"{sign.strip('+')}{inner}"
        is_tall = is_tall or piece.is_tall
    return _Piece(text, _SUM, is_tall)


def _neg(term: Term) -> _Piece:
    inner = _piece(term.args[0])
    return _Piece(f"-{inner.at(_PRODUCT)}", _SUM, inner.is_tall)


def _mul(term: Term) -> _Piece:
    pieces = [_piece(part) for part in term.args]
    first, *others = (piece.at(_CHAIN) for piece in pieces)
    sign = r" \odot "
    if term.args[0].op == "number" and pieces[0].level >= _CHAIN:
        sign = r" \cdot " if others[0][0].isdigit() else r"\,"
    text = r" \odot ".join((f"{first}{sign}{others[0]}", *others[1:]))
    return _Piece(text, _PRODUCT, any(piece.is_tall for piece in pieces))


def _div(term: Term) -> _Piece:
    above, below = (_piece(part).text for part in term.args)
    return _Piece(rf"\frac{{{above}}}{{{below}}}", _CLOSED, True)


def _matmul(term: Term) -> _Piece:
    a, b = (_piece(part) for part in term.args)
    return _Piece(f"{a.at(_CHAIN)} {b.at(_CLOSED)}", _CHAIN, a.is_tall or b.is_tall)


def _transpose(term: Term) -> _Piece:
    inner = _piece(term.args[0])
    # there is no other way to read the transposed of a gradient
    is_plain = inner.level == _BASE or (term.args[0].op == "name" and "^" not in inner.text and "'" not in inner.text)
    return _Piece(rf"{inner.text if is_plain else inner.at(_BASE)}^{{\top}}", _CLOSED, inner.is_tall)


def _power(term: Term) -> _Piece:
    base, exponent = term.args[0], term.value
    shown = f"{'-' if exponent < 0 else ''}{latex_number(abs(exponent))}"
    if base.op == "function" and isinstance(exponent, int) and exponent > 1:
        head = FUNCTIONS[base.value].latex
        if head in _WITH_RAISED_EXPONENT:
            return _call(f"{head}^{{{shown}}}", base.args)
    inner = _piece(base)
    return _Piece(f"{inner.at(_BASE)}^{{{shown}}}", _CLOSED, inner.is_tall)


def _call(head: str, args: tuple[Term, ...]) -> _Piece:
    pieces = [_piece(arg) for arg in args]
    inside = _Piece(", ".join(piece.text for piece in pieces), is_tall=any(piece.is_tall for piece in pieces))
    # the exponent of a head and one behind the parenthesis would be hard to tell apart
    return _Piece(head + inside.within("(", ")"), _CLOSED if "^" in head else _BASE, inside.is_tall)


def _function(term: Term) -> _Piece:
    display = _DISPLAYS.get(term.value)
    return display(*term.args) if display else _call(FUNCTIONS[term.value].latex, term.args)


def _fenced(opening: str, closing: str) -> Callable[[Term], _Piece]:
    def fenced(arg: Term) -> _Piece:
        inner = _piece(arg)
        return _Piece(rf"\left{opening} {inner.text} \right{closing}", _BASE, inner.is_tall)

    return fenced


def _sqrt(arg: Term) -> _Piece:
    inner = _piece(arg)
    return _Piece(rf"\sqrt{{{inner.text}}}", _CLOSED, inner.is_tall)


def _deviation(arg: Term, eps: Term) -> _Piece:
    inside = _call(r"\mathrm{var}", (arg,))
    return _Piece(rf"\sqrt{{{inside.text} + {_piece(eps).at(_PRODUCT)}}}", _CLOSED, inside.is_tall)


def _mod(a: Term, b: Term) -> _Piece:
    first, second = _piece(a), _piece(b)
    return _Piece(rf"{first.at(_CHAIN)} \bmod {second.at(_CHAIN)}", _SUM, first.is_tall or second.is_tall)


def _sum(arg: Term) -> _Piece:
    inner = _piece(arg)
    index = "k" if arg.shape[1] == 1 else "k,l"
    return _Piece(rf"\sum_{{{index}}} {inner.within('(', ')')}_{{{index}}}", _PRODUCT, True)


_DISPLAYS: Mapping[str, Callable[..., _Piece]] = MappingProxyType(
    {
        "abs": _fenced("|", "|"),
        "floor": _fenced(r"\lfloor", r"\rfloor"),
        "sqrt": _sqrt,
        "deviation": _deviation,
        "mod": _mod,
        "sum": _sum,
    }
)


def _condition(term: Term) -> _Piece:
    if term.op != "compare":
        return _piece(term)
    a, b = (_piece(arg) for arg in term.args)
    return _Piece(f"{a.at(_SUM)} {_RELATIONS[term.value]} {b.at(_SUM)}", _SUM, a.is_tall or b.is_tall)


def _indicator(term: Term) -> _Piece:
    condition = term if term.op == "compare" else term.args[0]
    inner = _condition(condition)
    text = inner.text if condition.op == "compare" else rf"{inner.at(_SUM)} \ne 0"
    return _Piece(_Piece(text, is_tall=inner.is_tall).within("[", "]"), _BASE, inner.is_tall)


def _where(term: Term) -> _Piece:
    rows = []
    while term.op == "where":
        condition, then, term = term.args
        rows.append(rf"{_piece(then).text} & \text{{if }} {_condition(condition).text}")
    rows.append(rf"{_piece(term).text} & \text{{otherwise}}")
    return _Piece(rf"\begin{{cases}} {_rows(rows)} \end{{cases}}", _CASES, True)


def _stack(term: Term) -> _Piece:
    cells = [_piece(part).text for part in term.args]
    inside = _rows([" & ".join(cells)] if term.value else cells)
    return _Piece(rf"\begin{{bmatrix}} {inside} \end{{bmatrix}}", _BASE, True)


def _rows(rows: list[str]) -> str:
    # a bracket after \\ would be read as the height of the gap, and the first as an option
    return r" \\ ".join(f"{{}}{row}" if row.startswith("[") else row for row in rows)


def _taken(term: Term) -> _Piece:
    inner = _piece(term.args[0])
    if term.op == "cut":
        axis, start, stop = term.value
        places = f"{start + 1}:{stop}"
    else:
        axis, indices = term.value
        places = f"({', '.join(str(index + 1) for index in indices)})"
    # of a column there is no need to say that all its columns are meant
    index = rf":,\,{places}" if axis else places if term.shape[1] == 1 else rf"{places},\,:"
    return _Piece(f"{inner.within('(', ')')}_{{{index}}}", _BASE, inner.is_tall)


def _counted(term: Term) -> _Piece:
    head = r"\mathrm{repeat}" if term.op == "repeat" else r"\mathrm{blocksum}"
    return _call(head, (term.args[0], Term("number", value=term.value)))


def _ones(term: Term) -> _Piece:
    rows, columns = term.shape
    size = str(rows) if columns == 1 else rf"{rows} \times {columns}"
    return _Piece(rf"\mathbf{{1}}_{{{size}}}")


_OPERATIONS: Mapping[str, Callable[[Term], _Piece]] = MappingProxyType(
    {
        "number": _number,
        "name": _name,
        "zeros": lambda term: _Piece(r"\mathbf{0}"),
        "ones": _ones,
        "add": _add,
        "mul": _mul,
        "neg": _neg,
        "div": _div,
        "power": _power,
        "matmul": _matmul,
        "transpose": _transpose,
        "function": _function,
        "where": _where,
        "compare": _indicator,
        "indicator": _indicator,
        "stack": _stack,
        "cut": _taken,
        "pick": _taken,
        "repeat": _counted,
        "block_sum": _counted,
    }
)
