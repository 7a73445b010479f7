"""What cells around cells share: they are cells themselves, and what they do not change is the inner cell's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from recurra.cells import Cell, SequenceCall, State
from recurra.cells.cell import map_tensors
from recurra.cells.sequence_call import FROM_START
from recurra.errors import ArgumentError, ShapeError
from recurra.layers.rewriting import rewritten_forward
from recurra.loop.checks import check_inputs
from recurra.loop.obstacles import find_hooks
from recurra.loop.plan import added_inputs, as_step
from recurra.loop.probing import as_tuple, declared_layout, find_initial_state, split_result

Changes: TypeAlias = Mapping[str, Callable[[Tensor], Tensor]]
"""By the name of a place in a cell's ``forward``, what becomes of the value there; see ``rewriting.py``."""

_FORWARDED = frozenset(
    (
        *("states", "input_size", "hidden_size", "inputs", "input_sizes", "returns_output", "initial_state"),
        *("reset_parameters", "candidates", "source", "gates", "memories", "output_from"),
    )
)


class CellWrapper(torch.nn.Module):
    """Base of the cells that run another cell, and change what goes into a step or comes out of it.

    States, widths, initial state and initialisation are those of the inner cell; a wrapper of a wrapper works as well.
    A subclass overrides :meth:`step`, and :meth:`own_inputs` where it draws something once a sequence.

    Args:
        cell: Any cell; see :func:`recurra.unroll`.

    Raises:
        ArgumentError: When ``cell`` is no ``torch.nn.Module``.
    """

    cell: torch.nn.Module

    def __init__(self, cell: torch.nn.Module) -> None:
        super().__init__()
        if not isinstance(cell, torch.nn.Module):
            raise ArgumentError(
                f"{type(self).__name__} expected cell to be a torch.nn.Module, got {cell!r}",
                hint="build the cell first: Zoneout(GRUCell(3, 4), 0.1)",
            )
        self.cell = cell

    def __getattr__(self, name: str) -> Any:
        if name in _FORWARDED and "cell" in self._modules:
            return getattr(self.cell, name)
        return super().__getattr__(name)

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of the states."""
        layout = declared_layout(self.cell)
        if layout is None:
            raise AttributeError(f"{type(self.cell).__name__} does not tell its state_size")
        return layout.widths

    @property
    def output_size(self) -> int:
        """Width of the output."""
        layout = declared_layout(self.cell)
        if layout is None:
            raise AttributeError(f"{type(self.cell).__name__} does not tell its output_size")
        return layout.output_size

    def own_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Draw what this wrapper needs once a sequence, for x (T, B, I): each (T, B, width), as many as it takes."""
        return ()

    @property
    def num_own_inputs(self) -> int:
        """How many tensors :meth:`own_inputs` returns now."""
        return 0

    def inner_call(self, call: SequenceCall) -> SequenceCall:
        """Return how the inner cell is run over a sequence where this one is run as ``call`` says."""
        return call

    def sequence_inputs(self, x: tuple[Tensor, ...], call: SequenceCall = FROM_START) -> tuple[Tensor, ...]:
        """Return what the steps of a sequence are given besides x, the inner cell's first; see :func:`recurra.unroll`.

        Raises:
            ShapeError: When x is not as wide as the inner cell's input, or the inner cell returns no such tensors.
        """
        check_inputs(self.cell, x if len(x) > 1 else x[0])
        return (*added_inputs(self.cell, x, self.inner_call(call)), *self.own_inputs(x[0]))

    def forward(
        self, x: Tensor | tuple[Tensor, ...], state: State | None = None, changes: Changes | None = None
    ) -> Any:
        """Run one step.

        Args:
            x: As for the inner cell, (B, I) or (I,); where something is drawn once a sequence, a tuple that ends with
                what :meth:`sequence_inputs` returned, of this step.
            state: As for the inner cell; ``None`` is the initial state.
            changes: What an outer wrapper changes inside the innermost cell's step.

        Returns:
            What the inner cell returns.

        Raises:
            ShapeError: When what is drawn once a sequence is missing.
        """
        inputs = x if isinstance(x, tuple) else (x,)
        if inputs[0].dim() == 1:
            batched = map_tensors(x, lambda tensor: tensor.unsqueeze(0))
            result = self(batched, map_tensors(state, lambda tensor: tensor.unsqueeze(0)), changes)
            return map_tensors(result, lambda tensor: tensor.squeeze(0))
        count = len(inputs) - self.num_own_inputs
        if count < 1:
            raise ShapeError(
                f"{type(self).__name__} expected a step of x and {self.num_own_inputs} more, which are drawn once a "
                f"sequence, got {len(inputs)} {'tensor' if len(inputs) == 1 else 'tensors'}",
                hint="run it with recurra.unroll, or pass the step (x, *masks) of cell.sequence_inputs((x,))",
            )
        return self.step(inputs[:count], inputs[count:], state, changes or {})

    def step(self, x: tuple[Tensor, ...], own: tuple[Tensor, ...], state: State | None, changes: Changes) -> Any:
        """Run one step.

        Args:
            x: The inner cell's inputs, (B, ·) each.
            own: What :meth:`own_inputs` returned, of this step.
            state: The state; ``None`` is the initial one.
            changes: What outer wrappers change inside the innermost cell's step.
        """
        raise NotImplementedError

    def run_cell(self, x: tuple[Tensor, ...], state: State | None, changes: Changes) -> Any:
        """Run the inner cell's step with changes inside it."""
        step = as_step(x, len(x) > 1)
        if isinstance(self.cell, CellWrapper):
            return self.cell(step, state, changes)
        if not changes:
            return self.cell(step) if state is None else self.cell(step, state)
        return self._run_changed(step, state, changes)

    def _run_changed(self, step: Any, state: State | None, changes: Changes) -> Any:
        cell = self.cell
        who = type(cell).__name__
        if find_hooks([cell]):
            raise ArgumentError(
                f"{type(self).__name__} expected {who} to have no module hooks, which its changed step would not call, "
                "got some",
                hint="put the hooks on the wrapper; for computed weights use torch.nn.utils.parametrize",
            )
        if isinstance(cell, Cell):
            state = cell.complete_state(step, state)
        elif state is None:
            state = find_initial_state(cell, step)
        function = rewritten_forward(type(self).__name__, cell, frozenset(changes))
        return function(cell, step, state, lambda place, value: changes[place](value))


