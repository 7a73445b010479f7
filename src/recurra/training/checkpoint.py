"""Checkpoints: folders of tensors and JSON, written aside, flushed, checksummed and renamed.

A checkpoint ``step_00000500_loss1.4228/`` holds

- ``weights.safetensors``: the model's state dict, readable by anything that reads safetensors;
- ``training.safetensors``: tensors of optimiser, carried state and random states;
- ``checkpoint.json``: step, loss, the rest of the training state, and the SHA-256 of the other two and of itself.

Beside them lie the files ``last`` and ``best``, each holding the name of a checkpoint. They are replaced in one step
after the checkpoint they name is complete, so they are valid at every moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from recurra.errors import CheckpointError, CheckpointFormatError, CheckpointWriteError, RunError
from recurra.training.files import replace_file, sync_folder, write_bytes_durably
from recurra.training.packing import pack, unpack

FORMAT = 1
_WEIGHTS, _TRAINING, _JSON = "weights.safetensors", "training.safetensors", "checkpoint.json"
_ASIDE = ".part_"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read back: ``weights`` for the model, ``training`` for whoever goes on training."""

    path: Path
    step: int
    loss: float | None
    weights: dict[str, Tensor]
    training: dict[str, Any]


class CheckpointStore:
    """The ``checkpoints`` folder of a run."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def save(
        self, step: int, weights: Mapping[str, Tensor], training: dict[str, Any], *, loss: float | None, best: bool
    ) -> Path:
        """Write a checkpoint, point ``last`` (and ``best``) to it, and remove old ones.

        Raises:
            CheckpointWriteError: When it cannot be written; what was there before is untouched.
        """
        name = f"step_{step:08d}" + ("" if loss is None else f"_loss{loss:.4f}")
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._remove_leftovers()
            aside = self.folder / f"{_ASIDE}{name}"
            aside.mkdir()
            _write_parts(aside, step, weights, training, loss)
            final = self.folder / name
            if final.exists():
                self._replace_existing(aside, final)
            else:
                os.rename(aside, final)
            sync_folder(self.folder)
            replace_file(self.folder / "last", name + "\n")
            if best:
                replace_file(self.folder / "best", name + "\n")
            self._prune()
        return final

    def _replace_existing(self, aside: Path, final: Path) -> None:
        # a run that went back past a torn checkpoint comes by the same step again
        old = self.folder / f"{_ASIDE}old_{final.name}"
        os.rename(final, old)
        os.rename(aside, final)
        shutil.rmtree(old)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._remove_leftovers()
            kept = self.pointed("last")
            raise CheckpointWriteError(
                f"the checkpoint could not be written to {self.folder}: {error.strerror or error}; "
                + (f"{kept} stays valid" if kept else "there is none before it"),
                hint="make room on the disk, then go on with `recurra resume`",
            ) from error

    def _remove_leftovers(self) -> None:
        for path in self.folder.glob(f"{_ASIDE}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _prune(self) -> None:
        spared = {self.pointed("best"), self.pointed("last"), *self.names()[-self.keep :]}
        for name in self.names():
            if name not in spared:
                shutil.rmtree(self.folder / name)

    def names(self) -> list[str]:
        """Return the names of the checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith("step_") and path.is_dir())

    def pointed(self, pointer: str) -> str | None:
        """Return the name that ``last`` or ``best`` holds; None when there is no such pointer."""
        try:
            return (self.folder / pointer).read_text().strip()
        except FileNotFoundError:
            return None

    def load(self, which: str = "last", *, warn: Callable[[str], None] | None = None) -> Checkpoint:
        """Read ``last``, ``best`` or a checkpoint by its name or step number.

        Args:
            which: Pointer, name or step.
            warn: Where given, a torn or altered checkpoint is reported here and the one before it is read instead.

        Raises:
            RunError: When there is none of that name.
            CheckpointError: When none is whole.
            CheckpointFormatError: When it comes from a newer version.
        """
        name = self._resolve(which)
        earlier = [other for other in reversed(self.names()) if other < name]
        while True:
            try:
                return read_checkpoint(self.folder / name)
            except CheckpointFormatError:
                raise
            except CheckpointError as error:
                if warn is None or not earlier:
                    raise
                name = earlier.pop(0)
                warn(f"{error.message}; going back to {name}")

    def _resolve(self, which: str) -> str:
        names = self.names()
        if which in names:
            return which
        if which in ("last", "best"):
            pointed = self.pointed(which)
            if pointed in names:
                return pointed
            # no pointer yet: the process was stopped between the first checkpoint and its pointer
            if names and pointed is None:
                return names[-1]
            if names:
                raise CheckpointError(f"{self.folder / which} names {pointed}, which is not there")
        elif which.isdigit():
            by_step = [name for name in names if int(name.split("_")[1]) == int(which)]
            if by_step:
                return by_step[-1]
        raise RunError(
            f"{self.folder} holds no checkpoint {which!r}",
            hint=f"there are {', '.join(names)}" if names else "the run has not saved one yet",
        )

    def forget_after(self, step: int) -> None:
        """Remove checkpoints later than a step: a resumed run makes them anew."""
        names = self.names()
        kept = [name for name in names if int(name.split("_")[1]) <= step]
        for pointer in ("last", "best"):
            # pointers move before what they name goes, so that they are valid at every moment
            if kept and self.pointed(pointer) not in (None, *kept):
                replace_file(self.folder / pointer, kept[-1] + "\n")
        for name in names[len(kept) :]:
            shutil.rmtree(self.folder / name)


def _write_parts(
    aside: Path, step: int, weights: Mapping[str, Tensor], training: dict[str, Any], loss: float | None
) -> None:
    packed_weights: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        pack(tensor, packed_weights, name)
    tensors: dict[str, Tensor] = {}
    packed = pack(training, tensors, "training")
    checksums = {}
    for name, group in ((_WEIGHTS, packed_weights), (_TRAINING, tensors)):
        data = safetensors.torch.save(group)
        checksums[name] = hashlib.sha256(data).hexdigest()
        write_bytes_durably(aside / name, data)
    content = {"format": FORMAT, "step": step, "loss": loss, "sha256": checksums, "training": packed}
    content["own_sha256"] = _own_checksum(content)
    write_bytes_durably(aside / _JSON, json.dumps(content, indent=1).encode())
    sync_folder(aside)


def _own_checksum(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "own_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint folder whole, checking every checksum.

    Raises:
        CheckpointError: When a file is missing, torn or altered.
        CheckpointFormatError: When it comes from a newer version.
    """
    try:
        content = json.loads((path / _JSON).read_bytes())
        found = content["format"]
        if not isinstance(found, int):
            raise ValueError("no format number")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path / _JSON} is missing or torn ({error})") from error
    if found > FORMAT:
        raise CheckpointFormatError(
            f"{path} has checkpoint format {found}; this version reads up to {FORMAT}", hint="install a newer Recurra"
        )
    if content.get("own_sha256") != _own_checksum(content):
        raise CheckpointError(f"{path / _JSON} was altered: its checksum does not match")
    parts = {name: _read_part(path / name, checksum) for name, checksum in content["sha256"].items()}
    training = unpack(content["training"], parts[_TRAINING])
    return Checkpoint(path, content["step"], content["loss"], parts[_WEIGHTS], training)


def _read_part(path: Path, checksum: str) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != checksum:
        raise CheckpointError(f"{path} is torn or was altered: its checksum does not match")
    return safetensors.torch.load(data)
