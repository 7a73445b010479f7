"""Parts of a sum that become one: choices with one condition, blocks, sums, products with one matrix."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.products import Product, key_of, spread
from recurra.inspection.equations.terms import Shape, Term

Simplify = Callable[[Term], Term]
# each part with the factor for which it is in the group
Group = list[tuple[Product, Term]]
Join = Callable[[Group], Term | None]
_LINEAR = ("sum", "mean", "cumsum", "reverse_cumsum")


def joined(parts: Sequence[Product], simplify: Simplify) -> list[Product]:
    """Join the parts of a sum where that makes fewer of them.

    Args:
        parts: The parts.
        simplify: What makes a joined part simple.
    """
    found = _grouped(parts, _condition_of, _one_choice, simplify)
    found = _grouped(found, _blocks_of, _one_stack, simplify)
    found = _grouped(found, _linear_of, _one_function, simplify)
    found = _grouped(found, lambda part: _matrices_of(part, 0), lambda group: _one_matmul(group, 0), simplify)
    return _grouped(found, lambda part: _matrices_of(part, 1), lambda group: _one_matmul(group, 1), simplify)


def _grouped(
    parts: Sequence[Product],
    find: Callable[[Product], tuple[Hashable, Term] | None],
    join: Join,
    simplify: Simplify,
) -> list[Product]:
    """Put what joins parts with one key in the place of the first of them."""
    groups: dict[Hashable, list[tuple[int, Term]]] = {}
    for place, part in enumerate(parts):
        found = find(part)
        if found is not None:
            groups.setdefault(found[0], []).append((place, found[1]))
    kept: dict[int, Product] = dict(enumerate(parts))
    for group in groups.values():
        term = join([(parts[place], factor) for place, factor in group]) if len(group) > 1 else None
        if term is not None:
            first, *others = (place for place, _ in group)
            kept[first] = Product.of(simplify(term))
            for place in others:
                del kept[place]
    return [part for part in kept.values() if part.numerator]


def shape_of(parts: Iterable[Product]) -> Shape:
    """Return the shape of a sum of products."""
    shapes = [part.shape for part in parts]
    return max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)


def _only(part: Product, op: str) -> Term | None:
    """Return the one factor of an operation that a part has."""
    found = [factor for factor, exponent in part.factors.values() if factor.op == op and exponent == 1]
    return found[0] if len(found) == 1 else None


def _alone(part: Product, op: str) -> Term | None:
    """Return the factor of an operation if a part has no other."""
    return _only(part, op) if len(part.factors) == 1 else None


def _rest(part: Product, factor: Term) -> Term:
    return part.divided([(factor, 1)]).bare().term()


def _condition_of(part: Product) -> tuple[Hashable, Term] | None:
    choice = _only(part, "where")
    return None if choice is None else (key_of(choice.args[0]), choice)


def _one_choice(group: Group) -> Term:
    shape = shape_of(part for part, _ in group)
    branches = [
        spread(t.add(*(t.mul(_rest(part, choice), choice.args[branch]) for part, choice in group)), shape)
        for branch in (1, 2)
    ]
    return t.where(group[0][1].args[0], *branches)


def _linear_of(part: Product) -> tuple[Hashable, Term] | None:
    found = _alone(part, "function")
    if found is None or found.value not in _LINEAR:
        return None
    return (found.value, found.args[0].shape), found


def _one_function(group: Group) -> Term:
    inner = (t.mul(_rest(part, found), found.args[0]) for part, found in group)
    first = group[0][1]
    return t.function(first.value, t.add(*inner), shape=first.shape)


def _matrices_of(part: Product, side: int) -> tuple[Hashable, Term] | None:
    found = _alone(part, "matmul")
    return None if found is None else ((key_of(found.args[side]), found.args[1 - side].shape), found)


def _one_matmul(group: Group, side: int) -> Term:
    """Write ``A u + A v`` as ``A (u + v)``, and from the other side likewise."""
    total = t.add(*(t.mul(_rest(part, found), found.args[1 - side]) for part, found in group))
    same = group[0][1].args[side]
    return t.matmul(same, total) if side == 0 else t.matmul(total, same)


def _blocks_of(part: Product) -> tuple[Hashable, Term] | None:
    found = _alone(part, "stack")
    if found is None or all(block.op != "zeros" for block in found.args):
        return None
    return (found.value, found.shape), found


def _one_stack(group: Group) -> Term | None:
    """Put blocks with zeros elsewhere into one matrix; ``None`` if they overlap in part."""
    axis, shape = group[0][1].value, group[0][1].shape
    blocks: dict[tuple[int, int], Term] = {}
    for part, stack in group:
        start, factor = 0, _rest(part, stack)
        for block in stack.args:
            stop = start + block.shape[axis]
            if block.op != "zeros":
                here = t.mul(factor, block)
                blocks[start, stop] = t.add(blocks[start, stop], here) if (start, stop) in blocks else here
            start = stop
    found: list[Term] = []
    reached = 0
    for start, stop in sorted(blocks):
        if start < reached:
            return None
        found += zeros_beside(shape, axis, start - reached)
        found.append(blocks[start, stop])
        reached = stop
    return t.stack((*found, *zeros_beside(shape, axis, shape[axis] - reached)), axis)


def zeros_beside(shape: Shape, axis: int, size: int) -> tuple[Term, ...]:
    """Return the zeros that fill so many rows (axis 0) or columns (axis 1) of that shape; none for a size of 0."""
    return (t.zeros((size, shape[1]) if axis == 0 else (shape[0], size)),) if size else ()
