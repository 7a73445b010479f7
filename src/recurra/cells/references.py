"""The bibliography: entries of ``references.bib`` by key, as BibTeX and as "Cho et al. 2014"."""

from __future__ import annotations

import functools
import importlib.resources
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recurra.errors import ArgumentError, ChoiceError

MODIFIERS: Mapping[str, str] = MappingProxyType(
    {
        "recurrent-dropout": "semeniuta2016recurrent",
        "variational-dropout": "gal2016theoretically",
        "weight-dropout": "merity2018regularizing",
        "weight-norm": "salimans2016weight",
        "zoneout": "krueger2017zoneout",
    }
)
"""What changes a cell and is none itself, with the key of its source."""

_ACCENTS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "v": "\u030c", "c": "\u0327"}
_ENTRY = re.compile(r"@(\w+)\{([^\s,{}]+),")
_FIELD = re.compile(r"(\w+)\s*=\s*\{")


@dataclass(frozen=True)
class Reference:
    """An entry of the bibliography.

    Attributes:
        key: What a cell's ``source`` names.
        kind: "article", "inproceedings", "misc" and so on.
        fields: Values by name, as they stand, without the outer braces and on one line.
        bibtex: The entry's text.
    """

    key: str
    kind: str
    fields: Mapping[str, str]
    bibtex: str

    def short(self) -> str:
        """Return the authors' family names and the year: "Elman 1990", "Zoph and Le 2017", "Cho et al. 2014"."""
        names = [plain_text(author.partition(",")[0]) for author in self.fields["author"].split(" and ")]
        authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        return f"{authors} {self.fields['year']}"


def find_reference(key: str) -> Reference:
    """Return an entry of the bibliography.

    Raises:
        ChoiceError: When there is none of that key.

    Example:
        >>> find_reference("hochreiter1997long").short()
        'Hochreiter and Schmidhuber 1997'
    """
    entries = _bibliography()
    if key not in entries:
        raise ChoiceError("source", key, entries)
    return entries[key]


@functools.cache
def _bibliography() -> Mapping[str, Reference]:
    text = importlib.resources.files("recurra").joinpath("references.bib").read_text("utf-8")
    return MappingProxyType(parse_bibtex(text))


def parse_bibtex(text: str) -> dict[str, Reference]:
    """Return the entries of a BibTeX text by their keys, in order.

    Values stand in braces, and what is outside of entries is a comment, as in our own file; there are no ``@string``
    and no quoted values.

    Raises:
        ArgumentError: When braces are not balanced, a key comes twice, or a field is no ``name = {value}``.
    """
    entries: dict[str, Reference] = {}
    position = 0
    while match := _ENTRY.search(text, position):
        kind, key = match.groups()
        end = _closing_brace(text, text.index("{", match.start()), key)
        if key in entries:
            raise ArgumentError(f"parse_bibtex expected each key once, got {key} twice")
        fields = dict(_fields(text[match.end() : end], key))
        entries[key] = Reference(key, kind.lower(), MappingProxyType(fields), text[match.start() : end + 1])
        position = end + 1
    return entries


def _fields(body: str, key: str) -> Iterator[tuple[str, str]]:
    rest = body.strip()
    while rest:
        match = _FIELD.match(rest)
        close = _closing_brace(rest, match.end() - 1, key) if match else 0
        after = rest[close + 1 :].lstrip()
        if match is None or (after and not after.startswith(",")):
            line = rest.splitlines()[0]
            raise ArgumentError(f"parse_bibtex expected fields of {key} as name = {{value}}, and commas, got {line!r}")
        yield match[1].lower(), " ".join(rest[match.end() : close].split())
        rest = after[1:].lstrip()


def _closing_brace(text: str, start: int, key: str) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ArgumentError(f"parse_bibtex expected balanced braces in {key}, got one that is not closed")


def plain_text(value: str) -> str:
    r"""Return a BibTeX value as it is read: ``Schmidhuber, J{\"u}rgen`` is "Schmidhuber, Jürgen"."""

    def accented(match: re.Match[str]) -> str:
        return unicodedata.normalize("NFC", match[2] + _ACCENTS[match[1]])

    value = re.sub(r"\\(?:([\"'`^~])\{?(\w)\}?)", accented, value)
    value = re.sub(r"\\([vc])\{(\w)\}", accented, value)
    return value.replace("{", "").replace("}", "").replace("--", "\u2013")
