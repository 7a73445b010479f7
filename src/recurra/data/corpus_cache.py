"""Where corpora are kept, and when one that is kept can be used again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from recurra.data.cache import resolve_cache_dir, write_whole
from recurra.data.corpus_description import VERSION, Description, Reading, Source
from recurra.data.text_files import open_regular

_DESCRIPTION = "corpus.json"
# A file can change twice within one tick of a coarse clock, so the times of a file this young prove nothing.
_SETTLED_AFTER_S = 2.0

Stamp = tuple[str, int, int, int]


def corpora_root(cache_dir: str | Path | None) -> Path:
    """Return the folder that holds the corpora, each in a folder named after its fingerprint."""
    return resolve_cache_dir(cache_dir) / f"corpora-{VERSION}"


def stamp_of(path: Path) -> Stamp:
    """Return path, size, time of change and time of status change of a file.

    Raises:
        DataError: When it cannot be read.
    """
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
    return str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def are_settled(stamps: Sequence[Stamp], now_s: float) -> bool:
    """Tell whether the files changed long enough ago for their times to prove that they are the same."""
    return all(abs(now_s - time_ns / 1e9) > _SETTLED_AFTER_S for stamp in stamps for time_ns in stamp[2:])


def index_entry(root: Path, stamps: Sequence[Stamp], reading: Reading) -> Path:
    """Return the file that names the corpus of files with these stamps."""
    key = json.dumps([stamps, dataclasses.asdict(reading)], sort_keys=True)
    return root / "index" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def write_entry(entry: Path, description: Description) -> None:
    """Note which corpus the files of ``entry`` make."""
    sources = [dataclasses.asdict(source) for source in description.sources]
    content = {"fingerprint": description.fingerprint, "sources": sources}
    write_whole(entry, json.dumps(content, indent=1).encode("utf-8"))


def read_entry(root: Path, entry: Path) -> tuple[Path, Description] | None:
    """Return folder and description of the corpus that ``entry`` names, if both are there and whole."""
    try:
        content = json.loads(entry.read_bytes())
        folder, sources = root / content["fingerprint"], tuple(Source(**source) for source in content["sources"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no entry, or one that cannot be read: the corpus is made anew
    description = read_folder(folder)
    if description is None:
        return None
    # the same text may have been made from other files before
    return folder, dataclasses.replace(description, sources=sources)


def read_folder(folder: Path) -> Description | None:
    """Return the description of the corpus in ``folder``, or None where none is, or a damaged one."""
    try:
        description = Description.from_json((folder / _DESCRIPTION).read_bytes())
        whole = all(array.is_whole(folder, name) for name, array in description.arrays.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return description if whole and description.fingerprint == folder.name else None


def publish(aside: Path, root: Path, description: Description) -> Path:
    """Describe the arrays in ``aside`` and rename it to its place, unless another process was faster."""
    write_whole(aside / _DESCRIPTION, description.to_json())
    folder = root / description.fingerprint
    while True:
        try:
            os.rename(aside, folder)
        except OSError:
            if read_folder(folder) is not None:
                return folder
            if not folder.exists():
                raise
        else:
            return folder
        # what lies there is damaged: put it out of the way, where nobody looks for it
        broken = folder.with_name(f".aside-{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):  # another process may do the same
            os.rename(folder, broken)
        shutil.rmtree(broken, ignore_errors=True)


def needed_room(stamps: Sequence[Stamp], reading: Reading) -> str:
    """Say how much room the arrays of these files take.

    Characters take at most one byte for each byte of text while ids are of the narrowest type; words take two bytes
    or four and those of their end, and have five or six characters.
    """
    size_mb = max(sum(stamp[1] for stamp in stamps) / 1e6, 0.1)
    if any(Path(stamp[0]).suffix in (".gz", ".xz") for stamp in stamps):
        return f"the unpacked text of {size_mb:.1f} MB"
    if reading.rule == "char":
        return f"{size_mb:.1f} MB, or three times that where more than 255 characters are distinct,"
    return f"{1.5 * size_mb:.1f} MB, or several times that where words are short,"


__all__ = [
    "Stamp",
    "are_settled",
    "corpora_root",
    "index_entry",
    "needed_room",
    "publish",
    "read_entry",
    "read_folder",
    "stamp_of",
    "write_entry",
]
