"""The folder of a run: what lies where, creating it safely, one trainer at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from recurra.errors import ConfigError, RunError, RunExistsError, RunLockedError
from recurra.training.checkpoint import CheckpointStore
from recurra.training.config_file import is_run_config
from recurra.training.files import replace_file, reported_writing, sweep_parts, write_json

_LOCK = ".recurra.lock"
_CONTENT = (
    "config.toml",
    "vocab.json",
    "tokenizer.json",
    "src",
    "tgt",
    "data.json",
    "budget.json",
    "metrics.jsonl",
    "mistakes.tsv",
    "result.json",
    "report.html",
    "translations.tsv",
    "checkpoints",
    "samples",
    "plots",
    "events",
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
        self._lock = filelock.FileLock(self.path / _LOCK)

    @contextmanager
    def create(self, *, overwrite: bool = False) -> Iterator[None]:
        """Make the folder for a new run, and hold it while it is filled and trained in.

        Args:
            overwrite: Remove the run that is there.

        Raises:
            RunExistsError: When it exists and is not empty, without ``overwrite``.
            RunError: When it is a file, cannot be made, or ``overwrite`` would touch a folder that is no run.
            RunLockedError: When a process trains there.
        """
        existed = self.path.exists()
        was_ours = (self.path / _LOCK).exists() or is_run_config(self.config)
        if existed and not self.path.is_dir():
            raise RunError(f"the run folder {self.path} is a file")
        if existed and any(path.name != _LOCK for path in self.path.iterdir()):
            self._check_replaceable(overwrite, was_ours)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"the run folder {self.path} cannot be made: {error.strerror}") from error
        with self.locked():
            # looked at again: another process may have been here between the look above and the lock
            if overwrite:
                self._clear()
            elif any(path.name != _LOCK for path in self.path.iterdir()):
                self._check_replaceable(overwrite, was_ours)
            yield

    def _check_replaceable(self, overwrite: bool, was_ours: bool) -> None:
        if not was_ours and overwrite:
            raise RunError(f"{self.path} is not empty and is no run: nothing in it is overwritten")
        if not overwrite:
            go_on = f"go on with `recurra resume {self.path}`, " if self.config.exists() else ""
            raise RunExistsError(
                f"the run folder {self.path} exists and is not empty",
                hint=f"choose another one, {go_on}or replace it with --overwrite",
            )

    def _clear(self) -> None:
        # config.toml first: what is half removed must not look like a run
        for name in _CONTENT:
            target = self.path / name
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        sweep_parts(self.path)

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of an existing run.

        Raises:
            RunError: When it is none.
        """
        run = cls(path)
        if not run.path.exists():
            raise RunError(f"there is no run at {run.path}", hint="`recurra train TASK --run FOLDER` makes one")
        if not run.config.is_file():
            raise RunError(f"{run.path} is no run: it has no config.toml", hint="pass the folder that training made")
        return run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other trainers; may be entered again by the one that holds it.

        Raises:
            RunLockedError: When another process holds it.
            RunError: When the folder cannot be written to.
        """
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise RunLockedError(f"another process trains in {self.path}") from error
        except OSError as error:
            raise RunError(f"the run folder {self.path} cannot be written to: {error.strerror}") from error
        try:
            yield
        finally:
            self._lock.release()

    def read_rows(self, warn: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
        """Return the rows of ``metrics.jsonl``; a last line that a crash tore is left out.

        Args:
            warn: Where given, other unreadable lines are reported here and left out too.

        Raises:
            RunError: When a line cannot be read, without ``warn``.
        """
        if not self.metrics.exists():
            return []
        rows = []
        lines = self.metrics.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                row["step"], row["split"]
                rows.append(row)
            except (ValueError, KeyError, TypeError) as error:
                message = f"line {number} of {self.metrics} is no row of figures"
                if warn is None:
                    raise RunError(message) from error
                warn(f"{message}; leaving it out")
        return rows

    def forget_after(self, step: int, best_step: int = -1, warn: Callable[[str], None] | None = None) -> None:
        """Bring the folder back to how it was right after the checkpoint of a step; -1 is before everything."""
        rows = [row for row in self.read_rows(warn) if row["step"] <= step]
        with reported_writing(self.path):
            if self.metrics.exists():
                replace_file(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))
            for sample in self.samples.glob("step_*.txt"):
                if int(sample.stem.split("_")[1]) > step:
                    sample.unlink()
            if step < 0:
                self._budget.unlink(missing_ok=True)
                shutil.rmtree(self.events, ignore_errors=True)
            self.checkpoints.forget_after(step, best_step)
            self.result.unlink(missing_ok=True)
            for folder in (self.path, self.samples):
                sweep_parts(folder)

    def save_total_steps(self, total_steps: int, decided_at: int) -> None:
        """Store the step count that a time budget became after some steps: a resumed run must not measure again."""
        with reported_writing(self._budget):
            write_json(self._budget, {"total_steps": total_steps, "decided_at": decided_at})

    def load_total_steps(self) -> tuple[int, int] | None:
        """Return the stored step count and the step after which it was decided, if any.

        Raises:
            ConfigError: When the file was altered.
        """
        if not self._budget.exists():
            return None
        try:
            stored = json.loads(self._budget.read_text(encoding="utf-8"))
            return int(stored["total_steps"]), int(stored["decided_at"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self._budget} is damaged: {error!r}") from error
