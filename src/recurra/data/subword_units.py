"""Pieces of text that byte-pair encoding treats one by one, whatever stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from recurra.data.vocabulary import LINE_END

MAX_UNIT_CHARS = 1000
"""Longer runs without white space are cut there: so memory and time have a bound."""

SURROGATES = "\ud800-\udfff"
# white space as Unicode has it, which differs from Python's, without the line end
_SPACE = "\t\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNIT = re.compile(
    rf"\n"
    # all of a run of white space but its last character, which belongs to what follows
    rf"|[{_SPACE}]{{1,{MAX_UNIT_CHARS}}}(?![^{_SPACE}\n])"
    rf"| ?[^{_SPACE}\n{SURROGATES}]{{1,{MAX_UNIT_CHARS}}}"
    rf"|[{_SPACE}{SURROGATES}]"
)


def iter_subword_units(texts: Iterable[str]) -> Iterator[list[str]]:
    r"""Yield the units of a text that comes in parts: words with the space before them, white space, line ends.

    They are coarser than the pieces that GPT-2 cuts text into, and no piece goes across their borders, except for the
    bound on their length. Joined, they are the text; a lone surrogate is a unit. How the text is parted changes
    nothing; one part and ``MAX_UNIT_CHARS`` characters more are held at a time.

    Example:
        >>> list(iter_subword_units(["to be,  or", " not\n"]))
        [['to', ' be,', ' '], [' or', ' not', '\n']]
    """
    rest = ""
    for text in texts:
        units = _UNIT.findall(rest + text)
        # what comes next may belong to the last one, unless it is a line end
        rest = units.pop() if units and units[-1] != LINE_END else ""
        if units:
            yield units
    if rest:
        yield _UNIT.findall(rest)


__all__ = ["MAX_UNIT_CHARS", "SURROGATES", "iter_subword_units"]
