"""Recurrent weights that are computed from parameters: DropConnect, norms of their own, orthogonal blocks.

All are parametrisations of torch: the parameters lie under ``cell.parametrizations``, the weight keeps its name, and is
computed once a call of :func:`recurra.unroll`, for all steps.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from recurra.cells import Cell
from recurra.cells.checks import check_number
from recurra.errors import ArgumentError, ChoiceError
from recurra.layers.wrapping import innermost

AnyCell = TypeVar("AnyCell", bound=torch.nn.Module)


def weight_dropout(cell: AnyCell, p: float, *names: str) -> AnyCell:
    """Drop connections of recurrent weights in training: each weight is 0 with probability p, else w / (1 - p).

    The mask is drawn once a call of ``unroll`` and shared by all steps and rows; in evaluation nothing is dropped.

    Args:
        cell: A cell, or a wrapper of one; it is changed.
        p: Probability in [0, 1) that a weight is dropped.
        names: The parameters; none stands for "weight_hh".

    Returns:
        The cell.

    Raises:
        ArgumentError: When p is no such probability.
        ChoiceError: When the cell has no such parameter.

    Source: Merity, Keskar and Socher, ICLR 2018, arXiv 1708.02182 (weight-dropped LSTM).
    """
    p = check_number("weight_dropout", "p", p, at_least=0, below=1)
    for owner, name, _ in _weights("weight_dropout", cell, names):
        parametrize.register_parametrization(owner, name, _WeightDropout(p), unsafe=True)
    return cell


def weight_norm(cell: AnyCell, *names: str) -> AnyCell:
    """Part recurrent weights into the length and the direction of each row: w = g * v / |v|.

    Args:
        cell: A cell, or a wrapper of one; it is changed.
        names: The parameters; none stands for "weight_hh".

    Returns:
        The cell.

    Raises:
        ArgumentError: When a parameter is no matrix, has a row of zeros, or is computed already.
        ChoiceError: When the cell has no such parameter.

    Source: Salimans and Kingma, NIPS 2016, arXiv 1602.07868.
    """
    for owner, name, weight in _weights("weight_norm", cell, names):
        _check_plain("weight_norm", owner, name)
        if weight.dim() != 2:
            raise ArgumentError(
                f"weight_norm expected {name} of {type(owner).__name__} to be a matrix, got shape {tuple(weight.shape)}"
            )
        parametrize.register_parametrization(owner, name, _WeightNorm(name), unsafe=True)
    return cell


def orthogonal(cell: AnyCell, *names: str) -> AnyCell:
    """Keep recurrent weights orthogonal, each gate's block by itself: W = W_0 exp(A - A^T).

    A is learned and starts at 0, W_0 is the orthogonal matrix next to the weight as it was drawn, or is assigned.

    Args:
        cell: A cell, or a wrapper of one; it is changed.
        names: The parameters; none stands for "weight_hh".

    Returns:
        The cell.

    Raises:
        ArgumentError: When a gate's block is not square, or a parameter is computed already.
        ChoiceError: When the cell has no such parameter.

    Source: Lezcano-Casado and Martinez-Rubio, ICML 2019, arXiv 1901.08428.
    """
    for owner, name, weight in _weights("orthogonal", cell, names):
        _check_plain("orthogonal", owner, name)
        _check_square(owner, name, weight)
        parametrize.register_parametrization(owner, name, _Orthogonal(weight), unsafe=True)
    return cell


def _weights(who: str, cell: torch.nn.Module, names: tuple[str, ...]) -> list[tuple[torch.nn.Module, str, Tensor]]:
    """Return the owner, the name and the value of each weight."""
    owner = innermost(cell)
    known = [name for name, _ in owner.named_parameters(recurse=False)]
    if parametrize.is_parametrized(owner):
        computed: Any = owner.parametrizations
        known += list(computed)
    found = []
    for name in names or ("weight_hh",):
        if name not in known:
            raise ChoiceError(f"parameter of {type(owner).__name__} for {who}", name, known)
        found.append((owner, name, getattr(owner, name)))
    return found


def _check_plain(who: str, owner: torch.nn.Module, name: str) -> None:
    if parametrize.is_parametrized(owner, name):
        raise ArgumentError(
            f"{who} expected {name} of {type(owner).__name__} to be a parameter, got a weight that is computed already",
            hint=f"apply {who} first, and weight_dropout after it",
        )


def _check_square(owner: torch.nn.Module, name: str, weight: Tensor) -> None:
    who = f"orthogonal expected each gate's block of {name} of {type(owner).__name__} to be square"
    if weight.dim() != 2:
        raise ArgumentError(f"{who}, got shape {tuple(weight.shape)}")
    columns = weight.shape[1]
    sizes = [columns] * (weight.shape[0] // columns)
    if isinstance(owner, Cell):
        gates = owner.row_names(name)
        sizes = [weight.shape[0]] if len(gates) == 1 else list(map(owner.gate_size, gates))
    for size in sizes or [weight.shape[0]]:
        if size != columns or weight.shape[0] % columns:
            raise ArgumentError(f"{who}, got one of shape {(size, columns)} in {tuple(weight.shape)}")


class _WeightDropout(torch.nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, weight: Tensor) -> Tensor:
        return torch.nn.functional.dropout(weight, self.p, self.training)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight

    def extra_repr(self) -> str:
        return f"p={self.p}"


class _WeightNorm(torch.nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, length: Tensor, direction: Tensor) -> Tensor:
        weight: Tensor = direction * (length / torch.linalg.vector_norm(direction, dim=1, keepdim=True))
        return weight

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        length = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
        if not bool(length.all()):
            raise ArgumentError(
                f"weight_norm expected no row of {self.name} to be zero, as it has no direction, got one that is",
                hint='start from another initialisation, as init="orthogonal"',
            )
        return length, weight


class _Orthogonal(torch.nn.Module):
    """Computes stacked orthogonal blocks (k, H, H) from a matrix (k * H, H) whose entries below the diagonals count."""

    base: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("base", torch.empty_like(weight).detach())

    def forward(self, free: Tensor) -> Tensor:
        lower = _blocks(free).tril(-1)
        turned: Tensor = _blocks(self.base) @ torch.linalg.matrix_exp(lower - lower.mT)
        return turned.reshape(free.shape)

    def right_inverse(self, weight: Tensor) -> Tensor:
        # half-precision matrices have no singular value decomposition in torch
        blocks = _blocks(weight if weight.dtype == torch.float64 else weight.float())
        left, _, right = torch.linalg.svd(blocks)
        self.base.copy_((left @ right).reshape(weight.shape))
        return torch.zeros_like(weight)


def _blocks(stacked: Tensor) -> Tensor:
    return stacked.reshape(-1, stacked.shape[1], stacked.shape[1])
