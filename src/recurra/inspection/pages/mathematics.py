"""Mathematics in a page of HTML: LaTeX becomes MathML, which browsers set by themselves."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

_MATH = re.compile(r"^<math[^>]*>(.*)</math>$", re.S)
_LETTERS = re.compile(r'(?:<mi mathvariant="normal">(?:[^<&]|&[^;]+;)</mi>){2,}')
_LETTER = re.compile(r"<[^>]*>")
_PLUS_EQUALS = re.compile(r"<mspace[^>]*/><mtext>\+=</mtext><mspace[^>]*/>")
_BARE_FUNCTION = re.compile(r"(<mi>(?:tanh|log|sin|cos|exp)</mi>)(?=<m(?:n|i|sub|sup|frac|sqrt)\b)")
_FUNCTION_BEHIND = re.compile(
    r"(</m(?:n|i|sub|sup|subsup|frac)>|<mo[^>]*>&#x00029;</mo>)(?=<mi>(?:tanh|log|sin|cos|exp)</mi>)"
)
_MINUS = "<mo>&#x02212;</mo>"
# behind another sign, but not behind what closes a parenthesis
_UNARY = re.compile(rf"(<mo[^>]*>(?!&#x0002[9];|&#x0005D;|[)|\]])[^<]*</mo>(?:<mspace[^>]*/>)?){_MINUS}")
_UNARY_MINUS = r'\1<mo form="prefix" lspace="0" rspace="0">&#x02212;</mo>'
_ALONE = re.compile(r"<mrow>(<mi>[^<]{2,}</mi>)</mrow>")
_CHOICE = re.compile("<mo>(max|min)</mo>")
_INDEX = re.compile(
    r"(<msub(?:sup)?><mi[^>]*>[^<]*</mi><mrow>)((?:<m[ino][^>]*>[^<]*</m[ino]>|<mspace[^>]*/>)*)(?=</mrow>)"
)
_TIGHT = '<mo lspace="0" rspace="0">'
_THIN = r'\1<mspace width="0.167em" />'
_TRANSPOSED, _UPRIGHT = "<mo>&#x022A4;</mo>", '<mi mathvariant="normal">&#x022A4;</mi>'
_DOT, _OPERATOR_DOT = "&#x000B7;", "&#x022C5;"


@lru_cache(maxsize=2048)
def mathml(latex: str) -> str:
    r"""Return LaTeX as a ``math`` element that stands in a line, with the LaTeX beside it for those who copy.

    Args:
        latex: What ``equations.latex`` writes, or as plain as that.

    Example:
        >>> "<msub>" in mathml("h_{t}")
        True
    """
    from latex2mathml.converter import convert

    match = _MATH.match(convert(latex))
    assert match, "what is converted is one element"
    return (
        f'<math displaystyle="true"><semantics>{_mended(match[1])}'
        f'<annotation encoding="application/x-tex">{escape(latex, quote=False)}</annotation></semantics></math>'
    )


def _mended(element: str) -> str:
    """Return MathML as browsers set it well, where the converter's is set with gaps or without them."""
    element = _LETTERS.sub(lambda found: f"<mi>{_LETTER.sub('', found[0])}</mi>", element)
    # an operator, even one that is alone in an exponent, is given room on both sides
    element = element.replace(_TRANSPOSED, _UPRIGHT).replace(_DOT, _OPERATOR_DOT)
    element = _INDEX.sub(lambda found: found[1] + found[2].replace("<mo>", _TIGHT), _ALONE.sub(r"\1", element))
    element = _UNARY.sub(_UNARY_MINUS, element)
    element = _CHOICE.sub(r"<mi>\1</mi>", element)
    element = _PLUS_EQUALS.sub("<mo>+=</mo>", element)
    return _FUNCTION_BEHIND.sub(_THIN, _BARE_FUNCTION.sub(_THIN, element))
