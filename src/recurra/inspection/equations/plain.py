r"""Equations as plain text, which ``parsing.py`` reads back without loss.

The grammar, where ``{ }`` may be there any number of times and ``[ ]`` once or not::

    line    = symbol ("=" | "+=") sum
    sum     = ["−"] product {("+" | "−") product}
    product = chain {("⊙" | "·" | "/") chain}         from left to right, · after a number
    chain   = postfix {SPACE postfix}                 products of matrices, from left to right
    postfix = atom {"ᵀ" | "²" | "³" | "^" number | "^(−" number ")" | cut}
    cut     = "[" rows "]" | "[:, " columns "]"       counted from 1: 2:4 is three rows, "2, 4" picks two
    atom    = number | symbol | "(" sum ")"
            | function "(" sum {", " sum} ")"         no space before the parenthesis
            | "|" sum "|" | "(" chain " mod " chain ")"
            | "(" sum " if " condition " else " sum ")"
            | "[" condition "]"                       1 where it holds, else 0
            | "[" sum "; " sum … "]"                  below each other; with ", " beside each other
            | "repeat(" sum ", " count ")" | "block_sum(" sum ", " count ")"
            | "𝟎[" rows "×" columns "]" | "𝟏[" rows "×" columns "]"
    condition = sum [("<" | "≤" | ">" | "≥" | "=" | "≠") sum]
    symbol  = ["δ"] name ["⁽" version "⁾"] ["ₜ" | "ₜ₋" steps | "ₜ₊" steps]

Names that could be misread, such as ``if`` or what is not ASCII, stand in backticks; there a backtick, a backslash and
what cannot be printed is told by its number: ``\u{60}``.
"""

from __future__ import annotations

import math
import re

from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.terms import Line, Symbol, Term

# xi is x to i nearly everywhere; δ, σ and Σ mean something else
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "iota": "ι",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "pi": "π",
    "rho": "ρ",
    "tau": "τ",
    "upsilon": "υ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
}
RELATIONS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
KEYWORDS = ("if", "else", "mod", "nan")
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"

_SUM, _PRODUCT, _CHAIN, _POSTFIX, _ATOM = range(5)
_LEVELS = {
    **dict.fromkeys(("add", "neg"), _SUM),
    **dict.fromkeys(("mul", "div"), _PRODUCT),
    "matmul": _CHAIN,
    **dict.fromkeys(("transpose", "power", "cut", "pick"), _POSTFIX),
}
_CLEAR = re.compile(r"[A-Za-z_][\w.]*′*", re.ASCII)
_GREEK_BASE = re.compile(rf"({'|'.join(GREEK)})(\d*)")
# the weights of a gate phi are W_phi, or W_xphi and W_hphi
_GREEK_INDEX = re.compile(rf"([xhc]?)({'|'.join(name for name in GREEK if len(name) > 2)})(\d*)")


def plain(term: Term) -> str:
    """Return a term as plain text, such as ``fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ``."""
    return _OPERATIONS[term.op](term)


def plain_line(line: Line) -> str:
    """Return an equation as plain text, such as ``δbₜ += δzₜ``."""
    return f"{plain_symbol(line.target)} {'+=' if line.is_sum else '='} {plain(line.term)}"


def plain_symbol(symbol: Symbol) -> str:
    """Return a name as plain text: with δ before a gradient, its version raised, its time lowered.

    Example:
        >>> plain_symbol(Symbol("c", time=-1, is_gradient=True))
        'δcₜ₋₁'
    """
    version = f"⁽{_digits(symbol.version, SUPERSCRIPTS)}⁾" if symbol.version else ""
    return ("δ" if symbol.is_gradient else "") + _plain_name(symbol.name) + version + _plain_time(symbol.time)


def summands(term: Term) -> tuple[Term, ...]:
    """Return the parts of a sum as they are written: a minus does not come first where anything else could."""
    parts = term.args
    if not is_negative(parts[0]):
        return parts
    # "1 − z": numbers are kept last in a sum
    places = [len(parts) - 1] if parts[-1].op == "number" else []
    first = next((place for place in (*places, *range(len(parts))) if not is_negative(parts[place])), 0)
    return (parts[first], *parts[:first], *parts[first + 1 :])


def is_negative(term: Term) -> bool:
    """Say whether a term is written with a minus before it."""
    return term.op == "neg" or (term.op == "number" and math.copysign(1, term.value) < 0)


def unsigned(term: Term) -> Term:
    """Return what stands behind the minus of a term that is negative."""
    return term.args[0] if term.op == "neg" else Term("number", value=abs(term.value))


def plain_number(value: float) -> str:
    """Return a number that is not negative, to its last bit."""
    if math.isinf(value):
        return "∞"
    return repr(value) if isinstance(value, int) else repr(float(value))


def _digits(value: int, digits: str) -> str:
    return "".join(digits[int(digit)] for digit in str(value))


def _plain_name(name: str) -> str:
    if not _CLEAR.fullmatch(name) or name in KEYWORDS:
        return f"`{''.join(map(_quoted, name))}`"
    base, *indices = re.split("(?=_)", name.rstrip("′"))
    if match := _GREEK_BASE.fullmatch(base):
        base = GREEK[match[1]] + match[2]
    for place, index in enumerate(indices):
        if match := _GREEK_INDEX.fullmatch(index[1:]):
            indices[place] = f"_{match[1]}{GREEK[match[2]]}{match[3]}"
    return base + "".join(indices) + "′" * name.count("′")


