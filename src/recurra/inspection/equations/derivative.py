"""The backward equations of a step: its lines differentiated in reverse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.derivative_rules import fitted, passed_down
from recurra.inspection.equations.function_derivatives import FLAT
from recurra.inspection.equations.products import Key, key_of
from recurra.inspection.equations.simplification import simplify
from recurra.inspection.equations.terms import Line, Shape, Symbol, Term

_SMALL = 3
"""Names and numbers up to which the gradient of something without a name is written wherever it is needed."""
_LETTERS = ("e", "q", "u", "v")


def differentiate(
    lines: Sequence[Line],
    outputs: Iterable[Symbol],
    wanted: Iterable[Symbol],
    shapes: Mapping[Symbol, Shape] | None = None,
) -> tuple[Line, ...]:
    """Return the equations of the gradients that a step passes on.

    The gradient of each named value has one line. A product that several of them need and that is no shorter than a
    name has a line of its own too, and is called e with the name of what it came from.

    Args:
        lines: The equations of the step, in the order in which they are computed; each target is there once.
        outputs: Whose gradients are given: what leaves the step. Theirs are only added to.
        wanted: Whose gradients are asked for: inputs, entering states, and weights, which have no time.
        shapes: The shapes of symbols that may be wanted and that no line holds.

    Returns:
        Values first, from the last back to the first; then weights, by the lines that hold them; then the other wanted
        ones, in their order. The gradient of a weight is added to what other steps give. Where nothing depends on an
        input or a state, its line is zero; where nothing depends on a weight, there is none.

    Raises:
        ChoiceError: If a line holds a function without a known derivative.
    """
    return _Backward(lines, tuple(outputs), tuple(wanted), shapes or {}).result()


class _Backward:
    def __init__(
        self,
        lines: Sequence[Line],
        outputs: tuple[Symbol, ...],
        wanted: tuple[Symbol, ...],
        shapes: Mapping[Symbol, Shape],
    ) -> None:
        self.lines = _with_names(lines)
        self.outputs, self.wanted = frozenset(outputs), tuple(dict.fromkeys(wanted))
        self.places = {line.target: place for place, line in enumerate(self.lines)}
        self.shapes = {**shapes, **_shapes_in(self.lines)}
        self.needed = self._find_needed()
        self.gradients: dict[Symbol, list[tuple[int, Term]]] = {}
        self.found: list[Line] = []
        names = {symbol.name for line in self.lines for symbol in (line.target, *line.term.symbols())}
        self.letter = next(
            letter for letter in (*_LETTERS, *(f"e{number}" for number in range(1, len(names) + 2)))
            if not any(name == letter or name.startswith(f"{letter}_") for name in names)
        )  # fmt: skip
        self.taken: set[Symbol] = set()

    def _find_needed(self) -> frozenset[Symbol]:
        """Return what is wanted, and the values that depend on it."""
        found = set(self.wanted)
        for line in self.lines:
            if any(symbol in found for symbol in _differentiable(line.term)):
                found.add(line.target)
        return frozenset(found)

    def result(self) -> tuple[Line, ...]:
        for place in self._order():
            self._pass_through(place)
        weights = [symbol for symbol in self.wanted if symbol.time is None]
        weights.sort(key=self._first_use)
        others = [symbol for symbol in self.wanted if symbol.time is not None]
        ending = [self._wanted_line(symbol) for symbol in (*weights, *others) if symbol not in self.places]
        return (*self.found, *(line for line in ending if line is not None))

    def _order(self) -> list[int]:
        """Return the places of the lines: each after all that use it; results of the step come first where they can."""
        active: dict[int, set[int]] = {}
        for place in reversed(range(len(self.lines))):
            target = self.lines[place].target
            users = {user for user in active if target in self.lines[user].term.symbols()}
            if target in self.needed and (users or target in self.outputs):
                active[place] = users
        order: list[int] = []
        while active:
            ready = [place for place, users in active.items() if not users]
            place = min(ready, key=lambda place: (self.lines[place].target not in self.outputs, place))
            order.append(place)
            del active[place]
            for users in active.values():
                users.discard(place)
        return order

    def _first_use(self, symbol: Symbol) -> int:
        uses = (place for place, line in enumerate(self.lines) if symbol in line.term.symbols())
        return min(uses, default=len(self.lines))

    def _pass_through(self, place: int) -> None:
        line = self.lines[place]
        term = self._total(line.target)
        if term is not None:
            self._write(line.target.gradient, term, line.place, is_sum=line.target in self.outputs)
        elif line.target not in self.outputs:
            return
        gradient = t.name(line.target.gradient, self.shapes[line.target])
        result = t.name(line.target, self.shapes[line.target])
        self._descend(line.term, fitted(gradient, line.term.shape), result, place)

    def _write(self, target: Symbol, term: Term, place: str, *, is_sum: bool = False) -> None:
        self.found.append(Line(target, term, place, is_sum))

    def _descend(self, term: Term, gradient: Term, result: Term, place: int) -> None:
        """Pass a gradient to all names inside a term."""
        if term.op == "name":
            self.gradients.setdefault(term.value, []).append((place, gradient))
            return
        if sum(map(self._is_needed, term.args)) > 1 or (term.op == "function" and term.value in ("softmax", "norm")):
            gradient = self._short(gradient, place)
        for part, passed in passed_down(term, gradient, result):
            if self._is_needed(part):
                self._descend(part, passed, part, place)

    def _is_needed(self, term: Term) -> bool:
        return any(symbol in self.needed for symbol in _differentiable(term))

    def _short(self, gradient: Term, place: int) -> Term:
        """Return a gradient that several parts receive, under a name if it is long."""
        gradient = simplify(gradient)
        if gradient.op == "mul" and gradient.args[-1].op == "ones":
            # one number that is the same everywhere
            return t.mul(self._short(t.mul(*gradient.args[:-1]), place), gradient.args[-1])
        if gradient.op == "neg":
            return t.neg(self._short(gradient.args[0], place))
        if sum(term.op in ("name", "number") for term in gradient.walk()) <= _SMALL:
            return gradient
        line = self.lines[place]
        symbol = Symbol(f"{self.letter}_{line.target.name}", line.target.time, line.target.version)
        while symbol in self.taken:
            symbol = replace(symbol, name=f"{symbol.name}′")
        self.taken.add(symbol)
        self._write(symbol, gradient, line.place)
        return t.name(symbol, gradient.shape)

    def _total(self, symbol: Symbol) -> Term | None:
        """Return the sum of what a name receives: by elements first, then through products, as the lines stand."""
        found = [(place, simplify(gradient)) for place, gradient in self.gradients.get(symbol, [])]
        found = [(place, term) for place, term in found if term.op != "zeros" and not term.is_number(0)]
        if not found:
            return None
        through = sorted((item for item in found if _is_matrix_product(item[1])), key=lambda item: item[0])
        direct = [item for item in found if not _is_matrix_product(item[1])]
        return simplify(t.add(*(term for _, term in (*direct, *through))))

    def _wanted_line(self, symbol: Symbol) -> Line | None:
        term = self._total(symbol)
        is_weight = symbol.time is None
        if term is None:
            if is_weight or symbol in self.outputs:
                return None
            term = t.zeros(self.shapes[symbol]) if symbol in self.shapes else t.ZERO
        return Line(symbol.gradient, term, is_sum=is_weight or symbol in self.outputs)


def _differentiable(term: Term) -> Iterable[Symbol]:
    """Yield the names that a gradient can reach."""
    if term.op == "name":
        yield term.value
    if term.op in ("compare", "indicator") or (term.op == "function" and term.value in FLAT):
        return
    for arg in term.args[1:] if term.op == "where" else term.args:
        yield from _differentiable(arg)


def _is_matrix_product(term: Term) -> bool:
    return (term.args[0] if term.op == "neg" else term).op == "matmul"


def _shapes_in(lines: Iterable[Line]) -> dict[Symbol, Shape]:
    found = {line.target: line.term.shape for line in lines}
    return found | {term.value: term.shape for line in lines for term in line.term.walk() if term.op == "name"}


def _with_names(lines: Sequence[Line]) -> list[Line]:
    """Write the name of an earlier line wherever its whole right side stands in a later one."""
    names: dict[Key, Term] = {}
    found = []
    for line in lines:
        found.append(replace(line, term=_named(line.term, names)))
        if line.term.args:
            names.setdefault(key_of(line.term), t.name(line.target, line.term.shape))
    return found


def _named(term: Term, names: Mapping[Key, Term]) -> Term:
    if not term.args:
        return term
    known = names.get(key_of(term))
    return known if known is not None else replace(term, args=tuple(_named(arg, names) for arg in term.args))
