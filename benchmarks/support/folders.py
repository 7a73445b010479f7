"""Where the run of a benchmark lies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def run_folder(kept: Path | None) -> Iterator[Path]:
    """Return the folder in which a run is to be kept, or one that is removed at the end where none is named."""
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "run"
