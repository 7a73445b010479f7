"""Inputs of a layer that are more than one sequence: what each step takes beside x, such as its time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import Cell
from recurra.errors import ShapeError
from recurra.layers.wrapping import innermost

Sequences: TypeAlias = Tensor | PackedSequence
"""A batch of sequences, padded or packed, or a single one."""


def part_input(who: str, input: Any) -> tuple[Any, tuple[Sequences, ...]]:
    """Return the sequence that a layer reads, and those that its cells are given beside it.

    Raises:
        ShapeError: When a tuple is empty, or one of its sequences has another form than the first.
    """
    if not isinstance(input, tuple) or isinstance(input, PackedSequence):
        return input, ()
    if not input:
        raise ShapeError(f"{who} expected input to be a sequence or a tuple (sequence, *extras), got an empty tuple")
    first, *extras = input
    for k, extra in enumerate(extras, 1):
        if isinstance(first, PackedSequence):
            _check_packed(f"{who} expected input[{k}]", extra, first)
        elif isinstance(first, Tensor):
            _check_padded(f"{who} expected input[{k}]", extra, first)
    return first, tuple(extras)


def _check_packed(who: str, extra: Any, first: PackedSequence) -> None:
    if not isinstance(extra, PackedSequence):
        raise ShapeError(f"{who} to be a PackedSequence, as input[0] is one, got {type(extra).__name__}")
    if not torch.equal(extra.batch_sizes, first.batch_sizes) or not _is_same(
        extra.sorted_indices, first.sorted_indices
    ):
        raise ShapeError(f"{who} to have the lengths and the order of rows of input[0], got others")


def _is_same(order: Tensor | None, other: Tensor | None) -> bool:
    if order is None or other is None:
        # None is the order that is there
        known = other if order is None else order
        return known is None or torch.equal(known, torch.arange(len(known), device=known.device))
    return torch.equal(order, other)


def _check_padded(who: str, extra: Any, first: Tensor) -> None:
    if not isinstance(extra, Tensor) or isinstance(extra, PackedSequence):
        raise ShapeError(f"{who} to be a tensor, as input[0] is one, got {type(extra).__name__}")
    if extra.dim() != first.dim() or extra.shape[:-1] != first.shape[:-1]:
        lead = ", ".join(map(str, first.shape[:-1]))
        raise ShapeError(f"{who} to have the form of input[0], ({lead}, width), got {tuple(extra.shape)}")


def check_extras(who: str, cells: Iterable[torch.nn.Module], extras: tuple[Sequences, ...]) -> None:
    """Check that every cell takes what it is given beside x.

    Raises:
        ShapeError: When a cell takes x only, or inputs of another number or of other widths.
    """
    found = tuple((extra.data if isinstance(extra, PackedSequence) else extra).shape[-1] for extra in extras)
    for cell in cells:
        core: Any = innermost(cell)
        name = type(core).__name__
        if isinstance(core, torch.nn.RNNCellBase) or (isinstance(core, Cell) and len(core.inputs) == 1):
            raise ShapeError(f"{who} expected input to be one sequence, as {name} takes x only, got {1 + len(found)}")
        if isinstance(core, Cell) and callable(getattr(core, "sequence_inputs", None)):
            raise ShapeError(
                f"{who} expected input to be one sequence, as {name} makes {', '.join(core.inputs[1:])} from it by "
                f"itself, got {1 + len(found)}"
            )
        # of a foreign cell it is not known what it takes
        if isinstance(core, Cell) and found != tuple(core.input_sizes[1:]):
            taken = zip(core.inputs[1:], core.input_sizes[1:], strict=True)
            wanted = ", ".join(f"{given} ({size})" for given, size in taken)
            raise ShapeError(f"{who} expected input to be (sequence, {wanted}) for {name}, got widths {found}")
