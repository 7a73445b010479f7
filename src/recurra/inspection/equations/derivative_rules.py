"""How a gradient passes from the value of an operation to what the operation was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.expanding import short_cut
from recurra.inspection.equations.function_derivatives import through_function
from recurra.inspection.equations.joining import zeros_beside
from recurra.inspection.equations.terms import Shape, Term

Passed = Iterator[tuple[Term, Term]]
Rule = Callable[[Term, Term, Term], Passed]


def passed_down(term: Term, gradient: Term, result: Term) -> Passed:
    """Yield what stands directly inside a term, each with the gradient that it receives.

    What has no derivative, or one that is 0 everywhere, is left out: conditions, and what is rounded.

    Args:
        term: An operation.
        gradient: The derivative of the loss by its value, in its shape.
        result: Its value: a name where it has one, else the term itself.

    Raises:
        ChoiceError: If a function is unknown.
    """
    rule = _RULES.get(term.op)
    if rule is None:
        return
    for part, passed in rule(term, gradient, result):
        if not passed.is_number(0) and passed.op != "zeros":
            yield part, fitted(passed, part.shape)


def fitted(gradient: Term, shape: Shape) -> Term:
    """Return the gradient of something of that shape, summed where it had been stretched."""
    rows, columns = gradient.shape
    if gradient.shape == shape:
        return gradient
    if shape == (1, 1):
        return t.function("sum", gradient, shape=(1, 1))
    if shape[0] == 1 and rows > 1:
        gradient = t.matmul(t.ones((1, rows)), gradient)
    return gradient if shape[1] == gradient.shape[1] else t.matmul(gradient, t.ones((columns, 1)))


def _add(term: Term, gradient: Term, result: Term) -> Passed:
    for part in term.args:
        yield part, gradient


def _neg(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.neg(gradient)


def _mul(term: Term, gradient: Term, result: Term) -> Passed:
    for place, part in enumerate(term.args):
        yield part, t.mul(gradient, *term.args[:place], *term.args[place + 1 :])


def _div(term: Term, gradient: Term, result: Term) -> Passed:
    upper, lower = term.args
    yield upper, t.div(gradient, lower)
    yield lower, t.neg(t.div(t.mul(gradient, result), lower))


def _power(term: Term, gradient: Term, result: Term) -> Passed:
    (base,) = term.args
    yield base, t.mul(t.number(term.value), gradient, t.power(base, term.value - 1))


def _matmul(term: Term, gradient: Term, result: Term) -> Passed:
    left, right = term.args
    yield left, t.matmul(gradient, t.transpose(right))
    yield right, t.matmul(t.transpose(left), gradient)


def _transpose(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.transpose(gradient)


def _where(term: Term, gradient: Term, result: Term) -> Passed:
    condition, then, otherwise = term.args
    yield then, t.where(condition, gradient, t.ZERO)
    yield otherwise, t.where(condition, t.ZERO, gradient)


def _stack(term: Term, gradient: Term, result: Term) -> Passed:
    start = 0
    for part in term.args:
        stop = start + part.shape[term.value]
        yield part, short_cut(gradient, term.value, start, stop)
        start = stop


def _cut(term: Term, gradient: Term, result: Term) -> Passed:
    (inner,) = term.args
    axis, start, stop = term.value
    before = zeros_beside(inner.shape, axis, start)
    after = zeros_beside(inner.shape, axis, inner.shape[axis] - stop)
    yield inner, t.stack((*before, gradient, *after), axis)


def _pick(term: Term, gradient: Term, result: Term) -> Passed:
    """Yield the picked rows at their places; one picked more than once takes what each time gives."""
    (inner,) = term.args
    axis, indices = term.value
    size = inner.shape[axis]
    places: list[list[int]] = [[] for _ in range(size)]
    for place, index in enumerate(indices):
        places[index].append(place)
    longer = t.stack((gradient, *zeros_beside(inner.shape, axis, 1)), axis)
    for turn in range(max(map(len, places))):
        found = tuple(here[turn] if len(here) > turn else len(indices) for here in places)
        source = longer if len(indices) in found else gradient
        yield inner, t.pick(source, axis, found)


def _repeat(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.block_sum(gradient, term.value)


def _block_sum(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.repeat(gradient, term.value)


_RULES: dict[str, Rule] = {
    "add": _add,
    "neg": _neg,
    "mul": _mul,
    "div": _div,
    "power": _power,
    "matmul": _matmul,
    "transpose": _transpose,
    "function": through_function,
    "where": _where,
    "stack": _stack,
    "cut": _cut,
    "pick": _pick,
    "repeat": _repeat,
    "block_sum": _block_sum,
}
