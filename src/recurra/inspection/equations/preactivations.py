"""Names for what activations are taken of: z_i for the sum inside of ``i = σ(…)``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.products import Key, key_of
from recurra.inspection.equations.terms import Line, Symbol, Term

# of which it is easier to differentiate if what they are of, or what comes out, has a name
_ACTIVATIONS = frozenset(["sigmoid", "tanh", "relu", "softplus", "softmax", "norm", "sin", "cos", "erf", "exp", "log"])
_SQUASHING = frozenset(["sigmoid", "tanh", "relu", "softplus", "softmax", "norm"])
_WITH_NAMED_VALUE = frozenset(["softmax", "norm"])
_ARGUMENT_LETTERS = ("z", "a", "s", "net")
_VALUE_LETTERS = ("u", "v", "q", "p")


def name_preactivations(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the lines with a line of its own for each argument of an activation that is a sum or holds a product.

    ``i = σ(W_xi x + b_xi)`` becomes ``z_i = W_xi x + b_xi`` and ``i = σ(z_i)``. The letter is z, or a, s or net where
    names of the lines begin so; it stands alone if only one line has such an argument. Further arguments in one line
    have primes. Inside of longer terms, the values of norms and softmaxes get names too: u, or v, q or p.

    Args:
        lines: The equations of a step, in the order in which they are computed.
    """
    names = {symbol.name for line in lines for symbol in (line.target, *line.term.symbols())}
    letters = _free_letter(_ARGUMENT_LETTERS, names), _free_letter(_VALUE_LETTERS, names)
    inside = [list(_worth_names(line.term)) for line in lines]
    kinds = [is_value for parts in inside for is_value, _ in parts]
    is_single = kinds.count(False) == 1, kinds.count(True) == 1
    found: list[Line] = []
    for line, parts in zip(lines, inside, strict=True):
        found.extend(_split(line, parts, letters, is_single))
    return tuple(found)


def _split(
    line: Line, parts: list[tuple[bool, Term]], letters: tuple[str, str], is_single: tuple[bool, bool]
) -> Iterator[Line]:
    known: dict[Key, Term] = {}
    new: list[Line] = []
    primes = ["", ""]
    for is_value, part in parts:
        spelled = letters[is_value] if is_single[is_value] else f"{letters[is_value]}_{line.target.name}"
        symbol = Symbol(spelled + primes[is_value], line.target.time, line.target.version)
        primes[is_value] += "′"
        new.append(Line(symbol, part, line.place))
        known[key_of(part)] = t.name(symbol, part.shape)
    for one in _inner_first(new, known):
        yield replace(one, term=_inside_named(one.term, known))
    yield replace(line, term=_named(line.term, known))


def _inner_first(lines: Sequence[Line], known: Mapping[Key, Term]) -> list[Line]:
    """Return lines from the last to the first, but what stands inside another one's term before it.

    An outer part may be found before an inner one that is written elsewhere too: ``tanh(W h) + tanh(2 · W h)``.
    """
    inside = {
        line.target: {known[key].value for arg in line.term.args for key in map(key_of, arg.walk()) if key in known}
        for line in lines
    }
    found: list[Line] = []
    waiting = list(reversed(lines))
    while waiting:
        names = {line.target for line in waiting}
        ready = next(line for line in waiting if not inside[line.target] & names)
        waiting.remove(ready)
        found.append(ready)
    return found


def _worth_names(term: Term) -> Iterator[tuple[bool, Term]]:
    """Yield each argument (``False``) and value (``True``) to name, once, outer ones first."""
    seen: set[Key] = {key_of(term)}
    waiting = [term]
    while waiting:
        inner = waiting.pop(0)
        waiting.extend(inner.args)
        if inner.op != "function":
            continue
        candidates = [(True, inner)] if inner.value in _WITH_NAMED_VALUE else []
        candidates += [(False, inner.args[0])] if _has_long_argument(inner) else []
        for is_value, part in candidates:
            if key_of(part) not in seen:
                seen.add(key_of(part))
                yield is_value, part


def _has_long_argument(activation: Term) -> bool:
    argument = activation.args[0]
    if argument.op in ("name", "function") or activation.value not in _ACTIVATIONS:
        return False
    if any(inner.op == "matmul" for inner in argument.walk()):
        return True
    num_parts = sum(part.op != "number" for part in argument.args) if argument.op == "add" else 0
    return num_parts > 1 and activation.value in _SQUASHING


def _named(term: Term, known: dict[Key, Term]) -> Term:
    return known.get(key_of(term)) or _inside_named(term, known)


def _inside_named(term: Term, known: dict[Key, Term]) -> Term:
    return replace(term, args=tuple(_named(arg, known) for arg in term.args)) if term.args else term


def _free_letter(letters: Iterable[str], names: Iterable[str]) -> str:
    """Return the first letter with which no name begins; beyond the letters, the last one with a number."""
    *_, last = letters
    return next(
        letter
        for letter in chain(letters, (f"{last}{number}" for number in count(2)))
        if not any(name.rstrip("′") == letter or name.startswith(f"{letter}_") for name in names)
    )
