"""The mathematical form of torch's operations: from a call, with the values it was given, to a term.

A form is registered under the last part of the operation's name, without the underscores of operators and of changes in
place. It is called with the sizes of one row of the result and what torch was called with, tensors as values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.terms import Term
from recurra.inspection.equations.values import RANDOM, NoFormError, Value, meet

Dims = tuple[int, ...]
Form = Callable[..., Any]
_THRESHOLD = 20.0
FormType = TypeVar("FormType", bound=Form)
FORMS: dict[str, Form] = {}


def form(*names: str) -> Callable[[FormType], FormType]:
    """Return a decorator that registers the form of operations."""

    def add(function: FormType) -> FormType:
        FORMS.update(dict.fromkeys(names, function))
        return function

    return add


def as_value(item: Any) -> Value:
    """Return a value; a plain number becomes one."""
    if isinstance(item, Value):
        return item
    if isinstance(item, bool | int | float):
        return Value(torch.tensor(item), t.number(item), is_constant=True)
    raise NoFormError(f"it was given {item!r}")


def terms_of(dims: Dims, *items: Any) -> list[Term]:
    """Return what meets element by element as terms."""
    return meet(dims, [as_value(item) for item in items])


def plain_number(item: Any, what: str) -> float:
    """Return an argument that must be a plain number."""
    found = constant_number(item)
    if found is None:
        raise NoFormError(f"{what} is no plain number")
    return found


def constant_number(item: Any) -> float | None:
    """Return the number that an argument is, or that all entries of a constant are; ``None`` if it is none."""
    if isinstance(item, bool | int | float):
        return item
    if not isinstance(item, Value) or not item.is_fixed or not item.tensor.numel():
        return None
    flat = item.tensor.reshape(-1)
    return float(flat[0]) if bool((flat == flat[0]).all()) else None


def _register_functions() -> None:
    """Register what a function of equations says directly, or in a few terms of one argument."""

    def one(build: Callable[[Term], Term]) -> Form:
        # inplace says where torch writes, which is of no account here
        return lambda dims, a, inplace=False: build(*terms_of(dims, a))

    def named(name: str) -> Form:
        return one(lambda a: t.function(name, a))

    for name in ("sigmoid", "tanh", "relu", "exp", "log", "sqrt", "abs", "sign", "sin", "cos", "erf", "floor"):
        FORMS[name] = named(name)
    FORMS.update(expit=FORMS["sigmoid"], absolute=FORMS["abs"], sgn=FORMS["sign"])
    builders: dict[str, Callable[[Term], Term]] = {
        "neg": t.neg,
        "pos": lambda a: a,
        "square": lambda a: t.power(a, 2),
        "reciprocal": lambda a: t.div(t.ONE, a),
        "rsqrt": lambda a: t.div(t.ONE, t.function("sqrt", a)),
        "logsigmoid": lambda a: t.function("log", t.function("sigmoid", a)),
        "log_sigmoid": lambda a: t.function("log", t.function("sigmoid", a)),
        "expm1": lambda a: t.sub(t.function("exp", a), t.ONE),
        "log1p": lambda a: t.function("log", t.add(t.ONE, a)),
        "silu": lambda a: t.mul(a, t.function("sigmoid", a)),
        "tan": lambda a: t.div(t.function("sin", a), t.function("cos", a)),
        "softsign": lambda a: t.div(a, t.add(t.ONE, t.function("abs", a))),
        "tanhshrink": lambda a: t.sub(a, t.function("tanh", a)),
        "relu6": lambda a: _flat_outside(a, 0, 6, a),
        "hardsigmoid": lambda a: _flat_outside(a, -3, 3, t.add(t.div(a, t.number(6)), t.number(0.5))),
        "detach": lambda a: t.function("stop", a),
        "frac": lambda a: t.sub(a, t.mul(t.function("sign", a), t.function("floor", t.function("abs", a)))),
    }
    for name, build in builders.items():
        FORMS[name] = one(build)
    FORMS["negative"] = FORMS["neg"]


_register_functions()


def _flat_outside(a: Term, low: float, high: float, inside: Term) -> Term:
    """Return a function that is constant outside two bounds, and flat at them too: there torch's derivative is 0."""
    at_low, at_high = (t.number(value) for value in ((0, 1) if inside is not a else (low, high)))
    above = t.where(t.compare(">=", a, t.number(high)), at_high, inside)
    return t.where(t.compare("<=", a, t.number(low)), at_low, above)


