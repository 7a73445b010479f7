"""Text that comes with Python and with the packages that Recurra needs."""

from __future__ import annotations

import hashlib
import importlib
import platform
from importlib.resources import files
from pathlib import Path

from recurra.data.cache import reported_writing, resolve_cache_dir, write_whole
from recurra.errors import DataNotFoundError

PYTHON_MANUAL = "builtin:python-manual"
PLACE_NAMES = "builtin:place-names"
_REGIONS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


def write_python_manual(cache_dir: str | Path | None = None) -> Path:
    """Write what ``help()`` of this Python says about the language to the cache, unless it is there.

    Returns:
        The file: the topics in the order of their keys, with a blank line between.

    Raises:
        DataNotFoundError: When this Python carries no such text.
        DataError: When the cache cannot be written.
    """
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        topics = {}
    parts = [topics[key].strip("\n") for key in sorted(topics)]
    if not any(parts):
        raise DataNotFoundError(
            f"expected the topics of help() in this Python for {PYTHON_MANUAL}, got none",
            hint="CPython carries them in pydoc_data.topics; name a text file of your own instead",
        )
    return _write("\n\n".join(parts) + "\n", f"python-manual-{platform.python_version()}", ".txt", cache_dir)


def write_place_names(cache_dir: str | Path | None = None) -> Path:
    """Write the places that time zones are named after to the cache, unless they are there.

    A zone such as ``America/Argentina/Buenos_Aires`` gives the place "Buenos Aires" in the region "America"; zones
    that are named after no place give none.

    Returns:
        A table with the columns place and region, sorted by region and place, each pair once.

    Raises:
        DataNotFoundError: When the time-zone database is not installed.
        DataError: When the cache cannot be written.

    Source: the IANA time-zone database, in the public domain, as package ``tzdata`` carries it.
    """
    try:
        zones = files("tzdata").joinpath("zones").read_text(encoding="utf-8")
        version = importlib.import_module("tzdata").IANA_VERSION
    except (ImportError, FileNotFoundError) as error:
        raise DataNotFoundError(
            f"expected the time-zone database of the package tzdata for {PLACE_NAMES}, got none",
            hint="install tzdata; name a text file of your own instead",
        ) from error
    places = set()
    for zone in zones.split():
        region, *inner = zone.split("/")
        if region in _REGIONS and inner:
            places.add((region, inner[-1].replace("_", " ")))
    table = "".join(f"{place}\t{region}\n" for region, place in sorted(places))
    return _write(f"place\tregion\n{table}", f"place-names-{version}", ".tsv", cache_dir)


def _write(text: str, name: str, suffix: str, cache_dir: str | Path | None) -> Path:
    content = text.encode("utf-8")
    label = hashlib.sha256(content).hexdigest()[:12]
    path = resolve_cache_dir(cache_dir) / "builtin" / f"{name}-{label}{suffix}"
    if not path.is_file() or path.read_bytes() != content:
        with reported_writing(path.parent, f"{len(content) / 1e6:.1f} MB"):
            write_whole(path, content)
    return path


__all__ = ["PLACE_NAMES", "PYTHON_MANUAL", "write_place_names", "write_python_manual"]
