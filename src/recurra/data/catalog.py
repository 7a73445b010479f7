"""Data sets by name."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.data.cache import reported_writing, resolve_cache_dir, write_whole
from recurra.errors import DataError, DataNotFoundError

DATA_VARIABLE = "RECURRA_DATA"
_BUILTIN_PREFIX = "builtin:"
_PYTHON_MANUAL = "builtin:python-manual"
# Where each named data set lies below $RECURRA_DATA.
_FILES = {
    "grimm": "books/book_EN_grimms_fairy_tails.txt",
    "tinyshakespeare": "tinyshakespeare/input.txt",
}


@dataclass(frozen=True)
class Sources:
    """Data as asked for, and the files that it stands for.

    Attributes:
        names: The items as they were given.
        paths: One text file for each of them, in the same order.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]


def names() -> tuple[str, ...]:
    """Return the names of all data sets, in order."""
    return tuple(sorted((_PYTHON_MANUAL, *_FILES)))


def resolve(data: Sequence[str], cache_dir: str | Path | None = None) -> Sources:
    """Turn files and names of data sets into files.

    A name that is also an existing file is that file.

    Args:
        data: Paths of text files, ``builtin:python-manual`` (what ``help()`` of this Python says about the language),
            or names that are looked up in the folder ``$RECURRA_DATA``.
        cache_dir: Where built-in text is written; by default ``$RECURRA_CACHE``, else the user's cache folder.

    Raises:
        DataNotFoundError: When an item is neither a file nor a data set that is there.
        DataError: When nothing is asked for, or an item is a folder.
    """
    if isinstance(data, str) or not data:
        raise DataError(f"expected a list of files or names of data sets for data, got {data!r}")
    return Sources(tuple(data), tuple(_find(item, cache_dir) for item in data))


def _find(item: str, cache_dir: str | Path | None) -> Path:
    # unlike pathlib's, these functions answer False for names that no file can have
    path = os.path.expanduser(item)
    if os.path.exists(path) and not os.path.isdir(path):
        return Path(path)
    if item == _PYTHON_MANUAL:
        return _materialise_python_manual(cache_dir)
    if item in _FILES:
        return _find_named(item)
    if os.path.isdir(path):
        raise DataError(f"expected a text file for data, got the folder {item}", hint="name the files in it")
    raise _not_found(item)


def _find_named(name: str) -> Path:
    root = os.environ.get(DATA_VARIABLE)
    if not root:
        raise DataNotFoundError(
            f"expected the folder of the data set {name!r} in {DATA_VARIABLE}, which is not set",
            hint=f"set {DATA_VARIABLE} to a folder that holds {_FILES[name]}, or use {_PYTHON_MANUAL}",
        )
    path = Path(root).expanduser() / _FILES[name]
    if not path.is_file():
        raise DataNotFoundError(
            f"expected the data set {name!r} at {path}, got nothing: no such file",
            hint=f"put it there, or set {DATA_VARIABLE} to another folder",
        )
    return path


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


def _materialise_python_manual(cache_dir: str | Path | None) -> Path:
    content = _python_manual().encode("utf-8")
    label = f"{platform.python_version()}-{hashlib.sha256(content).hexdigest()[:12]}"
    path = resolve_cache_dir(cache_dir) / "builtin" / f"python-manual-{label}.txt"
    if not path.is_file() or path.read_bytes() != content:
        with reported_writing(path.parent, f"{len(content) / 1e6:.1f} MB"):
            write_whole(path, content)
    return path


def _python_manual() -> str:
    """Join what ``help()`` says about each topic, in the order of their keys, with a blank line between."""
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        topics = {}
    parts = [topics[key].strip("\n") for key in sorted(topics)]
    if not any(parts):
        raise DataNotFoundError(
            f"expected the topics of help() in this Python for {_PYTHON_MANUAL}, got none",
            hint="CPython carries them in pydoc_data.topics; name a text file of your own instead",
        )
    return "\n\n".join(parts) + "\n"


__all__ = ["DATA_VARIABLE", "Sources", "names", "resolve"]
