"""Data sets by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from recurra.data.builtin_data_sets import BUILTIN_DATA_SETS, BUILTIN_PREFIX
from recurra.data.cache import resolve_cache_dir
from recurra.data.data_set import DataSet, Kind, Layout, Written
from recurra.data.records import Columns
from recurra.data.remote_data_sets import REMOTE_DATA_SETS
from recurra.errors import DataError, DataNotFoundError

DATA_SETS: dict[str, DataSet] = BUILTIN_DATA_SETS | REMOTE_DATA_SETS
"""All named data sets."""
DATA_VARIABLE = "RECURRA_DATA"
HUB_PREFIX = "hub:"
DOWNLOADS = "downloads"
_PACKED = ("", ".gz", ".xz")

_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class Sources:
    """Data as asked for, the files that it stands for, and what named data sets know of themselves.

    Attributes:
        names: The items as they were given.
        paths: Their files (or folders, where those are asked for), in the same order; some data sets have many.
        validation: Files to validate on that a data set brings; empty for most.
        test: Files to test on that a data set brings; empty for most.
        tokenizer: How a data set is to be cut into tokens: "whitespace" for one that is tokenised already, or None.
        sequences: "lines" for data sets that are lists, each line a sequence by itself, or None.
        columns: What to read of a data set that is a table, how its files are labelled, or None.
        kind: What named data sets hold, or None where there are only files.
        hub: Names of data sets on the Hugging Face hub; ``paths`` is empty then.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    tokenizer: Literal["whitespace"] | None = None
    sequences: Literal["lines"] | None = None
    columns: Columns | None = None
    kind: Kind | None = None
    hub: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """Return the names of all data sets, in order."""
    return tuple(sorted(DATA_SETS))


def resolve(data: Sequence[str], cache_dir: str | Path | None = None, *, folders: bool = False) -> Sources:
    """Turn files and names of data sets into files.

    A name that is also an existing file is that file. Data sets are looked for in the folder ``$RECURRA_DATA``, then
    among those that ``recurra data get`` has fetched. Built-in ones, whose names begin with ``builtin:``, are written
    when they are asked for.

    Args:
        data: Paths of files, or names of data sets.
        cache_dir: Where built-in data sets are written, and fetched ones lie; by default ``$RECURRA_CACHE``, else the
            user's cache folder.
        folders: Whether an item may also be a folder, which is then one of the paths, or ``hub:NAME``.

    Raises:
        DataNotFoundError: When an item is neither a file nor a data set that is there.
        DataError: When nothing is asked for, an item is a folder and may be none, or data sets do not go together.
    """
    if isinstance(data, str) or not data:
        raise DataError(f"expected a list of files or names of data sets for data, got {data!r}")
    found = [_find(item, cache_dir, folders) for item in data]
    if len(found) > 1:
        _check_together(found, data)
    return Sources(
        tuple(data),
        tuple(path for one in found for path in one.paths),
        found[0].validation,
        found[0].test,
        tokenizer=_only("tokenizer", {one.names[0]: one.tokenizer for one in found}),
        sequences=_only("sequences", {one.names[0]: one.sequences for one in found}),
        columns=_only("columns", {one.names[0]: one.columns for one in found}),
        kind=_common_kind(found),
        hub=tuple(name for one in found for name in one.hub),
    )


def find_folder(name: str, cache_dir: str | Path | None = None) -> Path | None:
    """Return the folder in which the files of a data set lie; None where they are not there, or not all.

    Args:
        name: Name of a data set that is not built in.
        cache_dir: Where fetched data sets lie.
    """
    for layout, ((first, *_), *_) in _iter_found(DATA_SETS[name], cache_dir):
        return first if layout.is_folder else first.parent
    return None


def _check_together(found: Sequence[Sources], data: Sequence[str]) -> None:
    for one in found:
        if one.validation or one.test:
            raise DataError(
                f"expected {one.names[0]!r} alone for data, since it brings its own validation and test files, "
                f"got {', '.join(data)}",
                hint="name its files one by one to mix them with others",
            )
    if len({bool(one.hub) for one in found}) > 1:
        raise DataError(f"expected either data sets of the hub or files for data, got {', '.join(data)}")


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


def _common_kind(found: Sequence[Sources]) -> Kind | None:
    """Return what all items hold; mere text goes with everything, as plain files do."""
    structured: Kind | None = _only("kind", {one.names[0]: one.kind for one in found if one.kind != "text"})
    return structured or ("text" if any(one.kind for one in found) else None)


def _find(item: str, cache_dir: str | Path | None, folders: bool) -> Sources:
    # unlike pathlib's, these functions answer False for names that no file can have
    path = os.path.expanduser(item)
    if os.path.exists(path) and not os.path.isdir(path):
        return Sources((item,), (Path(path),))
    if item in DATA_SETS:
        return _find_named(item, DATA_SETS[item], cache_dir, folders)
    if item.startswith(HUB_PREFIX):
        return _find_hub(item, folders)
    if os.path.isdir(path):
        if not folders:
            raise DataError(f"expected a text file for data, got the folder {item}", hint="name the files in it")
        return Sources((item,), (Path(path),))
    raise _not_found(item)


def _find_hub(item: str, folders: bool) -> Sources:
    name = item.removeprefix(HUB_PREFIX)
    if not folders:
        raise DataError(
            f"expected a file for data, got {item!r}, whose texts have labels",
            hint="recurra train classify reads it",
        )
    if not name:
        raise DataError(f"expected the name of a data set of the hub behind {HUB_PREFIX}, got {item!r}")
    return Sources((item,), (), hub=(name,), kind="labels")


