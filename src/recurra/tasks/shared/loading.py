"""Weights of a checkpoint in a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from recurra.errors import CheckpointError


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put weights into a model of the same shape.

    Raises:
        CheckpointError: When they do not fit.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit the configuration beside it: {error}",
            hint="config.toml and the tokeniser must be those that the run was trained with",
        ) from error
