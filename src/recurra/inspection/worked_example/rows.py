"""Rows of a worked example from lines and values: names and equations with the step's number in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from recurra.inspection.equations.latex import latex_line, latex_symbol
from recurra.inspection.equations.plain import plain_line, plain_symbol
from recurra.inspection.equations.terms import Line, Symbol
from recurra.inspection.worked_example.exact_text import exact_latex, exact_plain
from recurra.inspection.worked_example.example import Relation, Row
from recurra.inspection.worked_example.symbols import Value

_MAX_EXACT_LENGTH = 60
_SUBSCRIPTS = str.maketrans("0123456789-", "₀₁₂₃₄₅₆₇₈₉₋")
_PLAIN_TIME = re.compile("ₜ(₋₁)?")


def plain_at(text: str, step: int | None) -> str:
    """Return plain text with the number of a step in place of t, and the one before in place of t-1."""
    if step is None:
        return text
    return _PLAIN_TIME.sub(lambda found: str(step - 1 if found[1] else step).translate(_SUBSCRIPTS), text)


class RowWriter:
    """Writes rows.

    Args:
        spelled_out: Names that LaTeX writes letter by letter, as others would look like them.
    """

    def __init__(self, spelled_out: Collection[str] = ()) -> None:
        self.spelled_out = spelled_out

    def of_line(self, line: Line, value: Value, step: int | None, relation: Relation = "is", note: str = "") -> Row:
        """Return the row of a quantity that an equation gives."""
        equation = plain_at(plain_line(line), step)
        latex = latex_line(line, align=False, spelled_out=self.spelled_out, at=step)
        return replace(
            self.of_value(line.target, value, step, note), equation=equation, equation_latex=latex, relation=relation
        )

    def of_value(self, symbol: Symbol, value: Value, step: int | None, note: str = "") -> Row:
        """Return the row of a quantity that is given."""
        return Row(
            symbol=plain_at(plain_symbol(symbol), step),
            symbol_latex=latex_symbol(symbol, self.spelled_out, at=step),
            equation="",
            equation_latex="",
            value=value,
            exact=_exact(value, exact_plain),
            exact_latex=_exact(value, exact_latex),
            note=note,
        )


def _exact(value: Value, write: Callable[[Any], str]) -> str:
    """Return the exact value where it is short."""
    if value.exact is None or not value.exact.size:
        return ""
    entries = list(value.exact.flat)
    if len(set(entries)) == 1:
        del entries[1:]
    # a matrix of different entries would lose its form; and both texts show the same, by the length of the plain one
    is_column = len(entries) == 1 or value.exact.shape[1] == 1
    if not is_column or sum(len(exact_plain(entry)) + 2 for entry in entries) > _MAX_EXACT_LENGTH:
        return ""
    texts = [write(entry) for entry in entries]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
