"""The folder of a run: what lies where, creating it safely, one trainer at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from recurra.errors import RunError, RunExistsError, RunLockedError
from recurra.training.checkpoint import CheckpointStore
from recurra.training.files import replace_file, write_json

_OURS = (
    "config.toml",
    "vocab.json",
    "data.json",
    "budget.json",
    "metrics.jsonl",
    "result.json",
    "report.html",
    "checkpoints",
    "samples",
    "plots",
    "events",
    ".lock",
)


class RunFolder:
    """Paths inside a run and the few rules about them.

    ``config.toml`` is written last when a run is made: a folder without it is no run.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.metrics = self.path / "metrics.jsonl"
        self.result = self.path / "result.json"
        self.samples = self.path / "samples"
        self.plots = self.path / "plots"
        self.events = self.path / "events"
        self.checkpoints = CheckpointStore(self.path / "checkpoints")
        self._budget = self.path / "budget.json"

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Make a folder for a new run.

        Raises:
            RunExistsError: When it exists and is not empty, without ``overwrite``.
            RunError: When it is a file, cannot be made, or ``overwrite`` would touch a folder that is no run.
            RunLockedError: When a process trains there.
        """
        run = cls(path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"the run folder {run.path} cannot be made: {error.strerror}") from error
        if any(run.path.iterdir()):
            run._clear(overwrite)
        return run

    def _clear(self, overwrite: bool) -> None:
        if not overwrite:
            raise RunExistsError(
                f"the run folder {self.path} exists and is not empty",
                hint=f"choose another one, go on with `recurra resume {self.path}`, or replace it with --overwrite",
            )
        if not (self.config.exists() or self.checkpoints.names()):
            raise RunError(f"{self.path} is not empty and is no run: nothing in it is overwritten")
        with self.locked():
            # config.toml first: what is half removed must not look like a run
            for name in _OURS[:-1]:
                target = self.path / name
                if target.is_dir():
                    shutil.rmtree(target)
                else:
                    target.unlink(missing_ok=True)

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of an existing run.

        Raises:
            RunError: When it is none.
        """
        run = cls(path)
        if not run.path.exists():
            raise RunError(f"there is no run at {run.path}", hint="`recurra train text --run FOLDER` makes one")
        if not run.config.is_file():
            raise RunError(f"{run.path} is no run: it has no config.toml", hint="pass the folder that training made")
        return run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other trainers.

        Raises:
            RunLockedError: When another process holds it.
        """
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise RunLockedError(f"another process trains in {self.path}") from error
        try:
            yield
        finally:
            lock.release()

    def read_rows(self) -> list[dict[str, Any]]:
        """Return the rows of ``metrics.jsonl``; a last line that a crash tore is left out."""
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def forget_after(self, step: int) -> None:
        """Bring the folder back to how it was right after the checkpoint of a step."""
        rows = [row for row in self.read_rows() if row["step"] <= step]
        if self.metrics.exists():
            replace_file(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))
        for sample in self.samples.glob("step_*.txt"):
            if int(sample.stem.split("_")[1]) > step:
                sample.unlink()
        self.checkpoints.forget_after(step)
        self.result.unlink(missing_ok=True)

    def save_total_steps(self, total_steps: int) -> None:
        """Store the step count that a time budget became: a resumed run must not measure again."""
        write_json(self._budget, {"total_steps": total_steps})

    def load_total_steps(self) -> int | None:
        """Return the stored step count, if any."""
        return json.loads(self._budget.read_text())["total_steps"] if self._budget.exists() else None
