"""Turns terms that point to recorded nodes into terms of names, and moves cuts to where they are short."""

from __future__ import annotations

from collections.abc import Callable

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.terms import Term


def with_args(term: Term, args: tuple[Term, ...]) -> Term:
    """Build a term anew of other arguments."""
    builders: dict[str, Callable[..., Term]] = {
        "add": t.add, "mul": t.mul, "neg": t.neg, "div": t.div, "matmul": t.matmul, "transpose": t.transpose,
        "indicator": t.indicator,
    }  # fmt: skip
    if not args:
        return term
    if term.op in builders:
        return builders[term.op](*args)
    if term.op == "where":
        found = t.where(*(t.ZERO if arg.op == "zeros" else arg for arg in args))
        return found if found.shape == term.shape else t.where(*args)
    if term.op == "power":
        return t.power(args[0], term.value)
    if term.op == "function":
        inner = tuple(map(_without_stops, args)) if term.value == "stop" else args
        return t.function(term.value, *inner, shape=term.shape)
    if term.op == "compare":
        return t.compare(term.value, *args)
    if term.op == "stack":
        return t.stack(args, term.value)
    if term.op == "cut":
        return short_cut(args[0], *term.value)
    if term.op == "pick":
        return t.pick(args[0], *term.value)
    return Term(term.op, args, term.value, term.shape)


def _without_stops(term: Term) -> Term:
    """Return a term without the stops inside it, where one outside does for all."""
    if term.op == "function" and term.value == "stop":
        return _without_stops(term.args[0])
    return with_args(term, tuple(map(_without_stops, term.args)))


def short_cut(term: Term, axis: int, start: int, stop: int) -> Term:
    """Return some rows or columns of a term, as terms of cut arguments wherever that says the same."""
    if (start, stop) == (0, term.shape[axis]):
        return term

    def part(inner: Term) -> Term:
        return inner if inner.shape[axis] == 1 and term.shape[axis] != 1 else short_cut(inner, axis, start, stop)

    is_by_element = term.op in ("add", "mul", "neg", "div", "power", "where", "compare", "indicator") or (
        term.op == "function" and FUNCTIONS[term.value].is_elementwise
    )
    if is_by_element:
        args = tuple(map(part, term.args))
        found = with_args(term, args)
        return Term("function", args, term.value, t.stretched(*args)) if term.op == "function" else found
    if term.op == "matmul":
        left, right = term.args
        if axis == 0:
            return t.matmul(short_cut(left, 0, start, stop), right)
        return t.matmul(left, short_cut(right, 1, start, stop))
    if term.op == "transpose":
        return t.transpose(short_cut(term.args[0], 1 - axis, start, stop))
    if term.op == "cut" and term.value[0] == axis:
        first = term.value[1]
        return short_cut(term.args[0], axis, first + start, first + stop)
    if term.op in ("zeros", "ones"):
        shape = (stop - start, term.shape[1]) if axis == 0 else (term.shape[0], stop - start)
        return Term(term.op, shape=shape)
    return _cut_of_stack(term, axis, start, stop) if term.op == "stack" else t.cut(term, axis, start, stop)


def _cut_of_stack(term: Term, axis: int, start: int, stop: int) -> Term:
    if term.value != axis:
        return t.stack(tuple(short_cut(part, axis, start, stop) for part in term.args), term.value)
    parts, first = [], 0
    for part in term.args:
        last = first + part.shape[axis]
        if first < stop and last > start:
            parts.append(short_cut(part, axis, max(start - first, 0), min(stop, last) - first))
        first = last
    return t.stack(tuple(parts), axis)
