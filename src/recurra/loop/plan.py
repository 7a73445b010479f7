"""A checked call of ``unroll``: what every engine is given."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.cells import SequenceCall, State
from recurra.errors import ShapeError, UnsupportedCellError
from recurra.loop.checks import check_inputs, check_lengths, check_reset, check_states, describe
from recurra.loop.probing import Step, as_tuple, declared_layout, find_initial_state


@dataclass(frozen=True)
class Plan:
    """One pass of a cell over a sequence, with valid arguments.

    Attributes:
        cell: The cell.
        x: The inputs, each (num_steps, B, I), and what the cell's ``sequence_inputs`` adds; behind a row's length
            stands what the caller left there.
        is_tuple: Whether a step takes a tuple.
        state: The states before the first step, each (B, width).
        is_bare: Whether the cell's state is a tensor, and not a tuple.
        initial: The states that a reset returns to; empty without ``reset``.
        lengths: Valid steps of each row (B,) on the CPU, at most num_steps; ``None`` where all rows have all steps.
        reset: (num_steps, B) bool, or ``None``.
        reverse: Whether the pass goes from the last step to the first.
    """

    cell: torch.nn.Module
    x: tuple[Tensor, ...]
    is_tuple: bool
    state: tuple[Tensor, ...]
    is_bare: bool
    initial: tuple[Tensor, ...]
    lengths: Tensor | None
    reset: Tensor | None
    reverse: bool

    @property
    def num_steps(self) -> int:
        """The steps to run: as many as the longest row has."""
        return self.x[0].shape[0]

    @property
    def batch_size(self) -> int:
        """The number of rows."""
        return self.x[0].shape[1]

    def step(self, t: int) -> Step:
        """Return the input of step ``t``, as the cell takes it."""
        return as_step(tuple(x[t] for x in self.x), self.is_tuple)

    def without_padding(self) -> Plan:
        """Return the plan with zeros behind each row's length: nothing there may reach an output or a gradient."""
        if self.lengths is None:
            return self
        valid = valid_steps(self.lengths, self.num_steps).unsqueeze(-1).to(self.x[0].device)
        return dataclasses.replace(self, x=tuple(x.masked_fill(~valid, 0) for x in self.x))

    def blank_step(self) -> Step:
        """Return an input of zeros, as the cell takes it."""
        return as_step(tuple(x.new_zeros(x.shape[1:]) for x in self.x), self.is_tuple)

    def form(self, state: tuple[Tensor, ...]) -> Any:
        """Return ``state`` in the form in which the cell takes it."""
        return state[0] if self.is_bare else state


def as_step(inputs: tuple[Tensor, ...], is_tuple: bool) -> Step:
    """Return the inputs of one step in the form in which the cell takes them."""
    return inputs if is_tuple else inputs[0]


def build_plan(
    cell: torch.nn.Module,
    x: Any,
    state: Any,
    *,
    lengths: Any,
    reset: Any,
    reverse: bool,
    initial_state: Any,
) -> Plan:
    """Check the arguments of ``unroll`` and fill in what was left out.

    Raises:
        ShapeError: When a tensor is of another shape or type than the call needs.
        UnsupportedCellError: When the initial state is needed and cannot be known.
    """
    inputs = check_inputs(cell, x)
    total, batch_size = inputs[0].shape[:2]
    inputs, lengths = _cut(inputs, lengths)
    if reset is not None:
        # a copy: the backward pass reads it again, and callers use such masks again
        reset = check_reset(reset, (total, batch_size))[: inputs[0].shape[0]].clone()
    call = _build_call(cell, inputs[0], state, initial_state, lengths=lengths, reset=reset, reverse=reverse)
    added = added_inputs(cell, inputs, call)
    inputs, is_tuple = (*inputs, *added), isinstance(x, tuple) or bool(added)
    start, initial = call.state, call.initial
    if start is None or (reset is not None and initial is None):
        first = tuple(_first_step(tensor, lengths) for tensor in inputs)
        initial = find_initial_state(cell, as_step(first, is_tuple))
        start = initial if start is None else start
    if reset is not None:
        _check_same_form(cell, start, initial)
    return Plan(
        cell=cell,
        x=inputs,
        is_tuple=is_tuple,
        state=as_tuple(start),
        is_bare=isinstance(start, Tensor),
        initial=() if reset is None else as_tuple(initial),
        lengths=lengths,
        reset=reset,
        reverse=reverse,
    )


