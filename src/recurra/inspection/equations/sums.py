"""Sums: like parts are added up, and what parts share is taken out."""

from __future__ import annotations

from collections.abc import Iterable

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.joining import Simplify, joined, shape_of
from recurra.inspection.equations.plain import is_negative
from recurra.inspection.equations.products import Key, Product, spread
from recurra.inspection.equations.terms import Shape, Term


def simple_sum(term: Term, simplify: Simplify) -> Term:
    """Return a sum of simple parts as a lecturer would write it.

    Args:
        term: The sum.
        simplify: What makes a part that is new here simple.
    """
    parts = joined(_like_parts(_opened(term)), simplify)
    return spread(_factored(parts, term.shape, simplify), term.shape)


def _opened(term: Term) -> list[Product]:
    """Return the parts of a sum; a sum that is subtracted is opened too."""
    found: list[Product] = []
    for part in term.args:
        if part.op == "neg" and part.args[0].op == "add":
            found.extend(Product.of(t.neg(inner)) for inner in part.args[0].args)
        else:
            found.append(Product.of(part))
    return found


def _like_parts(parts: Iterable[Product]) -> list[Product]:
    found: dict[Key, Product] = {}
    for part in parts:
        key = part.shape, frozenset((key, exponent) for key, (_, exponent) in part.factors.items())
        found[key] = part if key not in found else _added(found[key], part)
    return [part for part in found.values() if part.numerator]


def _added(part: Product, other: Product) -> Product:
    """Return the sum of two products that differ in their numbers only."""
    if part.denominator == other.denominator:
        upper, lower = part.numerator + other.numerator, part.denominator
    else:
        upper = part.numerator * other.denominator + other.numerator * part.denominator
        lower = part.denominator * other.denominator
    found = Product(part.shape, upper, lower, part.factors)
    found.reduce()
    return found


def _factored(parts: list[Product], shape: Shape, simplify: Simplify) -> Term:
    """Take out what all parts share, or else what those with one gradient share."""
    if not parts:
        return t.ZERO
    if len(parts) == 1:
        return parts[0].term()
    outer = shared_product(parts)
    if outer.factors or outer.size != (1, 1):
        return _taken_out(outer, parts, shape, simplify).term()
    return _ordered([part.term() for part in _by_gradients(parts, simplify)])


def _by_gradients(parts: list[Product], simplify: Simplify) -> list[Product]:
    groups: dict[Key, list[Product]] = {}
    for place, part in enumerate(parts):
        gradients = (
            key for key, (factor, _) in part.factors.items() if factor.op == "name" and factor.value.is_gradient
        )
        groups.setdefault(next(gradients, place), []).append(part)
    return [
        group[0] if len(group) == 1 else _taken_out(shared_product(group), group, shape_of(group), simplify)
        for group in groups.values()
    ]


def shared_product(parts: list[Product]) -> Product:
    """Return the product of what all parts have in common, with the number if it is the same up to its sign."""
    first, *others = parts
    found = Product((1, 1))
    for key, (factor, exponent) in first.factors.items():
        exponents = [exponent, *(other.factors.get(key, (factor, 0))[1] for other in others)]
        # what is in some parts a factor and in others a divisor is in none of them shared
        shared = min(exponents) if exponent > 0 else max(exponents)
        if shared * exponent > 0:
            found.multiply(factor, shared)
    if all(part.factors for part in parts) and len({part.size for part in parts}) == 1:
        found.numerator, found.denominator = first.size
    return found


def _taken_out(outer: Product, parts: list[Product], shape: Shape, simplify: Simplify) -> Product:
    rests = []
    for part in parts:
        rest = part.divided(outer.factors.values()).bare()
        if outer.size != (1, 1):
            rest.numerator, rest.denominator = (1 if part.numerator > 0 else -1), 1
        rests.append(rest.term())
    found = Product.of(t.mul(outer.bare().term(), simplify(t.add(*rests))))
    found.shape = shape
    return found


def _ordered(parts: list[Term]) -> Term:
    """Return the sum with its number before what is subtracted from it: ``a + 1 - b``."""
    total = t.add(*parts)
    if total.op != "add" or total.args[-1].op != "number" or is_negative(total.args[-1]) or is_negative(total.args[0]):
        return total
    *others, number = total.args
    place = next((place for place, part in enumerate(others) if is_negative(part)), len(others))
    return Term("add", (*others[:place], number, *others[place:]), shape=total.shape)
