"""Where an element of a view stands in what it views: indices that are affine functions of loop variables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recurra.loop.graph import Node


@dataclass(frozen=True)
class Affine:
    """An index: ``constant`` plus one multiple of each loop variable."""

    constant: int
    factors: tuple[int, ...]

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.constant + other, self.factors)
        pairs = zip(self.factors, other.factors, strict=True)
        return Affine(self.constant + other.constant, tuple(a + b for a, b in pairs))

    def __mul__(self, factor: int) -> Affine:
        return Affine(self.constant * factor, tuple(f * factor for f in self.factors))


Index = tuple[Affine, ...]


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a contiguous array."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def offset_of(index: Index, shape: tuple[int, ...], num_variables: int) -> Affine:
    """Return where the element at ``index`` stands in a contiguous array of ``shape``."""
    total = Affine(0, (0,) * num_variables)
    for place, stride, size in zip(index, strides_of(shape), shape, strict=True):
        if size > 1:
            total = total + place * stride
    return total


def identity(shape: tuple[int, ...]) -> tuple[tuple[int, ...], Index]:
    """Return the loops over an array of ``shape`` (axes of size one need none), and the index inside them."""
    domain = tuple(size for size in shape if size != 1)
    variables = iter(range(len(domain)))
    index = []
    for size in shape:
        chosen = next(variables) if size != 1 else None
        index.append(Affine(0, tuple(int(v == chosen) for v in range(len(domain)))))
    return domain, tuple(index)


def broadcast(index: Index, shape: tuple[int, ...]) -> Index:
    """Return the index into an operand of ``shape`` for an element of what it is broadcast to."""
    kept = index[len(index) - len(shape) :]
    return tuple(place * 0 if size == 1 else place for place, size in zip(kept, shape, strict=True))


def view_index(node: Node, index: Index) -> Index | None:
    """Return the index into the operand of a view; ``None`` where it is no affine one."""
    source = node.operands()[0].row_shape
    if node.op == "permute":
        axes = node.args[1]
        return tuple(index[axes.index(axis)] for axis in range(len(axes)))
    if node.op == "expand":
        return broadcast(index, source)
    if node.op == "slice":
        _, axis, start, step = node.args
        return (*index[:axis], index[axis] * step + start, *index[axis + 1 :])
    if node.op == "select":
        _, axis, place = node.args
        none = index[0] * 0 if index else Affine(0, ())
        return (*index[:axis], Affine(place, none.factors), *index[axis:])
    if node.op == "flip":
        axes = node.args[1]
        return tuple(i * -1 + (n - 1) if a in axes else i for a, (i, n) in enumerate(zip(index, source, strict=True)))
    return _reshaped(index, node.row_shape, source)


def _reshaped(index: Index, shape: tuple[int, ...], source: tuple[int, ...]) -> Index | None:
    """Match each source axis with the axes that it was split into; two axes that became one have no affine index."""
    none = index[0] * 0 if index else Affine(0, ())
    result: list[Affine] = []
    waiting = list(zip(shape, index, strict=True))
    for size in source:
        if size == 1:
            result.append(none)
            continue
        taken: list[tuple[int, Affine]] = []
        while math.prod(n for n, _ in taken) < size:
            if not waiting:
                return None
            taken.append(waiting.pop(0))
        if math.prod(n for n, _ in taken) != size:
            return None
        result.append(_flatten(taken, none))
    return tuple(result)


def _flatten(taken: list[tuple[int, Affine]], none: Affine) -> Affine:
    total = none
    for size, place in taken:
        if size != 1:
            total = total * size + place
    return total
