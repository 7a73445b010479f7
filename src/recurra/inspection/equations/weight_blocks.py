"""Weights in equations: which of their rows a name stands for, and the numbers behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.expanding import with_args
from recurra.inspection.equations.naming import block_names, free_name, weight_symbols, whole_name
from recurra.inspection.equations.step import Step, WeightBlock
from recurra.inspection.equations.terms import Line, Shape, Symbol, Term

Rows = tuple[int, int]


def whole(path: str) -> str:
    """Return a name for a whole parameter that no variable has; it is replaced by those of its blocks."""
    return f"@{path}"


def is_whole(symbol: Symbol) -> bool:
    """Say whether a symbol is one for a whole parameter, which is to be replaced."""
    return symbol.name.startswith("@")


def in_blocks(
    cell: torch.nn.Module, lines: Sequence[Line], given: Mapping[str, Tensor]
) -> tuple[list[Line], dict[Symbol, WeightBlock]]:
    """Replace whole parameters by the row blocks that are used of them.

    Blocks never overlap: a parameter of which the same rows are used in two ways keeps one name for all of it.

    Args:
        cell: The cell.
        lines: Its equations, with symbols for whole parameters.
        given: Parameters and buffers, by path.

    Returns:
        The equations in blocks, and what each of their weights stands for.
    """
    known = {(block.path, block.rows): symbol for symbol, block in weight_symbols(cell).items()}
    names: dict[tuple[str, Rows], Symbol] = {}
    weights: dict[Symbol, WeightBlock] = {}
    for path, uses in _uses(lines).items():
        tensor = given[path]
        all_rows = (0, tensor.shape[0] if tensor.dim() else 1)
        blocks = sorted(uses) if _are_apart(sorted(uses)) else [all_rows]
        name = whole_name(path, tensor.dim())
        invented = [name] if blocks == [all_rows] else block_names(name, [uses[rows] for rows in blocks])
        for spelled, rows in zip(invented, blocks, strict=True):
            symbol = known.get((path, rows)) or Symbol(
                free_name(spelled, {s.name for s in (*weights, *known.values())}), kind="weight"
            )
            names[path, rows] = symbol
            weights[symbol] = WeightBlock(path, tuple(tensor.shape), rows)
    replaced = [Line(line.target, _replaced(line.term, names), line.place, line.is_sum) for line in lines]
    order = {path: number for number, path in enumerate(given)}
    ordered = sorted(weights.items(), key=lambda item: (order[item[1].path], item[1].rows))
    return replaced, dict(ordered)


def _are_apart(blocks: Sequence[Rows]) -> bool:
    return all(first[1] <= second[0] for first, second in pairwise(blocks))


def _uses(lines: Sequence[Line]) -> dict[str, dict[Rows, str | None]]:
    """Return which rows of whole parameters are used, and what they make; ``None`` where that is not one thing."""
    found: dict[str, dict[Rows, str | None]] = defaultdict(dict)
    for line in lines:
        for path, rows in _used_rows(line.term):
            parts = found[path]
            parts[rows] = line.target.name if parts.get(rows, line.target.name) == line.target.name else None
    return found


def _used_rows(term: Term) -> Iterator[tuple[str, Rows]]:
    inner = _cut_whole(term)
    if inner is not None:
        yield inner.value.name[1:], term.value[1:]
    elif term.op == "name" and is_whole(term.value):
        yield term.value.name[1:], (0, term.shape[0])
    else:
        for arg in term.args:
            yield from _used_rows(arg)


def _cut_whole(term: Term) -> Term | None:
    """Return the whole parameter that a term is some rows of."""
    is_cut = term.op == "cut" and term.value[0] == 0 and term.args[0].op == "name"
    return term.args[0] if is_cut and is_whole(term.args[0].value) else None


def _replaced(term: Term, names: Mapping[tuple[str, Rows], Symbol]) -> Term:
    inner = _cut_whole(term)
    if inner is not None and (inner.value.name[1:], term.value[1:]) in names:
        return t.name(names[inner.value.name[1:], term.value[1:]], term.shape)
    if term.op == "name" and is_whole(term.value):
        return t.name(names[term.value.name[1:], (0, term.shape[0])], term.shape)
    return with_args(term, tuple(_replaced(arg, names) for arg in term.args))


def block_shape(block: WeightBlock) -> Shape:
    """Return the shape of a block as a term."""
    return block.rows[1] - block.rows[0], block.shape[1] if len(block.shape) == 2 else 1


def block_of(tensor: Tensor, block: WeightBlock) -> Tensor:
    """Return the rows of a parameter, or of its gradient, that a block stands for, as a view."""
    return tensor[block.rows[0] : block.rows[1]] if tensor.dim() else tensor


def as_matrix(tensor: Tensor, row_axis: int | None = None) -> np.ndarray:
    """Return a tensor as a float64 matrix, vectors as columns; of one with rows, the first."""
    array: np.ndarray = tensor.detach().cpu().double().numpy().copy()
    if row_axis is not None:
        array = array.take(0, axis=row_axis)
    return array.reshape(-1, 1) if array.ndim < 2 else array


def weight_values(step: Step, tensors: Mapping[str, Any]) -> dict[Symbol, np.ndarray]:
    """Return the values of a step's weights and constants, as matrices.

    Args:
        step: The step.
        tensors: Parameters and buffers by path.
    """
    values = {}
    for symbol, block in step.weights.items():
        values[symbol] = as_matrix(block_of(tensors[block.path], block))
    return {**values, **step.constants}
