"""Data sets by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from recurra.data.builtin_text import PLACE_NAMES, PYTHON_MANUAL, write_place_names, write_python_manual
from recurra.data.records import Columns
from recurra.errors import DataError, DataNotFoundError

DATA_VARIABLE = "RECURRA_DATA"
_BUILTIN_PREFIX = "builtin:"

_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class Sources:
    """Data as asked for, the files that it stands for, and what named data sets know of themselves.

    Attributes:
        names: The items as they were given.
        paths: Their text files, in the same order; some data sets have many.
        validation: Files to validate on that a data set brings; empty for most.
        test: Files to test on that a data set brings; empty for most.
        tokenizer: How a data set is to be cut into tokens: "whitespace" for one that is tokenised already, or None.
        sequences: "lines" for data sets that are lists, each line a sequence by itself, or None.
        columns: What to read of a data set that is a table, or None.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    tokenizer: Literal["whitespace"] | None = None
    sequences: Literal["lines"] | None = None
    columns: Columns | None = None


@dataclass(frozen=True)
class _DataSet:
    """A named data set: where its files lie below $RECURRA_DATA, or what writes its only one; else as in Sources."""

    train: str | Callable[[str | Path | None], Path]  # the last part of a path may be a pattern
    validation: str | None = None
    test: str | None = None
    tokenizer: Literal["whitespace"] | None = None
    sequences: Literal["lines"] | None = None
    columns: Columns | None = None


_DATA_SETS = {
    PLACE_NAMES: _DataSet(write_place_names, sequences="lines", columns=Columns(text="place")),
    PYTHON_MANUAL: _DataSet(write_python_manual),
    "grimm": _DataSet("books/book_EN_grimms_fairy_tails.txt"),
    "names": _DataSet("names/*.txt", sequences="lines"),
    "ptb": _DataSet("ptb/ptb.train.txt", "ptb/ptb.valid.txt", "ptb/ptb.test.txt", tokenizer="whitespace"),
    "ptb-char": _DataSet(
        "ptb/ptb.char.train.txt.gz", "ptb/ptb.char.valid.txt.gz", "ptb/ptb.char.test.txt.gz", tokenizer="whitespace"
    ),
    "tinyshakespeare": _DataSet("tinyshakespeare/input.txt"),
}


def names() -> tuple[str, ...]:
    """Return the names of all data sets, in order."""
    return tuple(sorted(_DATA_SETS))


def resolve(data: Sequence[str], cache_dir: str | Path | None = None) -> Sources:
    """Turn files and names of data sets into files.

    A name that is also an existing file is that file.

    Args:
        data: Paths of text files, ``builtin:python-manual`` (what ``help()`` of this Python says about the language),
            ``builtin:place-names`` (the places that time zones are named after, with their regions), or names that
            are looked up in the folder ``$RECURRA_DATA``.
        cache_dir: Where built-in text is written; by default ``$RECURRA_CACHE``, else the user's cache folder.

    Raises:
        DataNotFoundError: When an item is neither a file nor a data set that is there.
        DataError: When nothing is asked for, an item is a folder, or data sets do not go together.
    """
    if isinstance(data, str) or not data:
        raise DataError(f"expected a list of files or names of data sets for data, got {data!r}")
    found = [_find(item, cache_dir) for item in data]
    for one in found:
        if len(found) > 1 and (one.validation or one.test):
            raise DataError(
                f"expected {one.names[0]!r} alone for data, since it brings its own validation and test files, "
                f"got {', '.join(data)}",
                hint="name its files one by one to mix them with others",
            )
    return Sources(
        tuple(data),
        tuple(path for one in found for path in one.paths),
        found[0].validation,
        found[0].test,
        tokenizer=_only("tokenizer", {one.names[0]: one.tokenizer for one in found}),
        sequences=_only("sequences", {one.names[0]: one.sequences for one in found}),
        columns=_only("columns", {one.names[0]: one.columns for one in found}),
    )


def _only(what: str, facts: Mapping[str, _Fact | None]) -> _Fact | None:
    """Return what some of the items know of themselves, if they agree; plain files know nothing."""
    known = {name: fact for name, fact in facts.items() if fact is not None}
    distinct = list(dict.fromkeys(known.values()))
    if len(distinct) > 1:
        raise DataError(
            f"expected data sets that agree on {what}, "
            f"got {', '.join(f'{fact} for {name!r}' for name, fact in known.items())}",
            hint="train on one of them at a time, or name their files instead",
        )
    return distinct[0] if distinct else None


def _find(item: str, cache_dir: str | Path | None) -> Sources:
    # unlike pathlib's, these functions answer False for names that no file can have
    path = os.path.expanduser(item)
    if os.path.exists(path) and not os.path.isdir(path):
        return Sources((item,), (Path(path),))
    if item in _DATA_SETS:
        return _find_named(item, _DATA_SETS[item], cache_dir)
    if os.path.isdir(path):
        raise DataError(f"expected a text file for data, got the folder {item}", hint="name the files in it")
    raise _not_found(item)


def _find_named(name: str, data_set: _DataSet, cache_dir: str | Path | None) -> Sources:
    train, *held_out = data_set.train, data_set.validation, data_set.test
    paths = _find_files(name, train) if isinstance(train, str) else (train(cache_dir),)
    validation, test = (_find_files(name, pattern) if pattern else () for pattern in held_out)
    return Sources((name,), paths, validation, test, data_set.tokenizer, data_set.sequences, data_set.columns)


def _find_files(name: str, pattern: str) -> tuple[Path, ...]:
    root = os.environ.get(DATA_VARIABLE)
    if not root:
        raise DataNotFoundError(
            f"expected the folder of the data set {name!r} in {DATA_VARIABLE}, which is not set",
            hint=f"set {DATA_VARIABLE} to a folder that holds {pattern}, or use {PYTHON_MANUAL}",
        )
    path = Path(root).expanduser() / pattern
    paths = tuple(sorted(one for one in path.parent.glob(path.name) if one.is_file()))
    if not paths:
        raise DataNotFoundError(
            f"expected the data set {name!r} at {path}, got nothing: no such file",
            hint=f"put it there, or set {DATA_VARIABLE} to another folder",
        )
    return paths


def _not_found(item: str) -> DataNotFoundError:
    known = ", ".join(names())
    # names without their prefix are near, too
    aliases = {name.removeprefix(_BUILTIN_PREFIX): name for name in names()} | {name: name for name in names()}
    near = difflib.get_close_matches(item.lower(), aliases, n=1)
    hint = f"did you mean {aliases[near[0]]!r}?" if near else ""
    return DataNotFoundError(
        f"expected a text file or a known data set for data, got {item!r}: "
        f"there is no file {os.path.abspath(item)}, and the data sets are {known}",
        hint=hint,
    )


__all__ = ["DATA_VARIABLE", "Sources", "names", "resolve"]
