"""Reading sentences whose words have tags: CoNLL-U, and files of columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recurra.data.text_files import iter_lines
from recurra.errors import ChoiceError, DataError

CONLLU_SUFFIXES = (".conllu",)
COLUMN_SUFFIXES = (".conll", ".bio", ".tsv", ".txt")
NO_VALUE = "_"
"""What CoNLL-U writes where a word has no value; the tag of words that lack a feature."""

_DOCUMENT = "-DOCSTART-"
_NUM_CONLLU_COLUMNS = 10
_CONLLU_COLUMNS = {"upos": 3, "xpos": 4, "deprel": 7}
_FEATURES = 5
# two white spaces of a kind that str.split() takes do occur inside words of real files
_SPACES = re.compile(" +")
_IS_FEATURE = re.compile(r"[A-Z][A-Za-z0-9]*(\[[a-z0-9]+\])?")


@dataclass(frozen=True)
class TaggedSentences:
    """Sentences as words and tags.

    Attributes:
        words: The words of each sentence.
        tags: The tag of each of them.
        notes: What was passed over, counted, in words.
    """

    words: list[list[str]]
    tags: list[list[str]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.words)

    @property
    def num_words(self) -> int:
        """Number of words in all sentences."""
        return sum(map(len, self.words))


@dataclass(frozen=True)
class TaggedSentence:
    """One sentence of a file; the tags are empty where none were asked for."""

    words: list[str]
    tags: list[str]


def is_tagged_file(path: str | Path) -> bool:
    """Say whether the name of a file is one of CoNLL-U or of columns, and not of plain text."""
    return _suffix_of(path) in (*CONLLU_SUFFIXES, *COLUMN_SUFFIXES[:-1])


def read_tagged(paths: Iterable[str | Path], column: str | None = None) -> TaggedSentences:
    """Read all sentences of some files, one file after the other.

    A name that ends in ``.conllu`` is CoNLL-U: ten columns parted by tabs. Ranges (``1-2``) and empty nodes (``8.1``)
    are left out. ``.conll``, ``.bio``, ``.tsv`` and ``.txt`` have one word a line with its tag in the last column,
    parted by tabs, or by spaces in lines without tabs; lines that begin with ``-DOCSTART-`` are left out. In both,
    lines with nothing but white space end a sentence. Behind any of these names may stand ``.gz`` or ``.xz``.

    Args:
        paths: The files.
        column: What the tags of CoNLL-U are: "upos" (where it is None), "xpos", "deprel", or a feature by its
            name, such as "Number", which gives words that lack it the tag ``_``. Of other files the number of a column
            from 1 on; None is the last one.

    Raises:
        ChoiceError: When a name ends otherwise, or there is no such column.
        DataNotFoundError: When a file is not there.
        EncodingError: When one is not UTF-8.
        DataError: When a line is ragged, or a word or a tag is missing (the message gives the line), or when a file
            has no sentence.
    """
    words: list[list[str]] = []
    tags: list[list[str]] = []
    skipped: Counter[str] = Counter()
    for path in paths:
        before = len(words)
        for sentence in iter_tagged(path, column, skipped=skipped):
            words.append(sentence.words)
            tags.append(sentence.tags)
        if len(words) == before:
            raise DataError(f"expected tagged sentences in {path}, got none")
    return TaggedSentences(words, tags, tuple(f"{count:,} {what}" for what, count in skipped.items()))


def iter_tagged(
    path: str | Path, column: str | None = None, *, need_tags: bool = True, skipped: Counter[str] | None = None
) -> Iterator[TaggedSentence]:
    """Yield the sentences of one file as it is read; see ``read_tagged``.

    Args:
        path: The file.
        column: What the tags are.
        need_tags: Whether the tags are wanted; without, files of columns need no more than the words.
        skipped: Where what is passed over is counted.
    """
    skipped = Counter() if skipped is None else skipped
    suffix = _suffix_of(path)
    if suffix in CONLLU_SUFFIXES:
        rows = _conllu_rows(path, column or "upos", need_tags, skipped)
    elif suffix in COLUMN_SUFFIXES:
        rows = _column_rows(path, column, need_tags, skipped)
    else:
        raise ChoiceError(f"the end of the name {path}", suffix, (*CONLLU_SUFFIXES, *COLUMN_SUFFIXES))
    words: list[str] = []
    tags: list[str] = []
    for row in rows:
        if row is not None:
            words.append(row[0])
            tags.append(row[1])
        elif words:
            yield TaggedSentence(words, tags if need_tags else [])
            words, tags = [], []
    if words:
        yield TaggedSentence(words, tags if need_tags else [])


def _suffix_of(path: str | Path) -> str:
    path = Path(path)
    return (path.with_suffix("") if path.suffix in (".gz", ".xz") else path).suffix.lower()


_Row = tuple[str, str] | None
"""A word and its tag; None at the end of a sentence."""


def _column_rows(path: str | Path, column: str | None, need_tags: bool, skipped: Counter[str]) -> Iterator[_Row]:
    num_columns = 0  # those of the first line
    place = -1
    for number, line in enumerate(iter_lines(Path(path)), start=1):
        if not line or line.isspace():
            yield None
            continue
        if line.startswith(_DOCUMENT):
            skipped[f"lines {_DOCUMENT} are left out"] += 1
            continue
        fields = line.split("\t") if "\t" in line else _SPACES.split(line.strip(" "))
        if len(fields) != num_columns:
            if num_columns:
                raise _ragged(path, number, f"{num_columns} columns, as in the lines before", len(fields))
            num_columns = len(fields)
            place = _column_place(path, column, num_columns) if need_tags else 0
        if not fields[0] or not fields[place]:
            raise DataError(f"expected a word and a tag in line {number} of {path}, got {line!r}")
        yield fields[0], fields[place]


def _column_place(path: str | Path, column: str | None, num_columns: int) -> int:
    if num_columns < 2:
        raise DataError(
            f"expected a word and a tag in each line of {path}, parted by a tab or by spaces, got one column",
            hint="sentences without tags are for `recurra predict`",
        )
    if column is None:
        return num_columns - 1
    choices = [str(number) for number in range(2, num_columns + 1)]
    if column not in choices:
        raise ChoiceError(f"the column of tags in {path}, by its number", column, choices)
    return int(column) - 1


def _conllu_rows(path: str | Path, column: str, need_tags: bool, skipped: Counter[str]) -> Iterator[_Row]:
    from conllu.exceptions import ParseException
    from conllu.parser import parse_id_value

    tag_of = _tag_reader(column)
    for number, line in enumerate(iter_lines(Path(path)), start=1):
        if not line or line.isspace():
            yield None
            continue
        if line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != _NUM_CONLLU_COLUMNS:
            raise _ragged(path, number, f"the {_NUM_CONLLU_COLUMNS} columns of CoNLL-U, parted by tabs", len(fields))
        try:
            is_word = isinstance(parse_id_value(fields[0]), int)
            tag = tag_of(fields) if is_word and need_tags else NO_VALUE
        except ParseException as error:
            raise DataError(f"expected CoNLL-U in line {number} of {path}, got: {error}") from error
        if not is_word:
            what = "ranges of several words" if "-" in fields[0] else "empty nodes"
            skipped[f"{what} are left out"] += 1
        elif not fields[1] or not tag:
            raise DataError(f"expected a word and a tag in line {number} of {path}, got {line!r}")
        else:
            yield fields[1], tag


def _tag_reader(column: str) -> Callable[[list[str]], str]:
    from conllu.parser import parse_dict_value

    name = column.lower()
    if name in _CONLLU_COLUMNS:
        place = _CONLLU_COLUMNS[name]
        return lambda fields: fields[place]
    if not _IS_FEATURE.fullmatch(column):
        raise ChoiceError("the column of CoNLL-U", column, (*_CONLLU_COLUMNS, "a feature such as Number"))
    return lambda fields: (parse_dict_value(fields[_FEATURES]) or {}).get(column) or NO_VALUE


def _ragged(path: str | Path, number: int, expected: str, got: int) -> DataError:
    return DataError(f"expected {expected}, in line {number} of {path}, got {got}")


__all__ = [
    "COLUMN_SUFFIXES",
    "CONLLU_SUFFIXES",
    "NO_VALUE",
    "TaggedSentence",
    "TaggedSentences",
    "is_tagged_file",
    "iter_tagged",
    "read_tagged",
]
