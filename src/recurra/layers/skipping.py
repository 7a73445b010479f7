"""Connections that skip time steps."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from recurra.cells import SequenceCall, State
from recurra.cells.checks import check_size
from recurra.cells.sequence_call import FROM_START
from recurra.errors import ArgumentError, ShapeError
from recurra.layers.wrapping import CellWrapper, Changes, memories_of
from recurra.loop.plan import as_step
from recurra.loop.probing import as_tuple, find_initial_state, find_layout, split_result


class SkipThroughTime(CellWrapper):
    """A cell that also reads its output of ``distance`` steps ago, as part of its input.

        h_t = cell((x_t, h_{t-distance}), h_{t-1})

    One more state, ``skip`` (B, distance * output_size), holds the outputs of the last steps, the newest first; it is
    zero at first. So a sequence may be cut and its state carried on.

    Args:
        cell: A cell built with ``input_size`` I + ``output_size``.
        distance: Steps back, at least 1; 1 gives the previous output once more, which only a cell without a recurrent
            product of its own gains by.

    Attributes:
        input_size: I.

    Raises:
        ArgumentError: When ``distance`` is no such integer, or the cell has no ``input_size`` above its
            ``output_size``.

    Example:
        >>> from recurra.cells import GRUCell
        >>> from recurra.loop import unroll
        >>> output, (h, skip) = unroll(SkipThroughTime(GRUCell(3 + 4, 4), 2), torch.zeros(5, 2, 3))
        >>> skip.shape
        torch.Size([2, 8])
    """

    def __init__(self, cell: torch.nn.Module, distance: int) -> None:
        super().__init__(cell)
        self.distance = check_size("SkipThroughTime", "distance", distance)
        size = getattr(cell, "input_size", None)
        if not isinstance(size, int):
            raise ArgumentError(f"SkipThroughTime expected {type(cell).__name__} to have an input_size, got {size!r}")
        layout = find_layout(cell, size)
        self.input_size = size - layout.output_size
        self.widths = (*layout.widths, distance * layout.output_size)
        self.output_width = layout.output_size
        self.is_bare = layout.is_bare
        if self.input_size < 1:
            raise ArgumentError(
                f"SkipThroughTime expected {type(cell).__name__} to have an input_size above its output_size="
                f"{layout.output_size}, as it reads x and an earlier output, got {size}"
            )

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of the states, the skipping one last."""
        return self.widths

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.output_width

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Widths of what a step may be given."""
        inner: tuple[int, ...] = getattr(self.cell, "input_sizes", (self.input_size,))
        return (self.input_size, *inner[1:])

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, ``skip`` last."""
        names: tuple[str, ...] = self.cell.states  # type: ignore[assignment]  # without it there are no names
        return (*names, "skip")

    @property
    def memories(self) -> tuple[str, ...] | None:
        """States that may be kept by zoneout or learned at the start: the inner cell's, and ``skip``."""
        names = memories_of(self.cell)
        return None if names is None else (*names, "skip")

    @property
    def output_from(self) -> Any:
        """The inner cell's method, given the inner states; not there where the inner cell has none."""
        inner: Any = self.cell.output_from
        return lambda *states: inner(*states[:-1])

    @property
    def initial_state(self) -> Any:
        """The inner cell's method, and zeros for the last state; not there where the inner cell has none."""
        inner: Any = self.cell.initial_state

        def widened(batch_size: int) -> tuple[Tensor, ...]:
            return self._with_zeros(inner(batch_size))

        return widened

    def _with_zeros(self, state: State) -> tuple[Tensor, ...]:
        states = as_tuple(state)
        return (*states, states[0].new_zeros(states[0].shape[0], self.widths[-1]))

    def inner_call(self, call: SequenceCall) -> SequenceCall:
        """Return how the inner cell is run: on inputs that are not all known ahead."""
        state, initial = (None if form is None else self._inner_state(form) for form in (call.state, call.initial))
        return dataclasses.replace(call, state=state, initial=initial, is_plain=False)

    def _inner_state(self, state: State) -> State:
        *inner, _ = as_tuple(state)
        return inner[0] if self.is_bare else tuple(inner)

    def sequence_inputs(self, x: tuple[Tensor, ...], call: SequenceCall = FROM_START) -> tuple[Tensor, ...]:
        """Return what the steps of a sequence are given besides x; the inner cell sees zeros for the earlier outputs.

        Raises:
            ShapeError: When x is not of width ``input_size``.
        """
        num_steps, batch_size, width = x[0].shape
        if width != self.input_size:
            raise ShapeError(
                f"unroll expected x of shape (time, batch, input_size={self.input_size}) for SkipThroughTime of "
                f"{type(self.cell).__name__}, got {tuple(x[0].shape)}"
            )
        if not callable(getattr(self.cell, "sequence_inputs", None)):
            return ()
        blank = x[0].new_zeros(num_steps, batch_size, self.output_width)
        return super().sequence_inputs((torch.cat((x[0], blank), -1), *x[1:]), call)

    def step(self, x: tuple[Tensor, ...], own: tuple[Tensor, ...], state: State | None, changes: Changes) -> Any:
        """Run one step."""
        width = self.output_width
        if state is None:
            blank = x[0].new_zeros(x[0].shape[0], width)
            first = (torch.cat((x[0], blank), 1), *x[1:])
            state = self._with_zeros(find_initial_state(self.cell, as_step(first, len(first) > 1)))
        skip = as_tuple(state)[-1]
        joined = (torch.cat((x[0], skip[:, -width:]), 1), *x[1:])
        result = self.run_cell(joined, self._inner_state(state), changes)
        output, new = split_result(self.cell, result)
        skip = torch.cat((output, skip[:, :-width]), 1)
        states = (*as_tuple(new), skip)
        return (output, states) if getattr(self.cell, "returns_output", False) else states

    def extra_repr(self) -> str:
        """Return the distance."""
        return f"distance={self.distance}"
