"""Checkpoints: folders of tensors and JSON, written aside, flushed, checksummed and renamed.

A checkpoint ``step_00000500_loss1.4228/`` holds

- ``weights.safetensors``: the model's state dict, readable by anything that reads safetensors;
- ``training.safetensors``: tensors of optimiser, carried state and random states;
- ``checkpoint.json``: step, loss, the rest of the training state, and the SHA-256 of the other two and of itself.

Beside them lie the files ``last`` and ``best``, each holding the name of a checkpoint. They are replaced in one step
after the checkpoint they name is complete, so they are valid at every moment.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from recurra.errors import CheckpointError, CheckpointFormatError, CheckpointWriteError, RunError
from recurra.training.files import replace_file, sweep_parts, sync_folder, write_bytes_durably
from recurra.training.packing import pack, unpack

FORMAT = 1
_WEIGHTS, _TRAINING, _JSON = "weights.safetensors", "training.safetensors", "checkpoint.json"
_ASIDE = ".part_"
AVERAGE = "average"
"""Stands for the mean of the weights of all checkpoints that are there."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read back: ``weights`` for the model, ``training`` for whoever goes on training (else empty)."""

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
        self,
        step: int,
        weights: Mapping[str, Tensor],
        training: dict[str, Any],
        *,
        best_step: int,
        loss: float | None = None,
    ) -> Path:
        """Write a checkpoint, point ``last`` and ``best`` to where they belong, and remove old ones.

        Args:
            step: Optimiser steps done.
            weights: State dict of the model.
            training: Everything else that going on needs, in the forms that ``pack`` takes.
            best_step: Step of the best checkpoint so far, this one or an earlier one.
            loss: Validation loss at this step, where it was validated.

        Raises:
            CheckpointWriteError: When it cannot be written; what was there before is untouched.
        """
        name = f"step_{step:08d}" + ("" if loss is None else f"_loss{loss:.4f}")
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._remove_leftovers()
            aside = self.folder / f"{_ASIDE}{name}"
            aside.mkdir()
            _write_parts(aside, weights, training, {"step": step, "loss": loss, "best_step": best_step})
            final = self.folder / name
            if final.exists():
                # a run that went back past a torn checkpoint comes by the same step again
                os.rename(final, self.folder / f"{_ASIDE}old_{name}")
            os.rename(aside, final)
            sync_folder(self.folder)
            replace_file(self.folder / "last", name + "\n")
            self.point_best(best_step)
            self._prune()
        return final

    def point_best(self, best_step: int) -> None:
        """Let ``best`` name the checkpoint of a step, if it is there."""
        named = self._of_step(best_step)
        if named is not None and self.pointed("best") != named:
            replace_file(self.folder / "best", named + "\n")

    def _of_step(self, step: int) -> str | None:
        found = [name for name in self.names() if _step_of(name) == step]
        return found[-1] if found else None

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
        if self.folder.is_dir():
            sweep_parts(self.folder)

    def _prune(self) -> None:
        newest = self.names()[-self.keep :]
        # should the newest turn out torn, the best one of the checkpoint before it is needed again
        spared = {*newest, *(self._of_step(_best_step_of(self.folder / name)) for name in newest)}
        for name in self.names():
            if name not in spared:
                # renamed first, since what is half removed must not look like a checkpoint
                leaving = self.folder / f"{_ASIDE}old_{name}"
                os.rename(self.folder / name, leaving)
                shutil.rmtree(leaving)

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

    def load(
        self, which: str = "last", *, weights_only: bool = False, warn: Callable[[str], None] | None = None
    ) -> Checkpoint:
        """Read ``last``, ``best`` or a checkpoint by its name or step number, or ``average`` all of them.

        Args:
            which: Pointer, name or step; "average", which needs ``weights_only``, gives the newest checkpoint with the
                mean of the weights of all that are there.
            weights_only: Leave out what only going on with training needs.
            warn: Where given, a checkpoint that is missing, torn or altered is reported here and the one before it is
                read instead.

        Raises:
            RunError: When there is none of that name.
            CheckpointError: When none is whole.
            CheckpointFormatError: When it comes from a newer version.
        """
        if which == AVERAGE:
            return self._average(weights_only)
        name = self._resolve(which, warn)
        earlier = [other for other in reversed(self.names()) if other < name]
        while True:
            try:
                return read_checkpoint(self.folder / name, weights_only=weights_only)
            except CheckpointFormatError:
                raise
            except CheckpointError as error:
                if warn is None or not earlier:
                    raise
                name = earlier.pop(0)
                warn(f"{error.message}; going back to {name}")

    def _average(self, weights_only: bool) -> Checkpoint:
        if not weights_only:
            raise CheckpointError("training cannot go on from averaged weights", hint="take the checkpoint last")
        read = [read_checkpoint(self.folder / name, weights_only=True) for name in self.names()]
        if not read:
            raise RunError(f"{self.folder} holds no checkpoint to average", hint="the run has not saved one yet")
        return dataclasses.replace(read[-1], weights=_mean([checkpoint.weights for checkpoint in read]))

    def _resolve(self, which: str, warn: Callable[[str], None] | None) -> str:
        names = self.names()
        if which in names:
            return which
        if which in ("last", "best") and names:
            return self._resolve_pointer(which, names, warn)
        named = self._of_step(int(which)) if which.isdigit() else None
        if named is not None:
            return named
        raise RunError(
            f"{self.folder} holds no checkpoint {which!r}",
            hint=f"there are {', '.join(names)}" if names else "the run has not saved one yet",
        )

    def _resolve_pointer(self, which: str, names: list[str], warn: Callable[[str], None] | None) -> str:
        pointed = self.pointed(which)
        # no pointer yet: the process was stopped between the first checkpoint and its pointer
        if pointed is None or pointed in names:
            return pointed or names[-1]
        if warn is None:
            raise CheckpointError(f"{self.folder / which} names {pointed}, which is not there")
        warn(f"{self.folder / which} names {pointed}, which is not there; taking {names[-1]}")
        return names[-1]

    def forget_after(self, step: int, best_step: int = -1) -> None:
        """Remove checkpoints later than a step: a resumed run makes them anew.

        Pointers move before what they name goes, so that they are valid at every moment.

        Args:
            step: Step of the newest checkpoint that stays.
            best_step: Step of the best one that stays.
        """
        last = self._of_step(step)
        if last is not None and self.pointed("last") != last:
            replace_file(self.folder / "last", last + "\n")
        self.point_best(best_step)
        for name in self.names():
            if _step_of(name) > step:
                shutil.rmtree(self.folder / name)
        self._remove_leftovers()
        self._prune()


