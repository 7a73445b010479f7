"""The state of a text being written, as a file: to go on later, or to fork."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from recurra.cells.cell import map_tensors
from recurra.data import Tokenizer
from recurra.errors import RunError, VocabularyError
from recurra.models import LanguageModel
from recurra.training.files import replace_file
from recurra.training.packing import pack, unpack

FORMAT = 3


@dataclass(frozen=True)
class SavedState:
    """Everything that going on with a text needs.

    Attributes:
        state: Recurrent state after the last token, batch on the second axis.
        logits: Of the next token. Shape (B, V).
        recent: Ids of each text since its last line end, which decide how the next one joins it.
        labels: Numbers of the labels that condition the texts, (B,); None without.
        generator: State of the random generator that draws.
        weights: Fingerprint of the weights that wrote it, see ``weights_fingerprint``.
    """

    state: Any
    logits: Tensor
    recent: list[Tensor]
    labels: Tensor | None
    generator: Tensor
    weights: str


def weights_fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 of a model's state dict: of names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_state_target(path: str | Path) -> None:
    """Check that a state can probably be written to a place, before anything is written in vain.

    Raises:
        RunError: When the place is a folder, or the folder around it is missing or cannot be written to.
    """
    target = Path(path)
    if target.is_dir():
        raise RunError(f"expected a file to save the state to, got the folder {path}", hint="name a file in it")
    if not target.parent.is_dir():
        raise RunError(f"the state cannot be written to {path}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise RunError(f"the state cannot be written to {path}: the folder {target.parent} cannot be written to")


def save_state(path: str | Path, saved: SavedState, tokenizer: Tokenizer) -> None:
    """Write a state in one step: safetensors, with its structure as JSON in the header.

    Raises:
        RunError: When the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    names = ("state", "logits", "recent", "labels", "generator")
    content = {name: getattr(saved, name) for name in names}
    packed = pack(content, tensors, "saved")
    header = {
        "recurra_state": str(FORMAT),
        "vocabulary": tokenizer.fingerprint,
        "weights": saved.weights,
        "packed": json.dumps(packed),
    }
    try:
        replace_file(Path(path), safetensors.torch.save(tensors, metadata=header))
    except OSError as error:
        raise RunError(f"the state could not be written to {path}: {error.strerror}") from error


def load_state(path: str | Path, tokenizer: Tokenizer, model: LanguageModel, num_samples: int) -> SavedState:
    """Read a state and check that it belongs to a model.

    A state of one text goes on as any number of them.

    Raises:
        RunError: When the file is no state, or its shapes are not the model's.
        VocabularyError: When it was written over other tokens.
    """
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except OSError as error:
        raise RunError(f"the state file {path} cannot be read: {error.strerror or 'it is not there'}") from error
    except safetensors.SafetensorError as error:
        raise RunError(f"{path} is no state file: {error}", hint="--state-out writes one") from error
    if header.get("recurra_state") != str(FORMAT) or not header.keys() >= {"vocabulary", "weights", "packed"}:
        raise RunError(f"{path} is no state file of this version", hint="--state-out writes one")
    if header["vocabulary"] != tokenizer.fingerprint:
        raise VocabularyError(f"the state in {path} was written by a model with other tokens")
    saved = SavedState(**unpack(json.loads(header["packed"]), tensors), weights=header["weights"])
    return _fitted(saved, path, model, num_samples)


def _fitted(saved: SavedState, path: str | Path, model: LanguageModel, num_samples: int) -> SavedState:
    batch_size = saved.logits.shape[0]
    with torch.no_grad():
        # one step from nothing tells the shapes that this model's states have
        tokens = torch.zeros(1, batch_size, dtype=torch.long, device=next(model.parameters()).device)
        labels = None if model.label_embedding is None else torch.zeros_like(tokens[0])
        expected = model(tokens, labels=labels)[1]
    if _shapes(expected) != _shapes(saved.state):
        raise RunError(
            f"the state in {path} expected a model with states of shape {_shapes(saved.state)}; "
            f"this one has {_shapes(expected)}"
        )
    if batch_size == num_samples:
        return saved
    if batch_size != 1:
        raise RunError(f"the state in {path} is of {batch_size} texts, {num_samples} were asked for")
    state, logits = repeated(saved.state, saved.logits, num_samples)
    labels = None if saved.labels is None else saved.labels.repeat(num_samples)
    return replace(saved, state=state, logits=logits, recent=saved.recent * num_samples, labels=labels)


def repeated(state: Any, logits: Tensor, num_samples: int) -> tuple[Any, Tensor]:
    """Return state and logits of one text as those of several equal ones."""
    # (L, B, width), or (B, width) of each cell
    copies = map_tensors(state, lambda part: part.repeat_interleave(num_samples, dim=-2))
    return copies, logits.repeat_interleave(num_samples, dim=0)


def _shapes(state: Any) -> list[list[int]]:
    if isinstance(state, Tensor):
        return [list(state.shape)]
    return [shape for part in state for shape in _shapes(part)]
