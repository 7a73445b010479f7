"""From one step of a cell to a graph: the step and its derivative, traced by torch at two batch sizes.

The cell is traced as a private copy, with stand-ins of no content for its tensors, so the cell itself is never touched.
What the copy keeps of a step, writes in place, or reads from outside would be lost in a loop that runs without it, and
is an error.

The first trace of a process takes a second or two more: torch loads its tracing machinery then.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from recurra.errors import UnsupportedCellError
from recurra.loop.canonical import BATCH_SIZES, Recording, Roles, build_graph
from recurra.loop.checks import describe
from recurra.loop.copying import copy_cell
from recurra.loop.decompositions import decomposition_table
from recurra.loop.examination import Examiner, first_difference
from recurra.loop.fingerprint import tensors_of
from recurra.loop.graph import Graph
from recurra.loop.plan import as_step
from recurra.loop.probing import as_tuple, split_result
from recurra.loop.source_lines import CellMode, keep_lines, line_of_error, run_cell

_LOCK = threading.RLock()


def _renew_lock() -> None:
    """Make a forked child independent of a thread that was tracing, which the child does not have."""
    global _LOCK
    _LOCK = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)
_DATA_DEPENDENT = frozenset(
    ["DataDependentOutputException", "DynamicOutputShapeException", "GuardOnDataDependentSymNode"]
)
"""torch's errors by name, as they lie in places of its own."""
_KNOWN_WORDS = (
    ("convert all Tensors to FakeTensors", "to read tensors of its own only", "a tensor from outside it"),
    ("would mutate a captured Tensor", "to change no tensor in place", "a change of a buffer or weight"),
    ("must override the setup_context", "to have torch.autograd.Functions with setup_context", "one without"),
)
"""What torch says, and what to say instead."""


@dataclass(frozen=True)
class Request:
    """What to trace: a cell, the form of its arguments, and what gradients are wanted of."""

    cell: torch.nn.Module
    weights: dict[str, Tensor]
    x: tuple[Tensor, ...]
    is_tuple: bool
    state: tuple[Tensor, ...]
    is_bare: bool
    differentiable: tuple[int, ...]
    """Places among weights, x and state, in this order."""

    def stand_ins(self, batch_size: int) -> list[Tensor]:
        """Return a tensor of the right form for each weight, input, and state."""
        of_step = [
            torch.empty(batch_size, *like.shape[1:], dtype=like.dtype, device=like.device)
            for like in (*self.x, *self.state)
        ]
        return [*map(_blank, self.weights.values()), *of_step]


def trace_step(
    cell: torch.nn.Module,
    x: tuple[Tensor, ...],
    is_tuple: bool,
    state: tuple[Tensor, ...],
    is_bare: bool,
    *,
    wanted: frozenset[str],
    wants_x: tuple[bool, ...],
    wants_state: bool,
    derivative: bool,
) -> Graph:
    """Trace one step of a cell, and its derivative.

    Args:
        cell: The cell; it is not changed.
        x: The inputs of a step, (B, ·) each; only their widths and types matter.
        is_tuple: Whether the cell takes them as a tuple.
        state: The states, (B, ·) each; only their widths and types matter.
        is_bare: Whether the cell takes the state as a tensor, and not a tuple.
        wanted: The weights to differentiate by, of those that :func:`recurra.loop.fingerprint.tensors_of` lists.
        wants_x: Which inputs to differentiate by.
        wants_state: Whether to differentiate by the states.
        derivative: Whether to trace the derivative at all; without it the step is traced as under ``torch.no_grad``.

    Returns:
        The graph.

    Raises:
        UnsupportedCellError: When the step cannot be expressed as a graph; it says which operation, and where.
    """
    weights = tensors_of(cell)
    wants = [path in wanted for path in weights] + list(wants_x) + [wants_state] * len(state)
    differentiable = tuple(k for k, is_wanted in enumerate(wants) if is_wanted and derivative)
    request = Request(cell, weights, x, is_tuple, state, is_bare, differentiable)
    roles = Roles(type(cell).__name__, tuple(weights), len(x), len(state), differentiable)
    try:
        recordings = _in_own_thread(lambda: [_record(request, batch_size) for batch_size in BATCH_SIZES])
        return build_graph(recordings[0], recordings[1], roles)
    except (UnsupportedCellError, MemoryError):
        raise
    except Exception as error:  # a cell may fail in any way, and so may torch's tracing of it
        raise _as_unsupported(type(cell).__name__, error) from error


