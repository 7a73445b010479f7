"""Puts products with weights where a lecturer writes them: inside the activation that is all they are for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from recurra.inspection.equations.expanding import with_args
from recurra.inspection.equations.terms import Line, Symbol, Term


def inline_products(lines: Sequence[Line], results: frozenset[Symbol]) -> tuple[Line, ...]:
    """Return the lines without those of products that only one activation needs: ``W_xi xₜ + b_xi`` goes into iₜ.

    Args:
        lines: The equations of a step.
        results: What the step gives, which keeps its lines.
    """
    uses = Counter(symbol for line in lines for symbol in line.term.symbols())
    inside = {symbol for line in lines for symbol in (*_inside_activations(line.term), *_summands(line.term))}
    inlined: dict[Symbol, Term] = {}
    kept = []
    for line in lines:
        term = _replaced(line.term, inlined)
        if line.target in inside and uses[line.target] == 1 and line.target not in results and _is_affine(term):
            inlined[line.target] = term
        else:
            kept.append(Line(line.target, term, line.place, line.is_sum))
    return _numbered(kept)


def _numbered(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Number the assignments of a name anew, now that some are gone; a single one needs no number."""
    groups: dict[tuple[str, int | None], list[Symbol]] = {}
    for line in lines:
        if line.target.version:
            groups.setdefault((line.target.name, line.target.time), []).append(line.target)
    symbols = {line.target for line in lines} | {symbol for line in lines for symbol in line.term.symbols()}
    renamed: dict[Symbol, Symbol] = {}
    for (name, time), group in groups.items():
        is_single = len(group) == 1 and Symbol(name, time) not in symbols
        for version, symbol in enumerate(group, 1):
            renamed[symbol] = replace(symbol, version=0 if is_single else version)
    terms = {symbol: new for symbol, new in renamed.items() if symbol != new}
    return tuple(
        Line(renamed.get(line.target, line.target), _renamed(line.term, terms), line.place, line.is_sum)
        for line in lines
    )


def _renamed(term: Term, new: dict[Symbol, Symbol]) -> Term:
    if term.op == "name":
        return Term("name", value=new.get(term.value, term.value), shape=term.shape)
    return with_args(term, tuple(_renamed(arg, new) for arg in term.args)) if new else term


def _inside_activations(term: Term, *, is_inside: bool = False) -> Iterator[Symbol]:
    """Yield what stands in the argument of a function, in sums and products, but not in products of matrices."""
    if term.op == "name" and is_inside:
        yield term.value
    if term.op == "matmul":
        return
    for arg in term.args:
        yield from _inside_activations(arg, is_inside=is_inside or term.op == "function")


def _summands(term: Term) -> Iterator[Symbol]:
    if term.op == "add":
        yield from (part.value for part in term.args if part.op == "name")


def _is_affine(term: Term) -> bool:
    """Say whether a term is a sum of products of a weight and a vector, and of weights."""
    if term.op == "mul" and len(term.args) == 2:
        weight, vector = term.args
        return weight.op == vector.op == "name" and _is_weight(weight)
    if term.op in ("add", "neg"):
        return all(map(_is_affine, term.args))
    if term.op == "cut":
        return term.args[0].op == "name" or _is_affine(term.args[0])
    if term.op == "matmul":
        return _is_weight(term.args[0])
    return _is_weight(term)


def _is_weight(term: Term) -> bool:
    return all(symbol.kind in ("weight", "constant") for symbol in term.symbols()) and term.op in (
        "name", "transpose", "stack", "cut",
    )  # fmt: skip


def _replaced(term: Term, inlined: dict[Symbol, Term]) -> Term:
    if term.op == "name":
        return inlined.get(term.value, term)
    return with_args(term, tuple(_replaced(arg, inlined) for arg in term.args))
