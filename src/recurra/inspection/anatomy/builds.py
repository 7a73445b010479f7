"""Cells of one class at several sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from recurra.errors import RecurraError
from recurra.inspection.anatomy.formulas import EQUAL_SIZES, SIZES, Sizes
from recurra.inspection.contract import build_cell

_FACTORS = ((1, 2), (2, 1), (2, 3), (3, 2), (1, 4), (3, 1), (4, 3))
_MAX_WIDTH = 2048
"""Largest size at which a cell is built only to find a formula."""


@dataclass(frozen=True)
class Builds:
    """A cell, and cells like it at other sizes.

    Attributes:
        own: The one at the sizes asked for.
        sizes: Input and hidden sizes of the others; empty where the class cannot be built at any.
        others: These, in the same order.
        condition: "d = n" or "d ≠ n" where cells of the other kind have other parameters, else empty; what is found
            from these cells holds under it.
    """

    own: torch.nn.Module
    sizes: Sizes
    others: tuple[torch.nn.Module, ...]
    condition: str


def _build(
    cell_class: type[torch.nn.Module], options: Mapping[str, Any], input_size: int, hidden_size: int
) -> torch.nn.Module:
    """Return a cell; its numbers do not matter, so that Recurra's own are drawn in the fastest way."""
    is_ours = cell_class.__module__.startswith("recurra.cells.")
    with torch.random.fork_rng(devices=[]):
        return build_cell(cell_class, {"init": "torch", **options} if is_ours else options, input_size, hidden_size)


def build_several(
    cell_class: type[torch.nn.Module], options: Mapping[str, Any], input_size: int, hidden_size: int
) -> Builds:
    """Return a cell, and cells at the sizes that formulas are found from.

    Raises:
        ArgumentError: When the class cannot be built at the sizes asked for.
    """
    own = _build(cell_class, options, input_size, hidden_size)
    sizes, others = _first_that_works(cell_class, options, (SIZES, _multiples(input_size, hidden_size)))
    condition = ""
    if others and _paths(own) != _paths(others[0]) and input_size == hidden_size:
        condition = "d = n"
        sizes, others = _first_that_works(cell_class, options, (EQUAL_SIZES,))
    elif others and input_size != hidden_size:
        _, equal = _first_that_works(cell_class, options, (EQUAL_SIZES[:1],))
        condition = "d ≠ n" if equal and _paths(equal[0]) != _paths(own) else ""
    return Builds(own, sizes, others, condition)


def _paths(cell: torch.nn.Module) -> list[str]:
    return [path for path, _ in cell.named_parameters()]


def _multiples(input_size: int, hidden_size: int) -> Sizes:
    """Return sizes that suit options which the sizes of all cells do not, such as blocks of a number of units."""
    if 4 * max(input_size, hidden_size) > _MAX_WIDTH:
        return ()
    return tuple((a * input_size, b * hidden_size) for a, b in _FACTORS)


def _first_that_works(
    cell_class: type[torch.nn.Module], options: Mapping[str, Any], choices: tuple[Sizes, ...]
) -> tuple[Sizes, tuple[torch.nn.Module, ...]]:
    for sizes in choices:
        try:
            cells = tuple(_build(cell_class, options, d, n) for d, n in sizes)
        except RecurraError:  # it has reasons for the sizes that it takes
            continue
        if len({tuple(_paths(cell)) for cell in cells}) == 1:
            return sizes, cells
    return (), ()
