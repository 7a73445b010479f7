"""What the signs in equations mean, for those who meet them for the first time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recurra.inspection.equations.terms import Line, Term

_FUNCTIONS = {
    "sigmoid": (r"\sigma(v)", "1 / (1 + exp(−v)), between 0 and 1"),
    "relu": (r"\mathrm{relu}(v)", "v where it is positive, else 0"),
    "softplus": (r"\mathrm{softplus}(v)", "log(1 + exp(v)), which is positive"),
    "sign": (r"\mathrm{sign}(v)", "−1, 0 or 1"),
    "floor": (r"\left\lfloor v \right\rfloor", "the next integer below"),
    "mod": (r"a \bmod b", "what remains of a divided by b, with the sign of b"),
    "erf": (r"\mathrm{erf}(v)", "the error function"),
    "softmax": (r"\mathrm{softmax}(v)", "exp(v) divided by the sum of its entries"),
    "cumsum": (r"\mathrm{cumsum}(v)", "each entry with all those above it, summed"),
    "reverse_cumsum": (r"\mathrm{reverse\,cumsum}(v)", "each entry with all those below it, summed"),
    "norm": (r"\mathrm{norm}(v, \epsilon)", "v less its mean, divided by the root of its variance plus ε"),
    "mean": (r"\mathrm{mean}(v)", "the mean of all entries"),
    "stop": (r"\mathrm{stop}(v)", "v, through which no gradient passes"),
}
_OPERATIONS = {
    "mul": (r"u \odot v", "the product element by element; a number is stretched to a vector"),
    "indicator": (r"[u < v]", "1 where that holds, else 0"),
    "repeat": (r"\mathrm{repeat}(v, k)", "every row k times in turn"),
    "block_sum": (r"\mathrm{blocksum}(v, k)", "the sum of every k rows that follow each other"),
    "cut": (r"(v)_{a:b}", "rows a to b, counted from 1, with b"),
    "pick": (r"(v)_{(a, b)}", "the rows with these numbers, counted from 1"),
    "ones": (r"\mathbf{1}_{k}", "a column of k ones"),
}


def signs(lines: Iterable[Line]) -> tuple[tuple[str, str], ...]:
    """Return the signs in some equations that may need a word, as LaTeX, each with its meaning in words."""
    found = {entry for line in lines for term in line.term.walk() for entry in _entries(term)}
    return tuple(entry for entry in (*_OPERATIONS.values(), *_FUNCTIONS.values()) if entry in found)


def _entries(term: Term) -> Iterator[tuple[str, str]]:
    if term.op == "function" and term.value in _FUNCTIONS:
        yield _FUNCTIONS[term.value]
    elif term.op == "mul" and sum(arg.op != "number" for arg in term.args) > 1:
        yield _OPERATIONS["mul"]
    elif term.op in _OPERATIONS and term.op != "mul":
        yield _OPERATIONS[term.op]
