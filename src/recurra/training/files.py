"""Writing files so that they are whole or not there, also after a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recurra.errors import RunWriteError

PART = ".part"
"""How names end that are still being written; a kill may leave such a file behind."""


@contextmanager
def reported_writing(path: Path) -> Iterator[None]:
    """Turn an OSError into one that says what could not be written and that the run can go on.

    Raises:
        RunWriteError: In place of the OSError.
    """
    try:
        yield
    except OSError as error:
        raise RunWriteError(
            f"{path} could not be written: {error.strerror or error}; checkpoints written before stay valid",
            hint="make room on the disk, then go on with `recurra resume`",
        ) from error


def write_bytes_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's list of names."""
    if os.name == "nt":
        return  # Windows cannot open folders; its renames are journalled
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes | str) -> None:
    """Write a file aside and put it in place in one step: a reader sees the old one or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        write_bytes_durably(aside, data.encode() if isinstance(data, str) else data)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sweep_parts(folder: Path) -> None:
    """Remove what a kill left half-written in a folder."""
    for path in folder.glob(f".*{PART}"):
        path.unlink()


def write_json(path: Path, value: Any) -> None:
    """Write JSON for programs and people, in one step."""
    replace_file(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