def _cut(inputs: tuple[Tensor, ...], lengths: Any) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """Return the steps that run, as many as the longest row has, and the lengths where they differ."""
    if lengths is None:
        return inputs, None
    total, batch_size = inputs[0].shape[:2]
    lengths = check_lengths("unroll", lengths, total, batch_size).clone()
    num_steps = int(lengths.max()) if batch_size else 0
    return tuple(tensor[:num_steps] for tensor in inputs), None if bool((lengths == num_steps).all()) else lengths


def _build_call(
    cell: torch.nn.Module,
    x: Tensor,
    state: Any,
    initial_state: Any,
    *,
    lengths: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
) -> SequenceCall:
    """Return what is known of a call before the cell adds to its inputs, which may depend on it."""
    start = _check_given(cell, state, "state", x.shape[1])
    initial = _check_given(cell, initial_state, "initial_state", x.shape[1])
    is_needed = initial is None and (start is None or reset is not None)
    if is_needed and callable(getattr(cell, "initial_state", None)):
        initial = find_initial_state(cell, _first_step(x, lengths))
    return SequenceCall(
        state=initial if start is None else start,
        initial=None if reset is None else initial,
        lengths=lengths,
        reset=reset,
        reverse=reverse,
    )


def added_inputs(cell: torch.nn.Module, inputs: tuple[Tensor, ...], call: SequenceCall) -> tuple[Tensor, ...]:
    """Return what the cell adds to the inputs of a sequence.

    Raises:
        ShapeError: When that is no tuple of (num_steps, B, width) tensors.
        UnsupportedCellError: When its method is not called as it should be.
    """
    make: Callable[[tuple[Tensor, ...], SequenceCall], Any] | None = getattr(cell, "sequence_inputs", None)
    if not callable(make):
        return ()
    try:
        added = make(inputs, call)
    except TypeError as error:
        obstacle = _find_binding_error(make, inputs, call)
        if not obstacle:
            raise
        raise UnsupportedCellError(
            f"unroll expected sequence_inputs of {type(cell).__name__} to be called with (x, call), got: {obstacle}",
            hint="call is a recurra.cells.SequenceCall, which tells state, lengths, resets and direction",
        ) from error
    if not isinstance(added, tuple) or not all(isinstance(tensor, Tensor) for tensor in added):
        raise ShapeError(
            f"unroll expected sequence_inputs of {type(cell).__name__} to return a tuple of tensors, "
            f"got {describe(added)}"
        )
    for tensor in added:
        if tensor.dim() != 3 or tensor.shape[:2] != inputs[0].shape[:2]:
            raise ShapeError(
                f"unroll expected sequence_inputs of {type(cell).__name__} to return tensors of shape "
                f"(time={inputs[0].shape[0]}, batch={inputs[0].shape[1]}, width), got {tuple(tensor.shape)}"
            )
    return added


def _find_binding_error(function: Callable[..., Any], *args: Any) -> str:
    """Say why a function cannot be called with such arguments; empty if it can."""
    try:
        inspect.signature(function).bind(*args)
    except TypeError as error:
        return str(error)
    return ""


def _check_given(cell: torch.nn.Module, given: Any, name: str, batch_size: int) -> State | None:
    if given is None:
        return None
    layout = declared_layout(cell)
    who = f"unroll expected {name} of {type(cell).__name__}"
    widths, is_bare = (None, None) if layout is None else (layout.widths, layout.is_bare)
    check_states(who, given, widths, is_bare=is_bare, lead=(batch_size,))
    return given if isinstance(given, Tensor) else tuple(given)


def _check_same_form(cell: torch.nn.Module, state: State, initial: Any) -> None:
    wanted, found = ([tuple(s.shape) for s in as_tuple(form)] for form in (state, initial))
    if wanted != found or isinstance(state, Tensor) != isinstance(initial, Tensor):
        raise ShapeError(
            f"unroll expected the initial state of {type(cell).__name__}, which reset returns to, to have the shapes "
            f"of its state, {wanted}, got {found}"
        )


def valid_steps(lengths: Tensor, num_steps: int) -> Tensor:
    """Return which steps are valid, (num_steps, B) bool."""
    return torch.arange(num_steps, device=lengths.device).unsqueeze(1) < lengths


def _first_step(x: Tensor, lengths: Tensor | None) -> Tensor:
    if not x.shape[0]:
        return x.new_zeros(x.shape[1:])
    return x[0] if lengths is None else x[0].masked_fill((lengths == 0).unsqueeze(-1).to(x.device), 0)
