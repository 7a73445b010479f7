"""The folder that derived data is kept in, and how it is written there."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recurra.errors import DataError

CACHE_VARIABLE = "RECURRA_CACHE"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ABANDONED_AFTER_S = 24 * 3600
_ASIDE_PREFIX = ".aside-"


def resolve_cache_dir(cache_dir: str | Path | None = None) -> Path:
    """Return the cache folder: the one given, else ``$RECURRA_CACHE``, else the user's cache folder."""
    if cache_dir is not None:
        return Path(cache_dir)
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("recurra"))


@contextmanager
def reported_writing(folder: Path, needed: str) -> Iterator[None]:
    """Turn an operating system's refusal to write into ``folder`` into an error that says what to do.

    Args:
        folder: Where is written.
        needed: How much room that takes, in words.

    Raises:
        DataError: When the disk is full, or the folder cannot be written.
    """
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise DataError(
                f"expected room for {needed} in the cache folder {folder}, got: {reason}",
                hint=f"make room there, or set {CACHE_VARIABLE} to a folder on a larger disk",
            ) from error
        raise DataError(
            f"expected to write to the cache folder {folder}, got: {reason}",
            hint=f"set {CACHE_VARIABLE} to a folder that can be written",
        ) from error


@contextmanager
def aside_folder(parent: Path) -> Iterator[Path]:
    """Make a folder that no other process uses; what is still there at the end is removed, whatever happened."""
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    folder = parent / f"{_ASIDE_PREFIX}{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file aside and rename it, so that readers see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{_ASIDE_PREFIX}{uuid.uuid4().hex}")
    try:
        with open(aside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; the operating system may take it in parts."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sweep(parent: Path) -> None:
    """Remove what processes that were killed left behind long ago."""
    deadline = time.time() - _ABANDONED_AFTER_S
    for folder in parent.glob(f"{_ASIDE_PREFIX}*"):
        try:
            newest = max(entry.stat().st_mtime for entry in (folder, *folder.glob("*")))
        except FileNotFoundError:
            continue  # its owner has just finished
        if newest < deadline:
            shutil.rmtree(folder, ignore_errors=True)


__all__ = ["CACHE_VARIABLE", "aside_folder", "reported_writing", "resolve_cache_dir", "write_all", "write_whole"]
