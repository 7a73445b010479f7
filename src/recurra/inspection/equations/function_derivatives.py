"""How a gradient passes through each function of equations; at kinks, as torch has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from recurra.errors import ChoiceError
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.terms import Term

Passed = Iterator[tuple[Term, Term]]
_HALF = t.number(0.5)


def through_function(term: Term, gradient: Term, result: Term) -> Passed:
    """Yield what a function is of, each with the gradient that it receives, not yet fitted to its shape.

    Args:
        term: A function of terms.
        gradient: The derivative of the loss by its value.
        result: Its value: a name where it has one, else the term itself.

    Raises:
        ChoiceError: If no derivative is known for the function.
    """
    if term.value in _FACTORS:
        yield term.args[0], t.mul(gradient, _FACTORS[term.value](term.args[0], result))
    elif term.value in _RULES:
        yield from _RULES[term.value](term, gradient, result)
    elif term.value not in FLAT:
        raise ChoiceError("a function with a derivative", term.value, sorted({*_FACTORS, *_RULES, *FLAT}))


FLAT = frozenset(["sign", "floor", "stop"])
"""Functions through which no gradient passes."""

_FACTORS: dict[str, Callable[[Term, Term], Term]] = {
    "sigmoid": lambda v, y: t.mul(y, t.sub(t.ONE, y)),
    "tanh": lambda v, y: t.sub(t.ONE, t.power(y, 2)),
    "relu": lambda v, y: t.indicator(t.compare(">", v, t.ZERO)),
    "softplus": lambda v, y: t.function("sigmoid", v),
    "exp": lambda v, y: y,
    "sqrt": lambda v, y: t.div(t.ONE, t.mul(t.number(2), y)),
    "abs": lambda v, y: t.function("sign", v),
    "sin": lambda v, y: t.function("cos", v),
    "cos": lambda v, y: t.neg(t.function("sin", v)),
    "erf": lambda v, y: t.mul(t.number(2 / math.sqrt(math.pi)), t.function("exp", t.neg(t.power(v, 2)))),
}
"""By which each function of one matrix multiplies the gradient, entry by entry, from what it is of and its value."""


def _log(term: Term, gradient: Term, result: Term) -> Passed:
    (inner,) = term.args
    if inner.op == "function" and inner.value == "softmax":
        yield inner.args[0], t.sub(gradient, t.mul(inner, _total(gradient)))
    else:
        yield inner, t.div(gradient, inner)


def _extreme(relation: str, relation_at_bound: str) -> Callable[[Term, Term, Term], Passed]:
    def rule(term: Term, gradient: Term, result: Term) -> Passed:
        for place, part in enumerate(term.args):
            other = term.args[1 - place]
            if other.op == "number":
                # a number is a bound, as of torch.clamp: what reaches it is let through
                yield part, t.mul(gradient, t.indicator(t.compare(relation_at_bound, part, other)))
            elif part.op != "number":
                # of two that are equal, torch.maximum gives each a half
                wins, ties = (t.indicator(t.compare(sign, part, other)) for sign in (relation, "=="))
                yield part, t.mul(gradient, t.add(wins, t.mul(_HALF, ties)))

    return rule


def _mod(term: Term, gradient: Term, result: Term) -> Passed:
    value, divisor = term.args
    yield value, gradient
    quotient = t.div(value, divisor)
    yield divisor, t.neg(t.mul(gradient, t.function("floor", quotient)))


def _total(term: Term) -> Term:
    """Return the sum of each column, stretched where it meets the column."""
    rows, columns = term.shape
    if columns == 1:
        return t.function("sum", term, shape=(1, 1))
    return t.matmul(t.ones((1, rows)), term)


def _average(term: Term) -> Term:
    if term.shape[1] == 1:
        return t.function("mean", term, shape=(1, 1))
    return t.div(_total(term), t.number(term.shape[0]))


def _softmax(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.mul(result, t.sub(gradient, _total(t.mul(gradient, result))))


def _cumsum(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.function("reverse_cumsum", gradient)


def _reverse_cumsum(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.function("cumsum", gradient)


def _norm(term: Term, gradient: Term, result: Term) -> Passed:
    inner, epsilon = term.args
    deviation = t.function("deviation", inner, epsilon, shape=(1, inner.shape[1]))
    along = t.mul(result, _average(t.mul(gradient, result)))
    yield inner, t.div(t.sub(t.sub(gradient, _average(gradient)), along), deviation)
    yield epsilon, t.neg(t.div(t.mul(gradient, result), t.mul(t.number(2), t.power(deviation, 2))))


def _deviation(term: Term, gradient: Term, result: Term) -> Passed:
    inner, epsilon = term.args
    centred = t.function("norm", inner, epsilon)
    yield inner, t.div(t.mul(gradient, centred), t.number(inner.shape[0]))
    yield epsilon, t.div(gradient, t.mul(t.number(2), result))


def _sum(term: Term, gradient: Term, result: Term) -> Passed:
    yield term.args[0], t.mul(gradient, t.ones(term.args[0].shape))


def _mean(term: Term, gradient: Term, result: Term) -> Passed:
    rows, columns = term.args[0].shape
    yield term.args[0], t.div(t.mul(gradient, t.ones((rows, columns))), t.number(rows * columns))


_RULES: dict[str, Callable[[Term, Term, Term], Passed]] = {
    "log": _log,
    "max": _extreme(">", ">="),
    "min": _extreme("<", "<="),
    "mod": _mod,
    "softmax": _softmax,
    "cumsum": _cumsum,
    "reverse_cumsum": _reverse_cumsum,
    "norm": _norm,
    "deviation": _deviation,
    "sum": _sum,
    "mean": _mean,
}
