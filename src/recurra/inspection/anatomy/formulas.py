"""Formulas in an input and a hidden size, found from what a thing measures at several sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

Sizes = Sequence[tuple[int, int]]
"""Pairs of an input size and a hidden size."""
Exponents = tuple[int, int]

SIZES = ((24, 40), (40, 88), (56, 72), (88, 56), (16, 120), (104, 24), (72, 16))
"""Sizes at which cells are built to find formulas: all but one tell a formula of degree 2, the last one checks it."""
EQUAL_SIZES = ((24, 24), (40, 40), (56, 56), (16, 16))
"""The same for cells that are another thing where both sizes are the same."""
LETTERS = ("d", "n")
"""How equations call the input and the hidden size."""

_MONOMIALS: tuple[Exponents, ...] = ((2, 0), (1, 1), (0, 2), (1, 0), (0, 1), (0, 0))
_POWERS = ("", "", "²")


@dataclass(frozen=True)
class Polynomial:
    """A polynomial of degree 2 at most in two sizes.

    Attributes:
        factors: The factor of each monomial, by the exponents of both sizes; none is 0.
    """

    factors: Mapping[Exponents, Fraction]

    def at(self, input_size: int, hidden_size: int) -> Fraction:
        """Return its value."""
        return sum((f * input_size**a * hidden_size**b for (a, b), f in self.factors.items()), start=Fraction(0))

    def text(self, letters: tuple[str, str] = LETTERS) -> str:
        """Write it as a lecturer does, what is common to the squares put before a parenthesis: ``4n(d + n) + 8n``."""
        a, b, c = (self.factors.get(exponents, Fraction(0)) for exponents in _MONOMIALS[:3])
        parts = []
        if b and c and not a:
            parts = [_factored(letters[1], b, c, letters)]
        elif a and b and not c:
            parts = [_factored(letters[0], a, b, letters)]
        rest = _MONOMIALS[3:] if parts else _MONOMIALS
        parts += [_monomial(self.factors[e], e, letters) for e in rest if e in self.factors]
        return _joined(parts) or "0"


def _factored(outer: str, a: Fraction, b: Fraction, letters: tuple[str, str]) -> str:
    """Write (a times the first letter + b times the second) times a letter."""
    common = Fraction(math.gcd(a.numerator, b.numerator), math.lcm(a.denominator, b.denominator))
    common = -common if a < 0 else common
    inner = _joined([_times(a / common, letters[0]), _times(b / common, letters[1])])
    return _times(common, f"{outer}({inner})")


def _monomial(factor: Fraction, exponents: Exponents, letters: tuple[str, str]) -> str:
    named = "".join(f"{x}{_POWERS[power]}" for x, power in zip(letters, exponents, strict=True) if power)
    return _times(factor, named) if named else str(factor)


def _times(factor: Fraction, what: str) -> str:
    top = {1: what, -1: f"-{what}"}.get(factor.numerator, f"{factor.numerator}{what}")
    return top if factor.denominator == 1 else f"{top}/{factor.denominator}"


def _joined(terms: Sequence[str]) -> str:
    return " + ".join(terms).replace("+ -", "- ")


def fit(values: Sequence[int], sizes: Sizes = SIZES, degree: int = 2) -> Polynomial | None:
    """Return the polynomial that has such values at such sizes, exactly; ``None`` if there is none.

    Args:
        values: One for each size.
        sizes: Where all input sizes equal the hidden sizes, the polynomial is one in the latter alone.
        degree: 1 or 2; the highest it may have.

    Raises:
        ValueError: When the sizes are too few to tell a polynomial from another.
    """
    is_diagonal = all(d == n for d, n in sizes)
    monomials = [(a, b) for a, b in _MONOMIALS if a + b <= degree and not (is_diagonal and a)]
    rows = [
        [Fraction(d**a * n**b) for a, b in monomials] + [Fraction(value)]
        for (d, n), value in zip(sizes, values, strict=True)
    ]
    for place in range(len(monomials)):
        if not _eliminate(rows, place):
            raise ValueError(f"{len(sizes)} sizes tell no polynomial of degree {degree}")
    if any(row[-1] for row in rows[len(monomials) :]):
        return None
    return Polynomial({e: row[-1] for e, row in zip(monomials, rows, strict=False) if row[-1]})


def _eliminate(rows: list[list[Fraction]], place: int) -> bool:
    """Make a column of a system that of a unit matrix, if that can be done."""
    pivot = next((k for k in range(place, len(rows)) if rows[k][place]), None)
    if pivot is None:
        return False
    rows[place], rows[pivot] = rows[pivot], rows[place]
    rows[place] = [value / rows[place][place] for value in rows[place]]
    for k, row in enumerate(rows):
        if k != place and row[place]:
            rows[k] = [value - row[place] * one for value, one in zip(row, rows[place], strict=True)]
    return True


def formula(values: Sequence[int], sizes: Sizes = SIZES, letters: tuple[str, str] = LETTERS, *, degree: int = 1) -> str:
    """Return what has such values at such sizes as a formula, or nothing if it is none of that degree.

    Example:
        >>> formula([2 * hidden_size for _, hidden_size in SIZES])
        '2n'
    """
    found = fit(values, sizes, degree)
    return "" if found is None else found.text(letters)


def shape_formula(shapes: Sequence[tuple[int, ...]], sizes: Sizes = SIZES, letters: tuple[str, str] = LETTERS) -> str:
    """Return a shape at such sizes as formulas; where there is none, as it is at the first of them."""
    parts = []
    for axis, first in enumerate(shapes[0]):
        d, n = sizes[0]
        there = f"{first} at {letters[0]} = {d}, {letters[1]} = {n}"
        parts.append(formula([shape[axis] for shape in shapes], sizes, letters) or there)
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
