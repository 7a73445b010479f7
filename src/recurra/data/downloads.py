"""Fetching named data sets to the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recurra.data.cache import reported_writing, resolve_cache_dir, write_whole
from recurra.data.catalog import DATA_SETS, DOWNLOADS
from recurra.data.data_set import Remote, RemoteFile
from recurra.data.quiet_loggers import quiet
from recurra.data.resumable import ResumableDownloader
from recurra.data.unpacking import unpack
from recurra.errors import ArgumentError, ChoiceError, DataError, DownloadError

FileProgress = Callable[[RemoteFile, int, int | None], None]
"""Called with a file, the bytes of it that are here, and how many there will be, where that is known."""
_RECORD = "fetched.json"
_UNFINISHED = ".partial"


def fetch(
    name: str, cache_dir: str | Path | None = None, *, progress: FileProgress = lambda file, here, total: None
) -> Path:
    """Fetch a data set, unless it is fetched already, and return its folder.

    Files are fetched into a folder beside it, which gets its name when everything is there. A fetch that was stopped
    goes on where it ended. What was fetched is noted in ``fetched.json`` in the folder, with its hash. A data set that
    is fetched already is compared with that.

    Args:
        name: Name of a data set that is not built in.
        cache_dir: The folder is ``CACHE_DIR/downloads/NAME``; by default of ``$RECURRA_CACHE``, else of the user's
            cache folder.
        progress: Told about every piece.

    Raises:
        ChoiceError: When there is no such data set.
        ArgumentError: When it is built in.
        DownloadError: When a file cannot be fetched, is not the one that was expected, or is a damaged archive.
        DataError: When a file cannot be written; when another process fetches the data set; when a data set that was
            fetched has changed since, or files lie in its folder that were not fetched.
    """
    from filelock import FileLock, Timeout

    remote = find_remote(name)
    downloads = resolve_cache_dir(cache_dir) / DOWNLOADS
    folder = downloads / name
    with reported_writing(downloads, f"about {remote.num_bytes / 1e6:,.1f} MB and what is packed in it"):
        downloads.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(downloads / f".{name}.lock", timeout=0):
                if folder.exists():
                    _check_unchanged(folder)
                else:
                    _fetch_all(name, remote, folder, progress)
        except Timeout as error:
            raise DataError(
                f"expected to fetch {name}, got another process that does", hint="wait until it is done"
            ) from error
    return folder


def is_fetched(name: str, cache_dir: str | Path | None = None) -> bool:
    """Return whether a data set was fetched to the cache folder; files that were put there by hand were not."""
    return (resolve_cache_dir(cache_dir) / DOWNLOADS / name / _RECORD).is_file()


def find_remote(name: str) -> Remote:
    """Return where a data set can be fetched from.

    Raises:
        ChoiceError: When there is no such data set.
        ArgumentError: When it is built in.
    """
    if name not in DATA_SETS:
        fetched = [name for name, data_set in sorted(DATA_SETS.items()) if data_set.remote]
        raise ChoiceError("the name of a data set", name, fetched)
    remote = DATA_SETS[name].remote
    if remote is None:
        raise ArgumentError(f"expected the name of a data set that lies elsewhere, got {name!r}, which is built in")
    return remote


def _fetch_all(name: str, remote: Remote, folder: Path, progress: FileProgress) -> None:
    unfinished = folder.with_name(name + _UNFINISHED)
    unfinished.mkdir(exist_ok=True)
    fetched = [_fetch_file(name, file, unfinished, progress) for file in remote.files]
    record = [_settle(name, file, path) for file, path in zip(remote.files, fetched, strict=True)]
    write_whole(unfinished / _RECORD, json.dumps(record, indent=1).encode("utf-8"))
    for file, path in zip(remote.files, fetched, strict=True):
        if file.members:
            path.unlink()
    os.replace(unfinished, folder)


def _fetch_file(name: str, file: RemoteFile, folder: Path, progress: FileProgress) -> Path:
    import pooch

    path = folder / file.name
    downloader = ResumableDownloader(folder / f"{file.name}.part", lambda here, total: progress(file, here, total))
    with quiet(pooch.get_logger()):
        try:
            # what is there already is taken when its checksum is right, or when none is known
            pooch.retrieve(file.address, file.checksum, file.name, folder, downloader=downloader)
        except DownloadError as error:
            raise DownloadError(error.message, hint=_by_hand(name, path)) from error
        except ValueError as error:
            raise DownloadError(
                f"expected {file.address} with the checksum {file.checksum}, got another file, which was removed",
                hint=f"it was damaged on the way, or has changed where it lies; {_by_hand(name, path)}",
            ) from error
    return path


def _by_hand(name: str, path: Path) -> str:
    return (
        f"`recurra data get {name}` goes on where this ended; or fetch the file by hand, put it at {path}, and repeat"
    )


def _settle(name: str, file: RemoteFile, path: Path) -> dict[str, Any]:
    """Unpack a file if it is an archive, and return what is to be known of it."""
    known: dict[str, Any] = {"address": file.address, "sha256": _sha256(path)}
    if not file.members:
        return known | {"file": file.name}
    try:
        unpacked = unpack(path, path.parent, file.members)
    except DataError as error:
        path.unlink()  # what is no archive now will be none the next time
        raise DownloadError(
            f"{error.message}; it was removed", hint=f"`recurra data get {name}` fetches it again"
        ) from error
    sizes = {str(one.relative_to(path.parent)): one.stat().st_size for one in unpacked}
    return known | {"num_files": len(sizes), "num_bytes": sum(sizes.values()), "members": list(file.members)}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_unchanged(folder: Path) -> None:
    """Check that what was fetched is still there: single files by their hash, unpacked ones by their sizes."""
    if not (folder / _RECORD).exists():
        raise DataError(
            f"expected a folder with {_RECORD} at {folder}, got one that was not fetched",
            hint=f"where files were put there by hand, add what is missing; or move {folder} away to fetch it",
        )
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        changed = [one["address"] for one in record if not _is_unchanged(folder, one)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"expected what was fetched to {folder} to be noted in {_RECORD}, got: {error}", hint=_again(folder)
        ) from error
    if changed:
        raise DataError(
            f"expected {folder} as it was fetched, got other files than those of {', '.join(changed)}",
            hint=_again(folder),
        )


def _is_unchanged(folder: Path, known: dict[str, Any]) -> bool:
    if "file" in known:
        path = folder / known["file"]
        return path.is_file() and bool(_sha256(path) == known["sha256"])
    sizes = [path.stat().st_size for pattern in known["members"] for path in folder.glob(pattern)]
    return len(sizes) == int(known["num_files"]) and sum(sizes) == int(known["num_bytes"])


def _again(folder: Path) -> str:
    return f"remove {folder}, and it is fetched again"


__all__ = ["FileProgress", "fetch", "find_remote", "is_fetched"]
