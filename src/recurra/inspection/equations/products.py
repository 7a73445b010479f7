"""Products in normal form: a number, and factors with whole exponents."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from math import gcd

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.plain import is_negative
from recurra.inspection.equations.terms import Shape, Term

Key = Hashable


def key_of(term: Term) -> Key:
    """Return what two terms have in common only if they are the same, the sizes of zeros and ones included."""
    return term.op, term.value, term.shape, tuple(map(key_of, term.args))


def _holds_gradient(term: Term) -> bool:
    """Say whether a gradient stands inside."""
    return any(symbol.is_gradient for symbol in term.symbols())


def spread(term: Term, shape: Shape) -> Term:
    """Return a term of that shape: a smaller one is stretched, beside ones."""
    if term.shape == shape:
        return term
    return t.zeros(shape) if term.is_number(0) else t.mul(term, t.ones(shape))


@dataclass
class Product:
    """A product element by element.

    Attributes:
        shape: Its shape, also where the factors alone have a smaller one.
        numerator: The number that it is multiplied by; it carries the sign.
        denominator: The number that it is divided by, not below 0.
        factors: Each factor with its exponent, in the order of appearance.
    """

    shape: Shape
    numerator: float = 1
    denominator: float = 1
    factors: dict[Key, tuple[Term, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, term: Term) -> Product:
        """Read a term as a product; any term but a product, a quotient or a power is a factor."""
        found = cls(term.shape)
        found._take(term, 1)
        found.reduce()
        return found

    def _take(self, term: Term, exponent: int) -> None:
        if term.op == "neg":
            self.numerator *= -1
            self._take(term.args[0], exponent)
        elif term.op == "number":
            self._take_number(term.value, exponent)
        elif term.op == "mul":
            for part in term.args:
                self._take(part, exponent)
        elif term.op == "div":
            self._take(term.args[0], exponent)
            self._take(term.args[1], -exponent)
        elif term.op == "power" and isinstance(term.value, int):
            self.multiply(term.args[0], term.value * exponent)
        elif term.op == "zeros" and exponent > 0:
            self.numerator = 0
        elif term.op != "ones":
            self.multiply(term, exponent)

    def _take_number(self, value: float, exponent: int) -> None:
        if exponent > 0:
            self.numerator *= value
        else:
            self.denominator *= value

    def multiply(self, factor: Term, exponent: int) -> None:
        """Multiply by a power of a factor."""
        key = key_of(factor)
        total = exponent + (self.factors[key][1] if key in self.factors else 0)
        self.factors[key] = (factor, total)
        if not total:
            del self.factors[key]

    def reduce(self) -> None:
        """Shorten the fraction."""
        if self.denominator < 0:
            self.numerator, self.denominator = -self.numerator, -self.denominator
        if isinstance(self.numerator, int) and isinstance(self.denominator, int):
            shared = gcd(self.numerator, self.denominator) or 1
            self.numerator, self.denominator = self.numerator // shared, self.denominator // shared
        elif abs(self.numerator) != 1 and self.denominator:
            self.numerator, self.denominator = self.numerator / self.denominator, 1

    @property
    def size(self) -> tuple[float, float]:
        """The number without its sign."""
        return abs(self.numerator), self.denominator

    def divided(self, others: Iterable[tuple[Term, int]]) -> Product:
        """Return the product divided by powers of factors."""
        found = Product(self.shape, self.numerator, self.denominator, dict(self.factors))
        for factor, exponent in others:
            found.multiply(factor, -exponent)
        return found

    def bare(self) -> Product:
        """Return the product in the shape that its factors have."""
        shape = t.stretched(*(factor for factor, _ in self.factors.values())) if self.factors else (1, 1)
        return Product(shape, self.numerator, self.denominator, dict(self.factors))

    def term(self) -> Term:
        """Return the product as a term: the number, gradients, names, functions, products of matrices, parentheses."""
        self._turn_differences()
        ordered = sorted(self.factors.values(), key=lambda factor: _rank(factor[0]))
        above = [t.power(factor, exponent) for factor, exponent in ordered if exponent > 0]
        below = [t.power(factor, -exponent) for factor, exponent in ordered if exponent < 0]
        if self.denominator != 1:
            below.insert(0, t.number(self.denominator))
        found = t.mul(t.number(self.numerator), *above)
        return spread(t.div(found, t.mul(*below)) if below else found, self.shape)

    def _turn_differences(self) -> None:
        """Write a minus before ``a - b`` as ``b - a``, but leave ``1 - a``."""
        factors, self.factors = self.factors, {}
        for factor, exponent in factors.values():
            is_turned = factor.op == "add" and exponent % 2 == 1 and _reads_better_turned(factor, self.numerator < 0)
            self.multiply(t.add(*map(t.neg, factor.args)) if is_turned else factor, exponent)
            self.numerator *= -1 if is_turned else 1


def _reads_better_turned(total: Term, is_subtracted: bool) -> bool:
    num_negative = sum(map(is_negative, total.args))
    num_positive = len(total.args) - num_negative
    has_number = any(part.op == "number" and part.value > 0 for part in total.args)
    is_better = num_negative > num_positive or (num_negative == num_positive and not has_number)
    return not num_positive or (is_subtracted and is_better)


def _rank(factor: Term) -> int:
    if factor.op != "add" and _holds_gradient(factor):
        return 0
    while factor.op in ("transpose", "cut", "pick", "power"):
        factor = factor.args[0]
    ranks = {"name": 1, "zeros": 1, "ones": 1, "function": 2, "repeat": 2, "block_sum": 2, "matmul": 3, "indicator": 4}
    return ranks.get(factor.op, 5)
