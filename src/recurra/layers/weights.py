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
        names: The parameters; none stands for the cell's ``recurrent_weights``, or "weight_hh" of a foreign cell.

    Returns:
        The cell.

    Raises:
        ArgumentError: When p is no such probability, or no names are given and the cell has no recurrent weights.
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
        names: The parameters; none stands for the cell's ``recurrent_weights``, or "weight_hh" of a foreign cell.

    Returns:
        The cell.

    Raises:
        ArgumentError: When a parameter is no matrix, has a row of zeros, or is computed already, or no names are given
            and the cell has no recurrent weights.
        ChoiceError: When the cell has no such parameter.

    Source: Salimans and Kingma, NIPS 2016, arXiv 1602.07868.
    """
    found = _weights("weight_norm", cell, names)
    # all before the first is changed
    for owner, name, weight in found:
        _check_plain("weight_norm", owner, name)
        if weight.dim() != 2:
            raise ArgumentError(
                f"weight_norm expected {name} of {type(owner).__name__} to be a matrix, got shape {tuple(weight.shape)}"
            )
        _check_directions(name, torch.linalg.vector_norm(weight, dim=1))
    for owner, name, _ in found:
        parametrize.register_parametrization(owner, name, _WeightNorm(name), unsafe=True)
    return cell


def orthogonal(cell: AnyCell, *names: str) -> AnyCell:
    """Keep recurrent weights orthogonal, each gate's block by itself: W = W_0 (1 + S) (1 - S)^-1, S = (A - A^T) / 2.

    This is Cayley's map, W_0 exp(A - A^T) to second order.
    A is learned and starts at 0, W_0 is the orthogonal matrix next to the weight as it was drawn, or is assigned.

    Args:
        cell: A cell, or a wrapper of one; it is changed.
        names: The parameters; none stands for the cell's ``recurrent_weights``, or "weight_hh" of a foreign cell.

    Returns:
        The cell.

    Raises:
        ArgumentError: When a gate's block is not square, or a parameter is computed already, or no names are given and
            the cell has no recurrent weights.
        ChoiceError: When the cell has no such parameter.

    Source: Helfrich, Willmott and Ye, ICML 2018, arXiv 1707.09520 (Cayley's map, without their scaling); Lezcano-Casado
    and Martinez-Rubio, ICML 2019, arXiv 1901.08428 (W_0, with the exponential map).
    """
    found = _weights("orthogonal", cell, names)
    # all before the first is changed
    for owner, name, weight in found:
        _check_plain("orthogonal", owner, name)
        _check_square(owner, name, weight)
    for owner, name, weight in found:
        parametrize.register_parametrization(owner, name, _Orthogonal(weight), unsafe=True)
    return cell


def _weights(who: str, cell: torch.nn.Module, names: tuple[str, ...]) -> list[tuple[torch.nn.Module, str, Tensor]]:
    """Return the owner, the name and the value of each weight.

    Raises:
        ArgumentError: When no names are given, and the cell has no recurrent weights.
        ChoiceError: When the cell has no parameter of a name given.
    """
    owner = innermost(cell)
    known = [name for name, _ in owner.named_parameters(recurse=False)]
    if parametrize.is_parametrized(owner):
        computed: Any = owner.parametrizations
        known += list(computed)
    recurrent: tuple[str, ...] = getattr(owner, "recurrent_weights", ("weight_hh",))
    names = names or tuple(name for name in recurrent if name in known)
    if not names:
        raise ArgumentError(
            f"{who} expected {type(owner).__name__} to have recurrent weights, matrices that a state is multiplied by, "
            "got none",
            hint=f"name the parameters that are meant, of {', '.join(known)}" if known else "",
        )
    found = []
    for name in names:
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


def _check_directions(name: str, lengths: Tensor) -> None:
    if not bool(lengths.all()):
        raise ArgumentError(
            f"weight_norm expected no row of {name} to be zero, as it has no direction, got one that is",
            hint='start from another initialisation, as init="orthogonal"',
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
        _check_directions(self.name, length)
        return length, weight


class _Orthogonal(torch.nn.Module):
    """Computes stacked orthogonal blocks (k, H, H) from a matrix (k * H, H) whose entries below the diagonals count."""

    base: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("base", torch.empty_like(weight).detach())

    def forward(self, free: Tensor) -> Tensor:
        # half-precision systems cannot be solved in torch
        lower, base = _blocks(_widened(free)).tril(-1), _blocks(_widened(self.base))
        skew = (lower - lower.mT) / 2
        one = torch.eye(skew.shape[-1], dtype=skew.dtype, device=skew.device)
        # W_0 (1 + S) (1 - S)^-1 = 2 W_0 (1 - S)^-1 - W_0; 1 - S has an inverse for any S
        # one by one: batched systems of some sizes fail in torch 2.13 with more than one thread ("Pivots given to ...")
        solved = torch.stack(
            [torch.linalg.solve_ex(one - s, b, left=False).result for s, b in zip(skew, base, strict=True)]
        )
        turned: Tensor = 2 * solved - base
        return turned.reshape(free.shape).to(free.dtype)

    def right_inverse(self, weight: Tensor) -> Tensor:
        # nor have half-precision matrices a singular value decomposition
        left, _, right = torch.linalg.svd(_blocks(_widened(weight)))
        self.base.copy_((left @ right).reshape(weight.shape))
        return torch.zeros_like(weight)


def _widened(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _blocks(stacked: Tensor) -> Tensor:
    return stacked.reshape(-1, stacked.shape[1], stacked.shape[1])
