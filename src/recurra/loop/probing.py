"""What a cell says, or shows when it is called once, about its states.

Recurra's cells and torch's own declare it.
Of any other module one call without a state tells the number and the widths of the states, and nothing is assumed
beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.cells import State
from recurra.errors import UnsupportedCellError
from recurra.loop.checks import describe
from recurra.loop.fingerprint import examine
from recurra.loop.parametrized import plain_type

Step = Tensor | tuple[Tensor, ...]
"""The input of one step: (B, I), or a tuple of such tensors."""

_TORCH_CELLS: dict[type, int] = {torch.nn.RNNCell: 1, torch.nn.GRUCell: 1, torch.nn.LSTMCell: 2}


@dataclass(frozen=True)
class Layout:
    """The widths of a cell's output and states.

    Attributes:
        output_size: Width of the output.
        widths: Width of each state.
        is_bare: Whether the state is a tensor, and not a tuple.
    """

    output_size: int
    widths: tuple[int, ...]
    is_bare: bool


def as_tuple(state: Any) -> tuple[Tensor, ...]:
    """Return the states as a tuple; a bare tensor is one state."""
    return (state,) if isinstance(state, Tensor) else tuple(state)


def like_weights(module: torch.nn.Module) -> Tensor:
    """Return a tensor of the type, and on the device, of a module's weights, to make others like it.

    It is the first floating-point parameter, or where there is none, an empty tensor as torch makes them.
    """
    return next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))


def declared_layout(cell: torch.nn.Module) -> Layout | None:
    """Return what the cell declares, or ``None``: ``state_size`` (an int, or one a state) and ``output_size``.

    ``output_size`` may be left out where the output is the first state.
    """
    known = _TORCH_CELLS.get(plain_type(cell))
    if known is not None:
        width = int(cell.hidden_size)  # type: ignore[arg-type]  # an int in all three classes
        return Layout(width, (width,) * known, known == 1)
    sizes: Any = getattr(cell, "state_size", None)
    widths = (sizes,) if isinstance(sizes, int) else sizes
    if not isinstance(widths, tuple | list) or not widths or not all(isinstance(width, int) for width in widths):
        return None
    output_size: Any = getattr(cell, "output_size", widths[0])
    return Layout(output_size, tuple(widths), len(widths) == 1)


def probed_layout(cell: torch.nn.Module, step: Step) -> Layout:
    """Return the layout that one call shows, from the cell's own initial state if it tells one, else without a state.

    Raises:
        UnsupportedCellError: When the cell needs a state and tells no initial one.
    """
    own: Callable[[int], State] | None = getattr(cell, "initial_state", None)
    first = step if isinstance(step, Tensor) else step[0]
    result = (
        _call_aside(cell, step, own(first.shape[0]))
        if callable(own)
        else _call_without_state(cell, step, "state_size and output_size")
    )
    output, state = split_result(cell, result)
    return Layout(output.shape[-1], tuple(s.shape[-1] for s in as_tuple(state)), isinstance(state, Tensor))


def find_layout(cell: torch.nn.Module, input_size: int) -> Layout:
    """Return the layout that the cell declares, or shows when it is called with zeros (2, input_size).

    Raises:
        UnsupportedCellError: When it declares none, needs a state and tells no initial one.
    """
    declared = declared_layout(cell)
    if declared is not None:
        return declared
    with torch.no_grad():
        return probed_layout(cell, like_weights(cell).new_zeros(2, input_size))


def state_names(cell: torch.nn.Module, count: int) -> tuple[str, ...]:
    """Return names for a cell's states: those its class declares, else h, or h and c, or s1, s2, ... of more.

    Args:
        cell: The cell.
        count: How many states it has.
    """
    declared = getattr(cell, "states", None)
    if isinstance(declared, tuple) and len(declared) == count and all(isinstance(name, str) for name in declared):
        return declared
    return ("h", "c")[:count] if count <= 2 else tuple(f"s{k}" for k in range(1, count + 1))


def split_result(cell: torch.nn.Module, result: Any) -> tuple[Tensor, State]:
    """Return (output, state) of what a step returned.

    Raises:
        UnsupportedCellError: When the cell says ``returns_output`` and did not return two values.
    """
    if getattr(cell, "returns_output", False):
        if not isinstance(result, tuple) or len(result) != 2:
            raise UnsupportedCellError(
                f"{type(cell).__name__} says returns_output and was expected to return (output, state), "
                f"got {describe(result)}"
            )
        output, state = result
    else:
        output, state = as_tuple(result)[0], result
    return output, state


def find_initial_state(cell: torch.nn.Module, step: Step) -> State:
    """Return the state before the first step, for the batch of ``step``.

    It is the cell's own ``initial_state(batch_size)``, or zeros for torch's own cells.
    For any other cell it is zeros in the widths that a call without a state shows, and only if that call equals the
    step from zeros, in its values and in the parameters it depends on; the cell runs twice for it, with its buffers and
    torch's random states as they were before.

    Raises:
        UnsupportedCellError: When the cell needs a state, or starts from something else than zeros.
    """
    first = step if isinstance(step, Tensor) else step[0]
    own: Callable[[int], State] | None = getattr(cell, "initial_state", None)
    if callable(own):
        return own(first.shape[0])
    if plain_type(cell) in _TORCH_CELLS:
        layout = declared_layout(cell)
        assert layout is not None
        weight: Any = cell.weight_ih
        zeros = tuple(weight.new_zeros(first.shape[0], width) for width in layout.widths)
        return zeros[0] if layout.is_bare else zeros
    return _zeros_if_equal(cell, step)


_KNOWN_ZEROS: dict[Hashable, Layout] = {}
_MAX_KNOWN = 256


def _zeros_if_equal(cell: torch.nn.Module, step: Step) -> State:
    """Return zeros for a cell that starts from them; the answer is kept where no later value can change it."""
    steps = (step,) if isinstance(step, Tensor) else step
    key = _key_of_start(cell, steps)
    layout = None if key is None else _KNOWN_ZEROS.get(key)
    if layout is None:
        with torch.enable_grad():  # what the start depends on shows in its gradient
            zeros = _checked_zeros(cell, step)
        if key is not None:
            layout = Layout(0, tuple(s.shape[-1] for s in as_tuple(zeros)), isinstance(zeros, Tensor))
            if len(_KNOWN_ZEROS) >= _MAX_KNOWN:
                _KNOWN_ZEROS.clear()
            _KNOWN_ZEROS[key] = layout
        return zeros
    made = tuple(steps[0].new_zeros(steps[0].shape[0], width) for width in layout.widths)
    return made[0] if layout.is_bare else made


def _key_of_start(cell: torch.nn.Module, steps: tuple[Tensor, ...]) -> Hashable | None:
    """Return what the start of a cell depends on; ``None`` where it may depend on values that change unnoticed."""
    try:
        key, tensors = examine(cell)
    except UnsupportedCellError:
        return None
    # a parameter that the start depends on shows in the gradients; a buffer, or a frozen weight, may be zero only now
    if not all(isinstance(t, torch.nn.Parameter) and t.requires_grad for t in tensors.values()):
        return None
    return None if torch.is_inference_mode_enabled() else (key, tuple((s.shape[1:], s.dtype, s.device) for s in steps))


def _checked_zeros(cell: torch.nn.Module, step: Step) -> State:
    without = _call_without_state(cell, step, "initial_state(batch_size)")
    shown = split_result(cell, without)[1]
    zeros: State = torch.zeros_like(shown) if isinstance(shown, Tensor) else tuple(map(torch.zeros_like, shown))
    from_zeros = _call_aside(cell, step, zeros)
    if not _is_same_step(cell, _tensors(without), _tensors(from_zeros)):
        raise UnsupportedCellError(
            f"unroll expected {type(cell).__name__}, which tells no initial state, to start from zeros, "
            "got another result from its call without a state",
            hint="pass state, or give the class a method initial_state(batch_size)",
        )
    return zeros


def _is_same_step(cell: torch.nn.Module, ours: list[Tensor], theirs: list[Tensor]) -> bool:
    for a, b in zip(ours, theirs, strict=True):
        # the two may differ in rounding, where a product with zeros is left out
        close = 16 * torch.finfo(a.dtype).eps if a.is_floating_point() else 0.0
        if a.shape != b.shape or not torch.allclose(a, b, rtol=close, atol=close, equal_nan=True):
            return False
    # a learned initial state may still be zero: then the values agree, but zeros would never learn
    return _used_parameters(cell, ours) == _used_parameters(cell, theirs)


def _used_parameters(cell: torch.nn.Module, results: list[Tensor]) -> set[str]:
    named = {name: p for name, p in cell.named_parameters() if p.requires_grad}
    total = [r.sum() for r in results if r.grad_fn is not None]
    if not named or not total:
        return set()
    grads = torch.autograd.grad(total, list(named.values()), allow_unused=True, retain_graph=True)
    return {name for name, grad in zip(named, grads, strict=True) if grad is not None}


def _call_without_state(cell: torch.nn.Module, step: Step, wanted: str) -> Any:
    try:
        return _call_aside(cell, step)
    except Exception as error:  # a cell may refuse in any way
        raise UnsupportedCellError(
            f"{type(cell).__name__} was expected to run without a state, as nothing tells its initial state or its "
            f"widths, got {type(error).__name__}: {error}",
            hint=f"pass state, or give the class {wanted}",
        ) from error


def _call_aside(cell: torch.nn.Module, *args: Any) -> Any:
    """Call the cell so that its buffers and torch's random states stay as they are."""
    buffers = {name: buffer.clone() for name, buffer in cell.named_buffers()}
    first = args[0] if isinstance(args[0], Tensor) else args[0][0]
    devices = [first.device] if first.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        return torch.func.functional_call(cell, buffers, args)


def _tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return [tensor for item in result for tensor in _tensors(item)]
