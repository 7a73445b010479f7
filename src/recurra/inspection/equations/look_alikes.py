"""Which names of an explanation LaTeX would show alike, though they are different."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from recurra.inspection.equations.latex import latex_symbol
from recurra.inspection.equations.terms import Symbol


def look_alikes(symbols: Iterable[Symbol]) -> frozenset[str]:
    """Return the names to write letter by letter, so that no two symbols look alike.

    Of the names that come out alike one stays as it is: that of the fewest letters, ``α`` and not ``alpha``, or else
    that with more parts, ``h_1`` and not ``h1``. Most cells have no such names.

    Args:
        symbols: All that are shown together; repetitions do not matter.
    """
    by_look: dict[str, set[str]] = defaultdict(set)
    for symbol in set(symbols):
        by_look["".join(latex_symbol(symbol).split())].add(symbol.name)
    return frozenset(name for names in by_look.values() for name in sorted(names, key=_clarity)[1:])


def _clarity(name: str) -> tuple[int, int, str]:
    return len(name.replace("_", "")), -name.count("_"), name
