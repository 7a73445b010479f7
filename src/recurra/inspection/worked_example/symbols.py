"""Values as numbers and, where they stay short, as exact expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from recurra.inspection.equations.evaluation import evaluate
from recurra.inspection.equations.terms import Shape, Symbol, Term

_MAX_DIGITS = 6
"""Significant digits up to which a number counts as one that a person wrote."""
_MAX_OPERATIONS = 40
"""Operations in an exact entry, above which nobody follows it and nothing is made of it any more."""
_MAX_INTEGER = 10**60
"""Below which numerators and denominators stay: no exact number with more digits is printed."""
_MAX_SIZE = 16
"""Rows or columns of a matrix, above which the same holds."""
_ROUNDING = 1e-12
"""By which share of it a float64 number may be off after a few steps."""
_NO_EXACT_FORM = frozenset(["where", "compare", "indicator"])


@dataclass(frozen=True, eq=False)
class Value:
    """What a symbol stands for at one step.

    Attributes:
        number: A float64 matrix.
        exact: The same in sympy's numbers, an array of objects; ``None`` where there is no short one.
    """

    number: np.ndarray
    exact: np.ndarray | None = None

    def __add__(self, other: Value) -> Value:
        both = None if self.exact is None or other.exact is None else _limited(self.exact + other.exact)
        return Value(self.number + other.number, both)

    def is_rounded(self, digits: int) -> bool:
        """Say whether so many significant digits leave something out, other than float64's own rounding."""
        if self.exact is None:
            return any(
                abs(float(f"{entry:.{digits}g}") - entry) > _ROUNDING * abs(entry) for entry in set(self.number.flat)
            )
        return not all(
            entry.is_Rational and entry == _rational(float(f"{float(entry):.{digits}g}"))
            for entry in set(self.exact.flat)
        )


Values = MutableMapping[Symbol, Value]


def given(number: np.ndarray) -> Value:
    """Return a value that is given: exact if its entries are short decimals."""
    if max(number.shape, default=0) > _MAX_SIZE:
        return Value(number)
    exact = np.empty(number.shape, dtype=object)
    for place, entry in np.ndenumerate(number):
        if not math.isfinite(entry) or float(f"{entry:.{_MAX_DIGITS}g}") != entry:
            return Value(number)
        exact[place] = _rational(float(entry))
    return Value(number, exact)


def work_out(term: Term, values: Mapping[Symbol, Value], shape: Shape) -> Value:
    """Compute a term, as numbers and exactly where all that it reads is exact and no entry grows long.

    Args:
        term: What to compute.
        values: A value for each symbol inside.
        shape: What the result is stretched to.
    """
    read = set(term.symbols())
    number = evaluate(term, {symbol: values[symbol].number for symbol in read})
    # an exact form of what float64 cannot hold would stand beside no number
    exact = _exact(term, {s: values[s].exact for s in read}) if np.isfinite(number).all() else None
    return Value(_stretch(number, shape), None if exact is None else _stretch(exact, shape))


def _stretch(array: np.ndarray, shape: Shape) -> np.ndarray:
    return np.broadcast_to(array, shape).copy()


def _exact(term: Term, values: Mapping[Symbol, np.ndarray | None]) -> np.ndarray | None:
    functions = _exact_functions()
    known = {symbol: value for symbol, value in values.items() if value is not None}
    is_possible = len(known) == len(values) and all(
        part.op not in _NO_EXACT_FORM and (part.op != "function" or part.value in functions) for part in term.walk()
    )
    return _limited(evaluate(term, known, functions, _rational)) if is_possible else None


def _limited(exact: np.ndarray) -> np.ndarray | None:
    import sympy

    # entries repeat, and counting takes longer than comparing
    different = set(exact.flat)
    no_numbers = (sympy.nan, sympy.zoo, sympy.oo)
    is_short = all(
        sympy.count_ops(entry) <= _MAX_OPERATIONS
        and not entry.has(*no_numbers)
        and all(abs(number.p) < _MAX_INTEGER and number.q < _MAX_INTEGER for number in entry.atoms(sympy.Rational))
        for entry in different
    )
    return exact if is_short else None


@cache
def _rational(value: float) -> Any:
    import sympy

    return sympy.Rational(repr(value))


@cache
def _exact_functions() -> Mapping[str, Callable[..., np.ndarray]]:
    import sympy

    class sigmoid(sympy.Function):  # type: ignore[misc]  # sympy tells no types
        is_real = True
        is_positive = True

        @classmethod
        def eval(cls, v: Any) -> Any:
            return sympy.Rational(1, 2) if v.is_zero else None

    def each(function: Callable[[Any], Any]) -> Callable[..., np.ndarray]:
        everywhere: Callable[..., np.ndarray] = np.frompyfunc(function, 1, 1)
        return everywhere

    def relu(v: Any) -> Any:
        return sympy.Max(0, v)

    def softplus(v: Any) -> Any:
        return sympy.log(1 + sympy.exp(v))

    def softmax(v: np.ndarray) -> np.ndarray:
        # of equal entries the differences vanish, and the exponentials with them
        columns = [
            [1 / sympy.Add(*(sympy.exp(other - entry) for other in column)) for entry in column] for column in v.T
        ]
        return np.array(columns, dtype=object).T

    def total(v: np.ndarray) -> np.ndarray:
        return np.array([[sympy.Add(*v.flat)]], dtype=object)

    names = {"tanh": sympy.tanh, "exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt, "abs": sympy.Abs}
    names |= {"sin": sympy.sin, "cos": sympy.cos, "sigmoid": sigmoid, "relu": relu, "softplus": softplus}
    return {
        **{name: each(function) for name, function in names.items()},
        "softmax": softmax,
        "sum": total,
        "mean": lambda v: total(v) / v.size,
    }