def _between(a: Term, least: float | None, largest: float | None) -> Term:
    if least is not None:
        a = t.function("max", a, t.number(least))
    return a if largest is None else t.function("min", a, t.number(largest))


@form("add", "radd", "iadd")
def _add(dims: Dims, a: Any, b: Any, *, alpha: float = 1) -> Term:
    first, second = terms_of(dims, a, b)
    return t.add(first, t.mul(t.number(alpha), second))


@form("sub", "isub", "subtract")
def _sub(dims: Dims, a: Any, b: Any, *, alpha: float = 1) -> Term:
    first, second = terms_of(dims, a, b)
    return t.sub(first, t.mul(t.number(alpha), second))


@form("rsub")
def _rsub(dims: Dims, a: Any, b: Any) -> Term:
    return _sub(dims, b, a)


@form("mul", "rmul", "imul", "multiply")
def _mul(dims: Dims, a: Any, b: Any) -> Term:
    first, second = terms_of(dims, a, b)
    return t.power(first, 2) if first == second and first.op == "node" else t.mul(first, second)


@form("div", "truediv", "true_divide", "divide", "itruediv")
def _div(dims: Dims, a: Any, b: Any, *, rounding_mode: str | None = None) -> Term:
    quotient = t.div(*terms_of(dims, a, b))
    if rounding_mode not in (None, "floor"):
        raise NoFormError(f"rounding_mode is {rounding_mode!r}")
    return quotient if rounding_mode is None else t.function("floor", quotient)


@form("rtruediv", "rdiv")
def _rdiv(dims: Dims, a: Any, b: Any) -> Term:
    return _div(dims, b, a)


@form("floor_divide", "floordiv")
def _floor_div(dims: Dims, a: Any, b: Any) -> Term:
    return t.function("floor", _div(dims, a, b))


@form("pow")
def _pow(dims: Dims, base: Any, exponent: Any) -> Term:
    first, second = terms_of(dims, base, exponent)
    number = constant_number(exponent)
    if number is not None:
        return t.function("sqrt", first) if number == 0.5 else t.power(first, number)
    of_number = constant_number(base)
    if of_number is None or of_number <= 0:
        raise NoFormError("it raises what may be negative to powers that are no numbers")
    return t.function("exp", t.mul(second, t.function("log", t.number(of_number))), shape=t.stretched(first, second))


@form("rpow")
def _rpow(dims: Dims, exponent: Any, base: Any) -> Term:
    return _pow(dims, base, exponent)


@form("rmod")
def _rmod(dims: Dims, a: Any, b: Any) -> Term:
    return _remainder(dims, b, a)


@form("remainder", "mod")
def _remainder(dims: Dims, a: Any, b: Any) -> Term:
    first, second = terms_of(dims, a, b)
    return t.function("mod", first, second, shape=t.stretched(first, second))


def _larger(name: str) -> Form:
    def larger(dims: Dims, a: Any, b: Any = None, **options: Any) -> Term:
        if not isinstance(b, Value) or options:
            raise NoFormError(f"it looks for the {name} of a row; torch.{name}imum compares two tensors")
        first, second = terms_of(dims, a, b)
        return t.function(name, first, second, shape=t.stretched(first, second))

    return larger


FORMS.update(max=_larger("max"), min=_larger("min"), maximum=_larger("max"), minimum=_larger("min"))


@form("clamp", "clip")
def _clamp(dims: Dims, a: Any, min: Any = None, max: Any = None) -> Term:  # torch's names
    least = None if min is None else plain_number(min, "the least value")
    largest = None if max is None else plain_number(max, "the largest value")
    (term,) = terms_of(dims, a)
    return _between(term, least, largest)


