"""Names and sizes in a sentence, as mathematics."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from recurra.inspection.equations.latex import latex_symbol
from recurra.inspection.equations.parsing import parse_symbol

_TIME = "ₜ(?:[₋₊][₀-₉]+)?"
_VERSION = "⁽[⁰¹²³⁴-⁹]+⁾"
_NAME = r"[A-Za-z_α-ω]\w*?(?:\.\w+)*?′*"
_QUOTED = rf"δ?`[^`]+`(?:{_VERSION})?(?:{_TIME})?"
_SYMBOL = rf"{_QUOTED}|δ?{_NAME}(?:{_VERSION})?{_TIME}|δ[A-Za-z_α-ω]\w*′*|(?<!\w)[A-Za-z]\d?_\w+(?:\.\w+)*′*"
_LETTER = r"\d*[TBdn](?:·[TBdn]|²)?(?:\([dn\d +²]+\))?"
_TUPLE = r"\((?:[\dTBdn·² +]+, ?)*[\dTBdn·² +]*,?\)"
_STEP = r"(?<!['’])t(?: [+−] 1)?"
_SIZE = rf"(?<!\w)(?:{_TUPLE}|{_LETTER}|{_STEP})(?!\w)"
_FOUND = re.compile(rf"(?P<symbol>{_SYMBOL})|(?P<size>{_SIZE})")


def with_mathematics(
    text: str,
    write: Callable[[str], str],
    write_mathematics: Callable[[str], str],
    spelled_out: Collection[str] = (),
) -> str:
    r"""Return a sentence in which names and sizes, W_hi and (B, 4n), are mathematics.

    Args:
        text: The sentence, with names as ``plain_symbol`` writes them.
        write: Writes what is words.
        write_mathematics: Writes LaTeX.
        spelled_out: Names that are written letter by letter; see ``look_alikes.py``.

    Example:
        >>> with_mathematics("W_hh hₜ₋₁: (B, n)", str, lambda latex: f"${latex}$")
        '$W_{hh}$ $h_{t-1}$: $(B, n)$'
    """
    parts, end = [], 0
    for found in _FOUND.finditer(text):
        latex = latex_symbol(parse_symbol(found[0]), spelled_out) if found["symbol"] else size_latex(found[0])
        parts += [write(text[end : found.start()]), write_mathematics(latex)]
        end = found.end()
    return "".join([*parts, write(text[end:])])


def size_latex(formula: str) -> str:
    r"""Return a formula of sizes as LaTeX.

    Example:
        >>> size_latex("4n(d + n) + n²"), size_latex("(T·B, d)")
        ('4n(d + n) + n^{2}', '(T \\cdot B, d)')
    """
    return formula.replace("²", "^{2}").replace("·", r" \cdot ").replace("−", "-")
