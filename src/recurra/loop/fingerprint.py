"""A key of all that the trace of a cell depends on, cheap enough to be made at every call."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor

from recurra.loop.examination import Examiner, global_hooks
from recurra.loop.surroundings import plain_surroundings


def examine(cell: torch.nn.Module) -> tuple[Hashable, dict[str, Tensor]]:
    """Return the fingerprint and the tensors of a cell, from one walk through it.

    Raises:
        UnsupportedCellError: When an attribute is of a kind that cannot be compared.
    """
    examiner = Examiner(type(cell).__name__)
    examiner.add(cell, "")
    hooks = global_hooks()
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu")
    settings = (torch.get_default_dtype(), autocast, hooks, plain_surroundings(cell))
    return (settings, tuple(examiner.key)), examiner.tensors


def fingerprint(cell: torch.nn.Module) -> Hashable:
    """Return a key that is equal for two states of cells only if a step of both is the same graph.

    It holds the classes of the module tree, all Python attributes, hooks, the shapes, strides, types and
    ``requires_grad`` of the tensors, which of them are one object, and the global settings that a step reads.
    So are numbers and strings that its code reads from around it, see ``surroundings.py``; other global variables are
    not, nor are the values of tensors.

    Raises:
        UnsupportedCellError: When an attribute is of a kind that cannot be compared.
    """
    return examine(cell)[0]


def tensors_of(cell: torch.nn.Module) -> dict[str, Tensor]:
    """Return the tensors that a step of ``cell`` may read, by dotted path, each under its first.

    Raises:
        UnsupportedCellError: When an attribute is of a kind that cannot be compared.
    """
    return examine(cell)[1]
