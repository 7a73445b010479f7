"""Numbers at the sizes asked for, with what they are at any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recurra.inspection.anatomy.formulas import Sizes, fit


@dataclass(frozen=True)
class Quantity:
    """A number at the sizes asked for.

    Attributes:
        number: The number.
        formula: What it is in the input size d and the hidden size n, such as ``4n(d + n) + 8n``; empty where it is no
            polynomial of degree 2.
        is_rounded: Whether the formula is exact only at sizes that divide evenly, and not here.
    """

    number: int
    formula: str = ""
    is_rounded: bool = False

    @property
    def exact(self) -> str:
        """The formula where it gives the number, else the number."""
        return self.formula if self.formula and not self.is_rounded else str(self.number)


def find_quantity(number: int, at: tuple[int, int], others: Sequence[int], sizes: Sizes, degree: int) -> Quantity:
    """Return a number with the formula that others of its kind tell, held against the number itself.

    Args:
        number: What is counted at the sizes asked for.
        at: These sizes: that of the input, and the hidden one.
        others: What is counted at ``sizes``; empty if nothing is known.
        sizes: Input and hidden sizes.
        degree: The highest that the formula may have.
    """
    found = fit(others, sizes, degree) if others else None
    if found is None:
        return Quantity(number)
    is_exact = found.at(*at) == number
    has_fractions = any(factor.denominator > 1 for factor in found.factors.values())
    return Quantity(number, found.text() if is_exact or has_fractions else "", is_rounded=not is_exact)
