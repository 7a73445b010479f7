"""``data.json`` of a run: what it was trained on, so that a resumed run finds the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recurra.errors import DataError, RunError
from recurra.training.files import write_json
from recurra.training.run_folder import RunFolder

_FILE = "data.json"


@dataclass(frozen=True)
class DataRecord:
    """What a run was trained on.

    Attributes:
        fingerprint: Of all examples, part by part.
        sizes: Examples of each part.
        sources: Files and data sets that they were read from.
        facts: What else the run must know again, such as its labels; plain lists and numbers.
    """

    fingerprint: str
    sizes: dict[str, int]
    sources: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def fingerprint(*columns: Iterable[str]) -> str:
    """Return the SHA-256 of lists of texts, in hexadecimal digits; it depends on where one text ends."""
    digest = hashlib.sha256()
    for column in columns:
        for text in column:
            content = text.encode("utf-8", "surrogatepass")
            digest.update(b"%d:" % len(content))
            digest.update(content)
        digest.update(b"|")
    return digest.hexdigest()


def save_record(folder: Path, record: DataRecord) -> None:
    """Write ``data.json``."""
    write_json(folder / _FILE, asdict(record))


def load_record(folder: RunFolder) -> DataRecord:
    """Return what ``save_record`` wrote.

    Raises:
        RunError: When it is missing or damaged.
    """
    path = folder.path / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        facts = dict(content["facts"])
        return DataRecord(content["fingerprint"], dict(content["sizes"]), tuple(content["sources"]), facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is missing or damaged: {error!r}") from error


def check_unchanged(recorded: DataRecord, found: DataRecord, data: Sequence[str]) -> None:
    """Check that data which were read again are those of the run.

    Raises:
        DataError: When they are not.
    """
    if recorded.fingerprint == found.fingerprint:
        return
    sizes = ", ".join(
        f"{found.sizes.get(part, 0):,} instead of {size:,} {part}" for part, size in recorded.sizes.items()
    )
    raise DataError(
        f"the examples of {', '.join(data)} have changed since the run began: {sizes} examples",
        hint="put the old data back, or train a new run",
    )