def _quoted(character: str) -> str:
    is_clear = character.isprintable() and character not in "`\\"
    return character if is_clear else rf"\u{{{ord(character):x}}}"


def _plain_time(time: int | None) -> str:
    if time is None:
        return ""
    return "ₜ" + (f"{'₋' if time < 0 else '₊'}{_digits(abs(time), SUBSCRIPTS)}" if time else "")


def _at(term: Term, level: int) -> str:
    is_loose = is_negative(term) or _LEVELS.get(term.op, _ATOM) < level
    return f"({plain(term)})" if is_loose and level > _SUM else plain(term)


def _plain_number_term(term: Term) -> str:
    return f"−{plain_number(-term.value)}" if is_negative(term) else plain_number(term.value)


def _plain_add(term: Term) -> str:
    text = ""
    for part in summands(term):
        sign = "−" if is_negative(part) else "+"
        inner = _at(unsigned(part) if sign == "−" else part, _PRODUCT)
        text += f" {sign} {inner}" if text else f"{sign.strip('+')}{inner}"
    return text


def _plain_neg(term: Term) -> str:
    return f"−{_at(term.args[0], _PRODUCT)}"


def _plain_mul(term: Term) -> str:
    first, *others = (_at(part, _CHAIN) for part in term.args)
    sign = "·" if term.args[0].op == "number" and not is_negative(term.args[0]) else "⊙"
    return " ⊙ ".join((f"{first} {sign} {others[0]}", *others[1:]))


def _plain_div(term: Term) -> str:
    a, b = term.args
    return f"{_at(a, _PRODUCT if a.op == 'mul' else _CHAIN)} / {_at(b, _CHAIN)}"


def _plain_matmul(term: Term) -> str:
    a, b = term.args
    return f"{_at(a, _CHAIN)} {_at(b, _POSTFIX)}"


def _plain_transpose(term: Term) -> str:
    return f"{_at(term.args[0], _POSTFIX)}ᵀ"


def _plain_power(term: Term) -> str:
    exponent = term.value
    # x²³ would read as 23
    base = f"({plain(term.args[0])})" if term.args[0].op == "power" else _at(term.args[0], _POSTFIX)
    if exponent in (2, 3):
        return base + SUPERSCRIPTS[int(exponent)]
    return f"{base}^{plain_number(exponent)}" if exponent >= 0 else f"{base}^(−{plain_number(-exponent)})"


def _plain_function(term: Term) -> str:
    if term.value == "abs":
        return f"|{plain(term.args[0])}|"
    if term.value == "mod":
        a, b = (_at(arg, _CHAIN) for arg in term.args)
        return f"({a} mod {b})"
    return f"{FUNCTIONS[term.value].plain}({', '.join(plain(arg) for arg in term.args)})"


def _plain_condition(term: Term) -> str:
    if term.op != "compare":
        return plain(term)
    a, b = term.args
    return f"{plain(a)} {RELATIONS[term.value]} {plain(b)}"


def _plain_compare(term: Term) -> str:
    return f"[{_plain_condition(term)}]"


def _plain_indicator(term: Term) -> str:
    condition = term.args[0]
    return f"[{_plain_condition(condition)}{'' if condition.op == 'compare' else ' ≠ 0'}]"


def _plain_where(term: Term) -> str:
    condition, then, otherwise = term.args
    return f"({plain(then)} if {_plain_condition(condition)} else {plain(otherwise)})"


def _plain_stack(term: Term) -> str:
    return f"[{(', ' if term.value else '; ').join(plain(part) for part in term.args)}]"


def _plain_cut(term: Term) -> str:
    axis, start, stop = term.value
    return f"{_at(term.args[0], _POSTFIX)}[{':, ' if axis else ''}{start + 1}:{stop}]"


def _plain_pick(term: Term) -> str:
    axis, indices = term.value
    numbers = ", ".join(str(index + 1) for index in indices)
    return f"{_at(term.args[0], _POSTFIX)}[{':, ' if axis else ''}{numbers}]"


def _plain_counted(term: Term) -> str:
    return f"{term.op}({plain(term.args[0])}, {term.value})"


def _plain_filled(term: Term) -> str:
    rows, columns = term.shape
    return f"{'𝟎' if term.op == 'zeros' else '𝟏'}[{rows}×{columns}]"


_OPERATIONS = {
    "number": _plain_number_term,
    "name": lambda term: plain_symbol(term.value),
    "zeros": _plain_filled,
    "ones": _plain_filled,
    "add": _plain_add,
    "mul": _plain_mul,
    "neg": _plain_neg,
    "div": _plain_div,
    "power": _plain_power,
    "matmul": _plain_matmul,
    "transpose": _plain_transpose,
    "function": _plain_function,
    "where": _plain_where,
    "compare": _plain_compare,
    "indicator": _plain_indicator,
    "stack": _plain_stack,
    "cut": _plain_cut,
    "pick": _plain_pick,
    "repeat": _plain_counted,
    "block_sum": _plain_counted,
}
