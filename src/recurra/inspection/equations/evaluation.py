"""The values of terms: equations computed with NumPy, or exactly with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import add, mul
from types import MappingProxyType
from typing import Any

import numpy as np

from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection.equations.functions import FUNCTIONS, Compute
from recurra.inspection.equations.plain import plain_symbol, summands
from recurra.inspection.equations.terms import Line, Shape, Symbol, Term

NUMPY: Mapping[str, Compute] = MappingProxyType({name: function.compute for name, function in FUNCTIONS.items()})
Entry = Callable[[float], Any]
_RELATIONS: dict[str, Compute] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def evaluate(
    term: Term,
    values: Mapping[Symbol, np.ndarray],
    functions: Mapping[str, Compute] = NUMPY,
    number: Entry = float,
) -> np.ndarray:
    """Compute a term; sums and products go from left to right, as they are printed.

    Infinities and what is no number pass without a warning, as in torch; both sides of a ``where`` are computed.
    The shapes of terms are not read, so that those of ``parse`` will do.

    Args:
        term: What to compute.
        values: A matrix for each symbol inside, vectors as columns; real numbers, or objects such as those of sympy.
        functions: What computes each function, from matrices; to be given with arrays of objects.
        number: Makes an entry of a number that stands in the term; to be given with arrays of objects.

    Returns:
        A matrix: float64 where nothing else came in, else of objects. Conditions are 1 and 0.

    Raises:
        ArgumentError: If a symbol has no value, or one that is no matrix.
        ChoiceError: If a function is not among ``functions``.
    """
    evaluator = _Evaluator(values, functions, number)
    with np.errstate(all="ignore"):
        return evaluator.value(term)


def run_lines(
    lines: Iterable[Line],
    values: Mapping[Symbol, np.ndarray],
    functions: Mapping[str, Compute] = NUMPY,
    number: Entry = float,
) -> dict[Symbol, np.ndarray]:
    """Compute line after line; each sees what the lines before it gave.

    Args:
        lines: Equations; ``+=`` adds to the value that the target has, or to 0 where it has none.
        values: As for :func:`evaluate`; it is left as it is.
        functions: As for :func:`evaluate`.
        number: As for :func:`evaluate`.

    Returns:
        What was given together with the value of every target.

    Raises:
        ArgumentError: As :func:`evaluate`.
        ChoiceError: As :func:`evaluate`.
    """
    known = dict(values)
    for line in lines:
        value = evaluate(line.term, known, functions, number)
        known[line.target] = known[line.target] + value if line.is_sum and line.target in known else value
    return known


class _Evaluator:
    """Computes terms from the values of symbols."""

    def __init__(self, values: Mapping[Symbol, np.ndarray], functions: Mapping[str, Compute], number: Entry) -> None:
        self.values, self.functions, self.entry = values, functions, number

    def value(self, term: Term) -> np.ndarray:
        """Compute a term."""
        if term.op == "name":
            return self.known(term.value)
        parts = [self.value(part) for part in (summands(term) if term.op == "add" else term.args)]
        if term.op == "function":
            return self.function(term.value)(*parts)
        return _OPERATIONS[term.op](self.entry, term, *parts)

    def known(self, symbol: Symbol) -> np.ndarray:
        """Return the value that a symbol was given."""
        if symbol not in self.values:
            known = ", ".join(sorted(plain_symbol(other) for other in self.values)) or "nothing"
            raise ArgumentError(f"evaluate expected a value for {plain_symbol(symbol)}, got values for {known}")
        value = np.asarray(self.values[symbol])
        if value.ndim != 2:
            raise ArgumentError(
                f"evaluate expected the value of {plain_symbol(symbol)} to be a matrix, got shape {value.shape}",
                hint="a vector is a column of shape (n, 1), a number is of shape (1, 1)",
            )
        return value if value.dtype == object else value.astype(np.float64, copy=False)

    def function(self, which: str) -> Compute:
        """Return what computes a function."""
        if which not in self.functions:
            raise ChoiceError("the function in a term", which, self.functions)
        return self.functions[which]


def _filled(shape: Shape, entry: Any) -> np.ndarray:
    return np.full(shape, entry)


def _where(condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(condition != 0, a, b)


def _choose(entry: Entry, condition: np.ndarray) -> np.ndarray:
    return _where(condition, _filled((1, 1), entry(1)), _filled((1, 1), entry(0)))


def _stack(axis: int, *parts: np.ndarray) -> np.ndarray:
    other = max(part.shape[1 - axis] for part in parts)
    sizes = [(len(part), other) if axis == 0 else (other, part.shape[1]) for part in parts]
    return np.concatenate([np.broadcast_to(part, size) for part, size in zip(parts, sizes, strict=True)], axis)


def _cut(a: np.ndarray, axis: int, start: int, stop: int) -> np.ndarray:
    return a[start:stop] if axis == 0 else a[:, start:stop]


# each from what makes an entry of a number, the term, and the values of its parts
_OPERATIONS: Mapping[str, Compute] = MappingProxyType(
    {
        "number": lambda entry, term: _filled((1, 1), entry(term.value)),
        "zeros": lambda entry, term: _filled(term.shape, entry(0)),
        "ones": lambda entry, term: _filled(term.shape, entry(1)),
        "add": lambda entry, term, *parts: reduce(add, parts),
        "mul": lambda entry, term, *parts: reduce(mul, parts),
        "matmul": lambda entry, term, a, b: a @ b,
        "neg": lambda entry, term, a: -a,
        "div": lambda entry, term, a, b: a / b,
        "power": lambda entry, term, a: a ** entry(term.value),
        "transpose": lambda entry, term, a: a.T,
        "where": lambda entry, term, condition, a, b: _where(condition, a, b),
        "compare": lambda entry, term, a, b: _choose(entry, _RELATIONS[term.value](a, b)),
        "indicator": lambda entry, term, condition: _choose(entry, condition),
        "stack": lambda entry, term, *parts: _stack(term.value, *parts),
        "cut": lambda entry, term, a: _cut(a, *term.value),
        "pick": lambda entry, term, a: np.take(a, term.value[1], term.value[0]),
        "repeat": lambda entry, term, a: np.repeat(a, term.value, axis=0),
        "block_sum": lambda entry, term, a: a.reshape(-1, term.value, a.shape[1]).sum(axis=1),
    }
)
