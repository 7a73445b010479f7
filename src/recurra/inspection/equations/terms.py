"""Terms: what equations are made of, seen from one row of a batch.

Every term stands for a matrix. A vector is a column, (n, 1), a number or what is one number a row is (1, 1), and sizes
of 1 are stretched where terms meet element by element, as in NumPy. So a tensor (B, n) of a cell is (n, 1) here, a
parameter (n,) too, and a weight (m, n) is as it is: ``linear(x, W)`` reads W x.

The operations, by ``Term.op``:

================  ==============================================================================================
``number``        ``value`` is an int or a float
``name``          ``value`` is a :class:`Symbol`
``zeros, ones``   a matrix of that ``shape``
``add, mul``      element by element, of two or more; ``neg``, ``div`` (two), ``power`` (term and a number)
``matmul``        the product of two matrices
``transpose``     of one
``function``      ``value`` is a name of ``functions.py``; what it takes is told there
``where``         condition, then, else
``compare``       ``value`` is one of < <= > >= == !=
``indicator``     1 where a condition holds, else 0
``stack``         parts below each other (``value`` 0) or beside each other (``value`` 1)
``cut``           ``value`` is (axis, start, stop), counted from 0, stop left out as in Python
``pick``          ``value`` is (axis, indices), a tuple of row or column numbers counted from 0
``repeat``        every row of one term ``value`` times in turn
``block_sum``     the sum of every ``value`` rows that follow each other
================  ==============================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Shape = tuple[int, int]
Kind = Literal["input", "state", "weight", "constant", "value"]


@dataclass(frozen=True)
class Symbol:
    """A name in an equation.

    Attributes:
        name: As ``forward`` has it, ``h``, or made of a parameter's: ``W_xi``.
        time: 0 for what belongs to this step (t), -1 for the step before; ``None`` for what is the same in all steps.
        version: 0, or which assignment of the name in a step is meant, where a later one takes its place.
        is_gradient: Whether the derivative of the loss by it is meant.
        kind: What it is.
    """

    name: str
    time: int | None = None
    version: int = 0
    is_gradient: bool = False
    kind: Kind = field(default="value", compare=False)

    @property
    def gradient(self) -> Symbol:
        """The derivative of the loss by it."""
        return replace(self, is_gradient=True)


@dataclass(frozen=True)
class Term:
    """An expression; two are equal if they read alike, whatever their shapes."""

    op: str
    args: tuple[Term, ...] = ()
    value: Any = None
    shape: Shape = field(default=(1, 1), compare=False)

    def walk(self) -> Iterator[Term]:
        """Yield the term and all inside it, outermost first."""
        yield self
        for arg in self.args:
            yield from arg.walk()

    def symbols(self) -> Iterator[Symbol]:
        """Yield the symbols inside, with repetitions."""
        return (term.value for term in self.walk() if term.op == "name")

    def is_number(self, value: float | None = None) -> bool:
        """Say whether this is a number, or that number."""
        return self.op == "number" and (value is None or self.value == value)


@dataclass(frozen=True)
class Line:
    """An equation: what a name stands for.

    Attributes:
        target: The name on the left.
        term: What stands on the right.
        place: The line of the cell it comes from, as ``file:number: text``; empty where it is from none.
        is_sum: Whether the term is added to what the target has already: ``+=``. For a weight, over all steps.
    """

    target: Symbol
    term: Term
    place: str = ""
    is_sum: bool = False


ZERO, ONE = Term("number", value=0), Term("number", value=1)


def number(value: float) -> Term:
    """Return a number; a whole one is an int, and of others the digits that rounding left behind are dropped."""
    if isinstance(value, float) and 1e-300 < abs(value) < math.inf:
        value = float(f"{value:.15g}")
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return Term("number", value=int(value) if is_whole else value)


def name(symbol: Symbol, shape: Shape) -> Term:
    """Return a symbol as a term."""
    return Term("name", value=symbol, shape=shape)


def stretched(*terms: Term) -> Shape:
    """Return the shape of what terms give when they meet element by element."""
    return max(t.shape[0] for t in terms), max(t.shape[1] for t in terms)


def add(*terms: Term) -> Term:
    """Return a sum; sums inside are opened, numbers are added up and stand last."""
    parts: list[Term] = []
    total: float = 0
    for term in terms:
        for part in term.args if term.op == "add" else (term,):
            sign, inner = (-1, part.args[0]) if part.op == "neg" else (1, part)
            if inner.op == "number":
                total += sign * inner.value
            elif inner.op != "zeros":
                parts.append(part)
    shape = stretched(*terms)
    if total or not parts:
        parts.append(number(total) if total >= 0 or not parts else neg(number(-total)))
    if stretched(*parts) != shape:
        # what remains has a smaller shape than the zeros that went
        parts = [zeros(shape)] if parts == [ZERO] else [*parts, zeros(shape)]
    return parts[0] if len(parts) == 1 else Term("add", tuple(parts), shape=shape)


def neg(term: Term) -> Term:
    """Return minus a term."""
    if term.op == "neg":
        return term.args[0]
    if term.op == "number":
        return number(-term.value)
    return term if term.op == "zeros" else Term("neg", (term,), shape=term.shape)


def sub(a: Term, b: Term) -> Term:
    """Return a difference."""
    return add(a, neg(b))


def mul(*terms: Term) -> Term:
    """Return a product element by element; products inside are opened, numbers are multiplied and stand first."""
    parts: list[Term] = []
    factor: float = 1
    for term in terms:
        for outer in term.args if term.op == "mul" else (term,):
            sign, part = (-1, outer.args[0]) if outer.op == "neg" else (1, outer)
            factor *= sign
            for inner in part.args if part.op == "mul" else (part,):
                if inner.op == "number":
                    factor *= inner.value
                elif inner.op != "ones" or inner.shape != (1, 1):
                    parts.append(inner)
    shape = stretched(*terms)
    if factor == 0 or any(part.op == "zeros" for part in parts):
        return zeros(shape) if shape != (1, 1) else ZERO
    is_negative, factor = factor < 0, abs(factor)
    if factor != 1 or not parts:
        parts.insert(0, number(factor))
    found = parts[0] if len(parts) == 1 else Term("mul", tuple(parts), shape=shape)
    if found.shape != shape and found.op != "number":
        found = Term("mul", (*parts, ones(shape)), shape=shape)
    return neg(found) if is_negative else found


def div(a: Term, b: Term) -> Term:
    """Return a quotient element by element."""
    if b.is_number(1):
        return a
    if a.op == "neg":
        return neg(div(a.args[0], b))
    if a.is_number(0) or a.op == "zeros":
        shape = stretched(a, b)
        return zeros(shape) if shape != (1, 1) else ZERO
    return Term("div", (a, b), shape=stretched(a, b))


def power(base: Term, exponent: float) -> Term:
    """Return a power by a number."""
    if exponent == 1:
        return base
    return ONE if exponent == 0 and base.shape == (1, 1) else Term("power", (base,), number(exponent).value, base.shape)


def matmul(a: Term, b: Term) -> Term:
    """Return the product of two matrices; a minus goes outside."""
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"no product of {a.shape} and {b.shape}")
    if a.op == "neg":
        return neg(matmul(a.args[0], b))
    if b.op == "neg":
        return neg(matmul(a, b.args[0]))
    shape = a.shape[0], b.shape[1]
    return zeros(shape) if "zeros" in (a.op, b.op) else Term("matmul", (a, b), shape=shape)


def transpose(term: Term) -> Term:
    """Return the transposed matrix."""
    if term.op == "transpose":
        return term.args[0]
    if term.shape == (1, 1):
        return term
    if term.op in ("zeros", "ones"):
        return Term(term.op, shape=term.shape[::-1])
    return neg(transpose(term.args[0])) if term.op == "neg" else Term("transpose", (term,), shape=term.shape[::-1])


def function(which: str, *args: Term, shape: Shape | None = None) -> Term:
    """Return a function of ``functions.py``; its shape is that of its first argument if none is given."""
    return Term("function", args, which, args[0].shape if shape is None else shape)


def where(condition: Term, then: Term, otherwise: Term) -> Term:
    """Return the one where a condition holds, the other elsewhere."""
    return Term("where", (condition, then, otherwise), shape=stretched(condition, then, otherwise))


def compare(relation: str, a: Term, b: Term) -> Term:
    """Return a condition."""
    return Term("compare", (a, b), relation, stretched(a, b))


def indicator(condition: Term) -> Term:
    """Return 1 where a condition holds, else 0."""
    return Term("indicator", (condition,), shape=condition.shape)


def stack(parts: tuple[Term, ...], axis: int = 0) -> Term:
    """Return parts below each other (axis 0) or beside each other (axis 1)."""
    parts = tuple(part for part in parts if part.shape[axis]) or parts[:1]
    if len(parts) == 1:
        return parts[0]
    total = sum(part.shape[axis] for part in parts)
    other = max(part.shape[1 - axis] for part in parts)
    return Term("stack", parts, axis, (total, other) if axis == 0 else (other, total))


def cut(term: Term, axis: int, start: int, stop: int) -> Term:
    """Return some rows (axis 0) or columns (axis 1)."""
    if (start, stop) == (0, term.shape[axis]):
        return term
    shape = (stop - start, term.shape[1]) if axis == 0 else (term.shape[0], stop - start)
    return Term("cut", (term,), (axis, start, stop), shape)


def pick(term: Term, axis: int, indices: tuple[int, ...]) -> Term:
    """Return rows (axis 0) or columns (axis 1) by their numbers, in that order."""
    if not indices:
        return zeros((0, term.shape[1]) if axis == 0 else (term.shape[0], 0))
    if indices == tuple(range(indices[0], indices[0] + len(indices))):
        return cut(term, axis, indices[0], indices[0] + len(indices))
    shape = (len(indices), term.shape[1]) if axis == 0 else (term.shape[0], len(indices))
    return Term("pick", (term,), (axis, indices), shape)


def repeat(term: Term, times: int) -> Term:
    """Return every row ``times`` times in turn."""
    return term if times == 1 else Term("repeat", (term,), times, (term.shape[0] * times, term.shape[1]))


def block_sum(term: Term, size: int) -> Term:
    """Return the sum of every ``size`` rows that follow each other."""
    return term if size == 1 else Term("block_sum", (term,), size, (term.shape[0] // size, term.shape[1]))


def zeros(shape: Shape) -> Term:
    """Return a matrix of zeros."""
    return Term("zeros", shape=shape)


def ones(shape: Shape) -> Term:
    """Return a matrix of ones."""
    return Term("ones", shape=shape)