@form("clamp_min")
def _clamp_min(dims: Dims, a: Any, min: Any) -> Term:
    return _clamp(dims, a, min)


@form("clamp_max")
def _clamp_max(dims: Dims, a: Any, max: Any) -> Term:
    return _clamp(dims, a, None, max)


@form("hardtanh")
def _hardtanh(dims: Dims, a: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Term:
    (term,) = terms_of(dims, a)
    return _flat_outside(term, min_val, max_val, term)


@form("leaky_relu")
def _leaky_relu(dims: Dims, a: Any, negative_slope: float = 0.01, inplace: bool = False) -> Term:
    (term,) = terms_of(dims, a)
    return t.where(t.compare(">", term, t.ZERO), term, t.mul(t.number(negative_slope), term))


@form("elu")
def _elu(dims: Dims, a: Any, alpha: float = 1.0, inplace: bool = False) -> Term:
    (term,) = terms_of(dims, a)
    below = t.mul(t.number(alpha), t.sub(t.function("exp", term), t.ONE))
    return t.where(t.compare(">", term, t.ZERO), term, below)


@form("softplus")
def _softplus(dims: Dims, a: Any, beta: float = 1.0, threshold: float = 20.0) -> Term:
    # beyond a threshold torch returns the argument itself, which from 20 on is the same to nine digits
    if threshold < _THRESHOLD:
        raise NoFormError(f"its threshold is {threshold}")
    inner = t.mul(t.number(beta), *terms_of(dims, a))
    return t.div(t.function("softplus", inner), t.number(beta))


@form("glu")
def _glu(dims: Dims, a: Value, dim: int = -1) -> Term:
    axis = a.axis(dim)
    half = a.dims[axis] // 2
    return t.mul(t.cut(a.term, axis, 0, half), t.function("sigmoid", t.cut(a.term, axis, half, 2 * half)))


@form("gelu")
def _gelu(dims: Dims, a: Any, approximate: str = "none") -> Term:
    if approximate != "none":
        raise NoFormError(f"approximate is {approximate!r}")
    (term,) = terms_of(dims, a)
    inside = t.add(t.ONE, t.function("erf", t.div(term, t.function("sqrt", t.number(2)))))
    return t.mul(t.number(0.5), term, inside)


@form("lerp")
def _lerp(dims: Dims, start: Any, end: Any, weight: Any) -> Term:
    first, last, share = terms_of(dims, start, end, weight)
    return t.add(first, t.mul(share, t.sub(last, first)))


@form("addcmul")
def _addcmul(dims: Dims, a: Any, b: Any, c: Any, *, value: float = 1) -> Term:
    base, first, second = terms_of(dims, a, b, c)
    return t.add(base, t.mul(t.number(value), first, second))


@form("addcdiv")
def _addcdiv(dims: Dims, a: Any, b: Any, c: Any, *, value: float = 1) -> Term:
    base, first, second = terms_of(dims, a, b, c)
    return t.add(base, t.mul(t.number(value), t.div(first, second)))


@form("where")
def _where(dims: Dims, condition: Any, a: Any, b: Any) -> Term:
    return t.where(*terms_of(dims, condition, a, b))


@form("masked_fill")
def _masked_fill(dims: Dims, a: Any, mask: Any, value: Any) -> Term:
    return _where(dims, mask, value, a)


def _register_relations() -> None:
    relations = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}

    def relation(sign: str) -> Form:
        return lambda dims, a, b: t.compare(sign, *terms_of(dims, a, b))

    long_names = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "ne": "not_equal"}
    for name, sign in relations.items():
        FORMS[name] = FORMS[long_names.get(name, name)] = relation(sign)


_register_relations()


@form("dropout", "alpha_dropout", "feature_dropout")
def _dropout(dims: Dims, a: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Term:
    if training and p:
        raise NoFormError(RANDOM)
    return terms_of(dims, a)[0]
