"""Unpacking archives into a folder, and nowhere else."""

from __future__ import annotations

import fnmatch
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from recurra.errors import DataError

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


def unpack(archive: Path, folder: Path, members: Sequence[str]) -> tuple[Path, ...]:
    """Unpack some of the files of an archive, under the names that they have in it.

    Links and devices are never made, so that no file can be written through one.

    Args:
        archive: A file that ends in ``.zip``, or a tar file, packed or not.
        folder: Where the files are written; it need not be empty.
        members: Patterns of the names of files, with ``/`` between folders; ``*`` stays within one.

    Returns:
        The files, in the order of the archive.

    Raises:
        DataError: When the archive is damaged, none of its files is asked for, or one that is would lie outside the
            folder or is no file.
        OSError: When a file cannot be written.
    """
    written = []
    with _reported(archive):
        for name, content in _iter_members(archive, members):
            path = folder / _inner_path(name, archive)
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                shutil.copyfileobj(content, file)
            written.append(path)
    if not written:
        raise DataError(f"expected files {', '.join(members)} in {archive}, got none")
    return tuple(written)


@contextmanager
def _reported(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"expected an archive at {archive}, got a damaged one or none: {error}") from error


def _iter_members(archive: Path, members: Sequence[str]) -> Iterator[tuple[str, IO[bytes]]]:
    if archive.suffix == ".zip":
        yield from _iter_zip(archive, members)
    else:
        yield from _iter_tar(archive, members)


def _iter_zip(archive: Path, members: Sequence[str]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            if _is_wanted(info.filename, members) and not info.is_dir():
                with packed.open(info) as content:
                    yield info.filename, content


def _iter_tar(archive: Path, members: Sequence[str]) -> Iterator[tuple[str, IO[bytes]]]:
    # forwards only: to go back in a packed file means to unpack it from the start
    with tarfile.open(archive, "r|*") as packed:
        for info in packed:
            if not _is_wanted(info.name, members) or info.isdir():
                continue
            content = packed.extractfile(info) if info.isfile() else None
            if content is None:
                raise DataError(f"expected plain files in {archive}, got a link or a device: {info.name}")
            yield info.name, content


def _is_wanted(name: str, members: Sequence[str]) -> bool:
    parts = PurePosixPath(name).parts  # without "./"
    patterns = (pattern.split("/") for pattern in members)
    return any(len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted)) for wanted in patterns)


def _inner_path(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    # a backslash and a colon mean something on Windows only
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise DataError(f"expected files inside of {archive}, got one that would lie outside: {name}")
    return path


__all__ = ["unpack"]
