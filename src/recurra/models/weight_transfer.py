"""Weights of one language model for another: of the same shape, but over other symbols."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.errors import ConfigError
from recurra.layers.wrapping import innermost
from recurra.models.language_model import LanguageModel

_HINT = "give the model options of the run that the weights come from"


@torch.no_grad()
def copy_weights(model: LanguageModel, weights: dict[str, Tensor], positions: list[int]) -> None:
    """Copy weights of a model over another vocabulary, symbol by symbol; symbols it lacks keep their own.

    Args:
        model: Receives the weights.
        weights: State dict of a model of the same shape but for the vocabulary.
        positions: For each symbol of ``model``, its id in the other vocabulary, or -1.

    Raises:
        ConfigError: When the models differ in more than the vocabulary; every difference is named. When the
            vocabularies differ and the model has an adaptive softmax.
    """
    own = model.state_dict()
    weights = {_plain_name(name): tensor for name, tensor in weights.items()}
    axes = model.vocabulary_axes()
    is_same = positions == list(range(model.vocab_size))
    if "decoder.bias" not in axes and not is_same:
        raise ConfigError(
            "copy_weights expected the same symbols in the same order on both sides, "
            "as those of an adaptive softmax cannot be moved one by one, got others",
            hint="train on the data that the weights come from, or use a model without adaptive_cutoffs",
        )
    core = innermost(model.recurrent.get_submodule("cell_l0"))
    if model.embedding is None and getattr(core, "has_other_input", False) and not is_same:
        raise ConfigError(
            f"copy_weights expected the same symbols in the same order on both sides, as {type(core).__name__} reads "
            "one-hot vectors by more than one matrix, got others",
            hint="use a model with an embedding",
        )
    bias = weights.get("decoder.bias")
    their_size = model.vocab_size if bias is None else len(bias)
    faults = _differences(own, weights, axes, their_size - model.vocab_size)
    if faults:
        raise ConfigError(sorted(faults), hint=_HINT)
    known = [index for index, position in enumerate(positions) if position >= 0]
    theirs = torch.tensor([positions[index] for index in known])
    ours = torch.tensor(known)
    for name, tensor in own.items():
        given = weights[_plain_name(name)].to(tensor)
        if name not in axes:
            # state_dict tensors share memory with the parameters
            tensor.copy_(given)
            continue
        axis = axes[name]
        tensor.index_copy_(axis, ours, given.index_select(axis, theirs))
        # behind the symbols there may be more: the columns that read the label of a one-hot model's inputs
        rest = tensor.shape[axis] - model.vocab_size
        tensor.narrow(axis, model.vocab_size, rest).copy_(given.narrow(axis, their_size, rest))


def _differences(own: dict[str, Tensor], weights: dict[str, Tensor], axes: dict[str, int], more: int) -> list[str]:
    """Name what differs but for the number of symbols, of which the weights have ``more``."""
    own = {_plain_name(name): tensor for name, tensor in own.items()}
    axes = {_plain_name(name): axis for name, axis in axes.items()}
    faults = [f"{name} is missing" for name in own.keys() - weights.keys()]
    faults += [f"{name} is not in this model" for name in weights.keys() - own.keys()]
    for name in own.keys() & weights.keys():
        expected, got = list(own[name].shape), list(weights[name].shape)
        if name in axes:
            expected[axes[name]] += more
        if expected != got:
            faults.append(f"{name} expected shape {expected}, got {got}")
    return faults


def _plain_name(name: str) -> str:
    """Return the name that a tensor of a recurrent layer has without zoneout, dropout and the like around its cell.

    These keep the cell in the attribute ``cell``, and a dropped weight in ``parametrizations.NAME.original``.
    """
    parts = name.split(".")
    if parts[0] != "recurrent":
        return name
    if "parametrizations" in parts and parts[-1] == "original":
        parts.pop()
    return ".".join(part for part in parts if part not in ("cell", "parametrizations"))