def innermost(cell: torch.nn.Module) -> torch.nn.Module:
    """Return the cell inside all wrappers."""
    while isinstance(cell, CellWrapper):
        cell = cell.cell
    return cell


def join(changes: Changes, places: tuple[str, ...], change: Callable[[str, Tensor], Tensor]) -> Changes:
    """Return ``changes`` with one more at some places, which acts before those that are there."""

    def at(place: str) -> Callable[[Tensor], Tensor]:
        outer = changes.get(place)
        return lambda value: change(place, value) if outer is None else outer(change(place, value))

    return {**changes, **{place: at(place) for place in places}}


def memories_of(cell: torch.nn.Module) -> tuple[str, ...] | None:
    """Return the states that a cell says may be kept or learned; ``None`` is all, also of a foreign cell."""
    names = getattr(cell, "memories", None)
    return names if isinstance(names, tuple) else None


def replace_state(cell: torch.nn.Module, result: Any, state: State) -> Any:
    """Return a step's result with another state, and the output made anew where that can be: see ``output_from``."""
    if not getattr(cell, "returns_output", False):
        return state
    output, _ = split_result(cell, result)
    make: Callable[..., Tensor] | None = getattr(cell, "output_from", None)
    return (make(*as_tuple(state)) if callable(make) else output), state