def _in_own_thread(function: Callable[[], list[Recording]]) -> list[Recording]:
    """Run a function in a thread of its own: the caller's modes and hooks for saved tensors do not reach there."""
    outcome: list[Any] = [None, None]

    def run() -> None:
        try:
            with _LOCK:
                outcome[0] = function()
        except BaseException as error:  # it is raised again in the caller's thread
            outcome[1] = error

    thread = threading.Thread(target=run, name="recurra-trace", daemon=True)
    thread.start()
    thread.join()
    if outcome[1] is not None:
        raise outcome[1]
    recordings: list[Recording] = outcome[0]
    return recordings


def _as_unsupported(who: str, error: Exception) -> UnsupportedCellError:
    line = line_of_error(error)
    where = f" at {line}" if line else ""
    if type(error).__name__ in _DATA_DEPENDENT:
        return UnsupportedCellError(
            f"{who} was expected to do the same whatever the values of its tensors, "
            f"got a use of a value as a number or a choice{where}",
            hint="choose between tensors with torch.where",
        )
    for words, expected, got in _KNOWN_WORDS:
        if words in str(error):
            return UnsupportedCellError(f"{who} was expected {expected}, got {got}{where}")
    text = str(error).strip().split("\n", 1)[0]
    return UnsupportedCellError(
        f"{who} was expected to run under torch's tracer, got {type(error).__name__}: {text}{where}"
    )


def _record(request: Request, batch_size: int) -> Recording:
    """Trace at one batch size."""
    try:
        return _record_with(request, batch_size, is_functional=True)
    except RuntimeError as error:
        if "custom_function_call" not in str(error):
            raise
    # torch cannot take writes in place out of a step with a torch.autograd.Function, so there must be none
    return _record_with(request, batch_size, is_functional=False)


@dataclass
class Notes:
    """What is learned of a cell while it runs."""

    has_own_gradients: bool = False
    """Whether Python code of the cell takes part in the derivative: hooks, or a torch.autograd.Function."""


def _record_with(request: Request, batch_size: int, *, is_functional: bool) -> Recording:
    notes = Notes(has_own_gradients=not is_functional)

    def joint(*tensors: Tensor) -> list[Tensor]:
        count = len(request.weights) + len(request.x) + len(request.state)
        return _step_and_derivative(request, list(tensors[:count]), tensors[count:], notes)

    with _undisturbed(), FakeTensorMode():
        tensors = request.stand_ins(batch_size)
        cotangents = _cotangents(request, batch_size) if request.differentiable else []
        function = torch.func.functionalize(joint, remove="mutations_and_views") if is_functional else joint
        with keep_lines():
            traced = make_fx(function, decomposition_table())(*tensors, *cotangents)
    return Recording(traced, batch_size, notes.has_own_gradients)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the caller's modes away from the trace."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        yield


def _step_and_derivative(
    request: Request, tensors: list[Tensor], cotangents: tuple[Tensor, ...], notes: Notes
) -> list[Tensor]:
    def step(*chosen: Tensor) -> tuple[Tensor, ...]:
        given = list(tensors)
        for place, tensor in zip(request.differentiable, chosen, strict=True):
            given[place] = tensor
        return _run_step(request, given, notes)

    if not request.differentiable:
        return _forward_only(request, tensors, notes)
    results, pull = torch.func.vjp(step, *(tensors[place] for place in request.differentiable))  # type: ignore[misc]
    with torch.no_grad():
        return [*results, *pull(cotangents)]


