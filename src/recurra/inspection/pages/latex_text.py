"""Words as LaTeX: what means something to TeX is written out."""

from __future__ import annotations

import re

_WRITTEN = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "ᵀ": r"$^{\top}$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "⊙": r"$\odot$",
    "∂": r"$\partial$",
    "√": r"$\surd$",
    "∞": r"$\infty$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≠": r"$\ne$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "½": r"$\frac{1}{2}$",
    "²": "$^2$",
    "³": "$^3$",
    "‖": r"$\|$",
    "Σ": r"$\Sigma$",
    "σ": r"$\sigma$",
    "δ": r"$\delta$",
    "ε": r"$\epsilon$",
    **dict(zip("⁰¹⁴⁵⁶⁷⁸⁹", (f"$^{digit}$" for digit in "01456789"), strict=True)),
    "⁻": "$^-$",
}
# what the encoding T1 has, and the signs of typography
_UNKNOWN = re.compile(r"[^\x0a\x20-\x7e\u00a1-\u00ac\u00ae-\u0107\u010a-\u0113\u0116-\u011b\u011e-\u0121"
                      r"\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u2039\u203a\u20ac]")  # fmt: skip


def latex_text(text: str) -> str:
    r"""Return text as LaTeX.

    Example:
        >>> latex_text("50 % of W_h")
        '50 \\% of W\\_h'
    """
    return "".join(_WRITTEN.get(character, character) for character in text)


def without_unknown(latex: str) -> str:
    """Return a document in which what the usual fonts of LaTeX cannot write is told by its number: U+65E5."""
    return _UNKNOWN.sub(lambda found: f"U+{ord(found[0]):04X}", latex)
