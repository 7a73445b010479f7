"""What a cell consists of: states, weights, operations, and what of it runs where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from recurra.cells import Cell, find_cell
from recurra.cells.checks import check_size
from recurra.errors import ArgumentError, RecurraError, UnsupportedCellError
from recurra.inspection.anatomy.builds import Builds, build_several
from recurra.inspection.anatomy.counting import count_elementwise, count_products
from recurra.inspection.anatomy.formulas import fit
from recurra.inspection.anatomy.known_step import know_step, weight_names
from recurra.inspection.anatomy.places import Place, draft_places, write_places
from recurra.inspection.anatomy.quantities import Quantity, find_quantity
from recurra.inspection.anatomy.tracing import trace
from recurra.inspection.contract import CONTRACT
from recurra.inspection.equations.assembling import input_names
from recurra.inspection.equations.inlining import inline_products
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Symbol
from recurra.loop import Layout, find_layout, state_names
from recurra.loop.graph import Graph

_FEW = 4
"""Sizes that tell a linear formula from another, and check it."""


@dataclass(frozen=True)
class Part:
    """A state or an input of a step.

    Attributes:
        name: Its name.
        width: How many numbers it has.
    """

    name: str
    width: Quantity


@dataclass(frozen=True)
class Weight:
    """A parameter or a buffer.

    Attributes:
        path: Its path in the cell.
        symbols: What equations call it, or its row blocks from the first to the last.
        shape: Its sizes.
        is_trained: Whether it is a parameter.
    """

    path: str
    symbols: tuple[Symbol, ...]
    shape: tuple[Quantity, ...]
    is_trained: bool


@dataclass(frozen=True)
class Anatomy:
    """What a cell consists of.

    Attributes:
        name: What was asked for.
        class_name: The cell's class.
        input_size: Width d of the first input.
        hidden_size: The size n that the cell was built with.
        inputs: What a step is given.
        states: The states, in their order.
        output: Width of the output.
        has_own_output: Whether the output is no state.
        weights: All parameters, then all buffers.
        num_parameters: Numbers in all parameters.
        products: Floating-point operations of the products of one step forward, for one row.
        elementwise: The other operations of such a step; ``None`` where it cannot be traced.
        places: What runs where; empty where the native engine cannot run the cell.
        obstacle: Why it cannot; empty if it can.
        condition: Under which the formulas hold: "d = n", "d ≠ n", or empty for all sizes.
    """

    name: str
    class_name: str
    input_size: int
    hidden_size: int
    inputs: tuple[Part, ...]
    states: tuple[Part, ...]
    output: Quantity
    has_own_output: bool
    weights: tuple[Weight, ...]
    num_parameters: Quantity
    products: Quantity
    elementwise: Quantity | None
    places: tuple[Place, ...]
    obstacle: str
    condition: str


def describe_cell(
    cell: str | type[torch.nn.Module],
    options: Mapping[str, Any],
    input_size: int,
    hidden_size: int,
    *,
    step: Step | None = None,
) -> Anatomy:
    """Return what a cell consists of, as numbers at the sizes given and as formulas.

    Formulas are found from the cell at several sizes, and are exact at all of them. Names are those of the equations,
    or where the cell has none, those that the class declares and its ``forward`` gives.

    Args:
        cell: A registered name, ``"module:Class"``, or a class that is built as Class(input_size, hidden_size).
        options: Further arguments of the class.
        input_size: Width d of the input.
        hidden_size: Size n of the state.
        step: The equations of the cell at these sizes that stand beside it; left out, they are those that
            :func:`recurra.inspection.explain_cell` shows by itself.

    Raises:
        ChoiceError: When the name is unknown.
        ArgumentError: When a size is below 1, or the class cannot be built or run as a cell is.
        UnsupportedCellError: When the cell's initial state cannot be known.

    Example:
        >>> describe_cell("lstm", {}, 3, 4).num_parameters
        Quantity(number=144, formula='4n(d + n) + 8n', is_rounded=False)
    """
    check_size("describe_cell", "input_size", input_size)
    check_size("describe_cell", "hidden_size", hidden_size)
    cell_class = find_cell(cell)
    builds = build_several(cell_class, options, input_size, hidden_size)
    with torch.random.fork_rng(devices=[]):
        own = _run(builds.own, lambda: _equations(builds.own, input_size)) if step is None else step
        describer = _Describer(builds, (input_size, hidden_size), own)
        return describer.describe(cell if isinstance(cell, str) else "", cell_class)


class _Describer:
    def __init__(self, builds: Builds, at: tuple[int, int], step: Step | None) -> None:
        self.own, self.others, self.sizes = builds.own, builds.others, builds.sizes
        self.condition = builds.condition
        self.at, self.step = at, step

    def describe(self, name: str, cell_class: type[torch.nn.Module]) -> Anatomy:
        layout = _run(self.own, lambda: find_layout(self.own, self.at[0]))
        products = _run(self.own, lambda: count_products(self.own, self.at[0]))
        layouts = self._at_others(lambda cell, d: find_layout(cell, d))
        graph, obstacle = _traced(self.own, self.at[0])
        graphs = self._other_graphs() if graph else []
        places = self._places(graph, graphs) if graph else ()
        return Anatomy(
            name=name or cell_class.__name__,
            class_name=cell_class.__name__,
            input_size=self.at[0],
            hidden_size=self.at[1],
            inputs=self._inputs(),
            states=self._states(layout, layouts),
            output=self._quantity(layout.output_size, [other.output_size for other in layouts]),
            has_own_output=bool(getattr(self.own, "returns_output", False)),
            weights=self._weights(),
            num_parameters=self._quantity(_count(self.own), [_count(other) for other in self.others]),
            products=self._quantity(products, self._at_others(count_products)),
            elementwise=self._quantity(count_elementwise(graph), list(map(count_elementwise, graphs)))
            if graph
            else None,
            places=places,
            obstacle=obstacle,
            condition=self.condition,
        )

    def _other_graphs(self) -> list[Graph]:
        """Return traces of the cells at other sizes: some, if they tell linear formulas, since tracing takes long."""
        few = self._at_others(trace, _FEW)
        if few and fit(list(map(count_elementwise, few)), self.sizes[:_FEW], degree=1) is None:
            return self._at_others(trace)
        return few

    def _at_others(self, measure: Callable[[torch.nn.Module, int], Any], most: int | None = None) -> list[Any]:
        """Return what is measured of the cells at other sizes; nothing if one of them refuses."""
        try:
            return [measure(cell, d) for cell, (d, _) in list(zip(self.others, self.sizes, strict=True))[:most]]
        except Exception:  # a cell may be made for some sizes only, and then tells no formula
            return []

    def _quantity(self, number: int, others: Sequence[int]) -> Quantity:
        return find_quantity(number, self.at, others, self.sizes[: len(others)], self._degree(others))

    def _degree(self, others: Sequence[Any]) -> int:
        return 2 if len(others) == len(self.sizes) else 1

    def _inputs(self) -> tuple[Part, ...]:
        first = self._input_widths(self.own, self.at[0])
        others = [self._input_widths(cell, d) for cell, (d, _) in zip(self.others, self.sizes, strict=True)]
        # what else a step can be given, but is not in the equations, is no part of it here
        names = [symbol.name for symbol in self.step.inputs] if self.step else input_names(self.own, len(first))
        return tuple(
            Part(name, self._quantity(width, [other[k] for other in others]))
            for k, (name, width) in enumerate(zip(names, first, strict=False))
        )

    def _input_widths(self, cell: torch.nn.Module, input_size: int) -> tuple[int, ...]:
        if isinstance(cell, Cell) and len(cell.input_sizes) == len(cell.inputs):
            return cell.input_sizes
        return (input_size,)

    def _states(self, layout: Layout, others: Sequence[Layout]) -> tuple[Part, ...]:
        declared = state_names(self.own, len(layout.widths))
        names = [symbol.name for symbol in self.step.entering] if self.step else declared
        return tuple(
            Part(name, self._quantity(width, [other.widths[k] for other in others]))
            for k, (name, width) in enumerate(zip(names, layout.widths, strict=True))
        )

    def _weights(self) -> tuple[Weight, ...]:
        names = weight_names(self.own, self.step)
        shapes = [_shapes(other) for other in self.others]
        found = []
        for path, (shape, is_trained) in _shapes(self.own).items():
            others = [other[path][0] for other in shapes if path in other]
            is_alike = len(others) == len(shapes) and all(len(other) == len(shape) for other in others)
            sizes = [
                self._quantity(size, [other[k] for other in others] if is_alike else []) for k, size in enumerate(shape)
            ]
            blocks = sorted((block.rows, symbol.name, symbol) for symbol, block in names.items() if block.path == path)
            found.append(Weight(path, tuple(symbol for *_, symbol in blocks), tuple(sizes), is_trained))
        return tuple(found)

    def _places(self, graph: Graph, graphs: Sequence[Graph]) -> tuple[Place, ...]:
        known = _run(self.own, lambda: know_step(self.own, self.at[0], self.step))
        own = draft_places(graph, known)
        others = list(map(draft_places, graphs))
        return write_places(own, self.at, others, self.sizes[: len(others)], self._degree(others))


def _run(cell: torch.nn.Module, function: Callable[[], Any]) -> Any:
    """Run something of a cell that must work, and say what a cell is where it does not."""
    try:
        return function()
    except RecurraError:
        raise
    except Exception as error:  # a module may fail in any way
        raise ArgumentError(
            f"describe_cell expected {type(cell).__name__} to run for one step, got {type(error).__name__}: {error}",
            hint=CONTRACT,
        ) from error


def _count(cell: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in cell.parameters())


def _shapes(cell: torch.nn.Module) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Return the shape of each parameter and buffer by path, and whether it is trained."""
    found = {path: (tuple(tensor.shape), True) for path, tensor in cell.named_parameters()}
    return found | {path: (tuple(tensor.shape), False) for path, tensor in cell.named_buffers()}


def _equations(cell: torch.nn.Module, input_size: int) -> Step | None:
    """Return the equations that are shown of a cell; ``None`` where it has none."""
    try:
        step = record_step(cell, torch.zeros(2, input_size))
    except UnsupportedCellError:
        return None
    return replace(step, lines=inline_products(step.lines, frozenset([*step.leaving, step.output])))


def _traced(cell: torch.nn.Module, input_size: int) -> tuple[Graph | None, str]:
    try:
        return trace(cell, input_size), ""
    except UnsupportedCellError as error:
        return None, error.message