def _mean(weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of some state dicts; what is no real number, such as a count, is that of the last."""
    means = dict(weights[-1])
    for name, tensor in means.items():
        if tensor.is_floating_point():
            means[name] = torch.stack([one[name].double() for one in weights]).mean(0).to(tensor.dtype)
    return means


def _step_of(name: str) -> int:
    return int(name.split("_")[1])


def _best_step_of(path: Path) -> int:
    try:
        return int(json.loads((path / _JSON).read_bytes())["best_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1  # torn, and so of no use for naming another


def _write_parts(aside: Path, weights: Mapping[str, Tensor], training: dict[str, Any], facts: dict[str, Any]) -> None:
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
    content = {"format": FORMAT, **facts, "sha256": checksums, "training": packed}
    content["own_sha256"] = _own_checksum(content)
    write_bytes_durably(aside / _JSON, json.dumps(content, indent=1).encode())
    sync_folder(aside)


def _own_checksum(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "own_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_checkpoint(path: Path, *, weights_only: bool = False) -> Checkpoint:
    """Read one checkpoint folder, checking the checksum of everything read.

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
    checksums = content["sha256"]
    weights = _read_part(path / _WEIGHTS, checksums[_WEIGHTS])
    training = {}
    if not weights_only:
        training = unpack(content["training"], _read_part(path / _TRAINING, checksums[_TRAINING]))
    return Checkpoint(path, content["step"], content["loss"], weights, training)


def _read_part(path: Path, checksum: str) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != checksum:
        raise CheckpointError(f"{path} is torn or was altered: its checksum does not match")
    return safetensors.torch.load(data)