def _forward_only(request: Request, tensors: list[Tensor], notes: Notes) -> list[Tensor]:
    def without_gradients(*given: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return _run_step(request, list(given), notes)

    # torch writes in place inside its own cells, and only below a transform does that become a graph without writes
    results, _ = torch.func.vjp(without_gradients, *tensors)  # type: ignore[misc]
    return list(results)


def _run_step(request: Request, tensors: list[Tensor], notes: Notes) -> tuple[Tensor, ...]:
    """Run a copy of the cell; return its output and states."""
    num_weights, num_inputs = len(request.weights), len(request.x)
    stands_for = dict(zip(map(id, request.weights.values()), tensors, strict=False))
    cell = copy_cell(request.cell, stands_for)
    x = as_step(tuple(tensors[num_weights : num_weights + num_inputs]), request.is_tuple)
    state = tuple(tensors[num_weights + num_inputs :])
    before = Examiner(type(cell).__name__, has_marks=True)
    before.add(cell, "")
    mode = CellMode(type(cell).__name__, tensors)
    with mode.noting_lines():
        result = run_cell(cell, x, state[0] if request.is_bare else state)
    notes.has_own_gradients |= mode.has_hooks
    _check_unchanged(cell, before)
    if not isinstance(result, Tensor | tuple | list) or (not isinstance(result, Tensor) and not result):
        raise UnsupportedCellError(f"{type(cell).__name__} was expected to return tensors, got {describe(result)}")
    output, new = split_result(cell, result)
    states = _check_form(request, output, new)
    return output, *states


def _cotangents(request: Request, batch_size: int) -> list[Tensor]:
    """Return stand-ins for the gradients of the output and the states."""
    states = list(request.stand_ins(batch_size)[len(request.weights) + len(request.x) :])
    if not getattr(request.cell, "returns_output", False):
        return [torch.empty_like(states[0]), *states]
    with torch.no_grad():
        output = _run_step(request, request.stand_ins(batch_size), Notes())[0]
    return [torch.empty(output.shape, dtype=output.dtype), *states]


def _check_unchanged(cell: torch.nn.Module, before: Examiner) -> None:
    """Refuse a cell that keeps something of a step.

    Raises:
        UnsupportedCellError: When an attribute is another than before, or another tensor.
    """
    after = Examiner(type(cell).__name__, has_marks=True)
    after.add(cell, "")
    path = first_difference(before, after)
    if path is not None:
        raise UnsupportedCellError(
            f"{type(cell).__name__} was expected to keep nothing of a step but its state, got another value in "
            f"attribute {path}",
            hint="return it as a state, or use engine='eager'",
        )


def _check_form(request: Request, output: Any, new: Any) -> tuple[Tensor, ...]:
    who = type(request.cell).__name__
    states = as_tuple(new) if isinstance(new, Tensor | tuple | list) else (new,)
    if not all(isinstance(value, Tensor) for value in (output, *states)):
        raise UnsupportedCellError(f"{who} was expected to return tensors, got {describe(new)}")
    if isinstance(new, Tensor) != request.is_bare or len(states) != len(request.state):
        wanted = "a tensor" if request.is_bare else f"a tuple of {len(request.state)}"
        raise UnsupportedCellError(
            f"{who} was expected to return its state in the form it was given, {wanted}, got {describe(new)}"
        )
    for place, (given, left) in enumerate(zip(request.state, states, strict=True)):
        if left.dtype != given.dtype:
            raise UnsupportedCellError(
                f"{who} was expected to return state {place} of the type it was given, {given.dtype}, got {left.dtype}"
            )
        if left.shape[1:] != given.shape[1:] or left.dim() != given.dim():
            raise UnsupportedCellError(
                f"{who} was expected to return state {place} of the width it was given, {tuple(given.shape[1:])}, "
                f"got {tuple(left.shape[1:])}"
            )
    return states


def _blank(like: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.empty_strided(like.shape, like.stride(), dtype=like.dtype, device=like.device)