def _find_named(name: str, data_set: DataSet, cache_dir: str | Path | None, folders: bool) -> Sources:
    if data_set.write is not None:
        (train, validation, test), columns = _parts_of(data_set.write(cache_dir)), data_set.columns
    else:
        layout, (train, validation, test) = _find_files(name, data_set, cache_dir, folders)
        columns = layout.columns
    return Sources(
        (name,),
        train,
        validation,
        test,
        tokenizer=data_set.tokenizer,
        sequences=data_set.sequences,
        columns=columns,
        kind=data_set.kind,
    )


_Parts = tuple[tuple[Path, ...], tuple[Path, ...], tuple[Path, ...]]


def _parts_of(written: Written) -> _Parts:
    if isinstance(written, tuple):
        train, validation, test = written
        return (train,), (validation,), (test,)
    return (written,), (), ()


def _find_files(name: str, data_set: DataSet, cache_dir: str | Path | None, folders: bool) -> tuple[Layout, _Parts]:
    only_folder = None
    for layout, parts in _iter_found(data_set, cache_dir):
        if folders or not layout.is_folder:
            return layout, parts
        only_folder = only_folder or parts[0][0]
    if only_folder:
        raise DataError(
            f"expected text files for data, got {name!r}, which is there as the folder {only_folder}",
            hint="recurra train classify reads it",
        )
    raise _not_there(name, data_set, cache_dir)


def _iter_found(data_set: DataSet, cache_dir: str | Path | None) -> Iterator[tuple[Layout, _Parts]]:
    """Yield where a data set is there as a whole, the best place first."""
    for root in _roots(cache_dir):
        for layout in data_set.layouts:
            if parts := _find_parts(root, layout):
                yield layout, parts


def _roots(cache_dir: str | Path | None) -> Iterator[Path]:
    """Yield the folders that data sets are looked for in."""
    if root := os.environ.get(DATA_VARIABLE):
        yield Path(root).expanduser()
    yield resolve_cache_dir(cache_dir) / DOWNLOADS


def _find_parts(root: Path, layout: Layout) -> _Parts | None:
    """Return the files of each part; None unless all are there."""
    if layout.is_folder:
        folder = root / layout.train[0]
        return ((folder,), (), ()) if folder.is_dir() else None
    if _first_missing(root, layout) is not None:
        return None
    train, validation, test = (
        tuple(path for pattern in part for path in _matches(root, pattern))
        for part in (layout.train, layout.validation, layout.test)
    )
    return train, validation, test


def _matches(root: Path, pattern: str) -> tuple[Path, ...]:
    path = root / pattern
    found = (sorted(one for one in path.parent.glob(path.name + suffix) if one.is_file()) for suffix in _PACKED)
    return tuple(next(filter(None, found), ()))


def _first_missing(root: Path, layout: Layout) -> str | None:
    patterns = (*layout.train, *layout.validation, *layout.test)
    return next((pattern for pattern in patterns if not _matches(root, pattern)), None)


def _not_there(name: str, data_set: DataSet, cache_dir: str | Path | None) -> DataNotFoundError:
    fetching = f"`recurra data get {name}` fetches it"
    first, *others = dict.fromkeys(map(_describe, data_set.layouts))
    *named, downloads = _roots(cache_dir)
    if not named:
        return DataNotFoundError(
            f"expected the data set {name!r} in {DATA_VARIABLE}, which is not set, or fetched to {downloads}, got "
            "neither",
            hint=f"{fetching}; or set {DATA_VARIABLE} to a folder that holds {' or '.join((first, *others))}",
        )
    # where some of it is there, what is missing is named
    begun = next((layout for layout in data_set.layouts if _has_some(named[0], layout)), None)
    wanted = begun or data_set.layouts[0]
    missing = wanted.train[0] if wanted.is_folder else _first_missing(named[0], wanted)
    elsewhere = f", or {' or '.join(others)} into {named[0]}" if others and not begun else ""
    return DataNotFoundError(
        f"expected the data set {name!r} at {named[0] / (missing or '')}, got nothing: no such file, and none is "
        f"fetched to {downloads}",
        hint=f"{fetching}; or put it there{elsewhere}, or set {DATA_VARIABLE} to another folder",
    )


def _describe(layout: Layout) -> str:
    files = ", ".join(layout.train)
    return f"the folder {files}" if layout.is_folder else files


def _has_some(root: Path, layout: Layout) -> bool:
    return not layout.is_folder and bool(_matches(root, layout.train[0]))


def _not_found(item: str) -> DataNotFoundError:
    known = ", ".join(names())
    # names without their prefix are near, too
    aliases = {name.removeprefix(BUILTIN_PREFIX): name for name in names()} | {name: name for name in names()}
    near = difflib.get_close_matches(item.lower(), aliases, n=1)
    hint = f"did you mean {aliases[near[0]]!r}?" if near else ""
    return DataNotFoundError(
        f"expected a text file or a known data set for data, got {item!r}: "
        f"there is no file {os.path.abspath(item)}, and the data sets are {known}",
        hint=hint,
    )


__all__ = ["DATA_SETS", "DATA_VARIABLE", "DOWNLOADS", "Sources", "find_folder", "names", "resolve"]
