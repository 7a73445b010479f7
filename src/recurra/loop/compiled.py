"""Compiled steps, kept by what they were compiled from; and which calls can be given to them."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable

import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.loop.fingerprint import examine
from recurra.loop.plan import Plan
from recurra.loop.program import CompiledStep
from recurra.loop.trace import trace_step

MAX_COMPILED = 64
"""Compiled steps that are kept at most; the one that was not used for the longest time goes first, with its code."""

_cache: OrderedDict[Hashable, CompiledStep | UnsupportedCellError] = OrderedDict()
_lock = threading.Lock()
_compile_lock = threading.RLock()


def find_compiled(plan: Plan) -> tuple[CompiledStep, list[Tensor], Hashable]:
    """Return the compiled step for a call, compiled now if it is not there.

    Returns:
        The step, the cell's tensors in the order of the step's weights, and the cell's fingerprint.

    Raises:
        UnsupportedCellError: When it cannot be compiled; the operation and the line of the cell are named.
    """
    cell_key, tensors = examine(plan.cell)
    wants = _wants(plan, tensors)
    key = (cell_key, _form(plan), wants)
    found = _look_up(key)
    if found is None:
        with _compile_lock:
            found = _look_up(key)
            if found is None:
                found = _keep(key, _compile(plan, tensors, wants))
    if isinstance(found, UnsupportedCellError):
        raise UnsupportedCellError(found.message, hint=found.hint)
    return found, [tensors[path] for path in found.graph.weights], cell_key


def clear() -> None:
    """Forget all compiled steps and free their code."""
    with _lock:
        _cache.clear()


def _renew_locks() -> None:
    # another thread of the parent may have held them, and is not in the child
    global _lock, _compile_lock
    _lock = threading.Lock()
    _compile_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _look_up(key: Hashable) -> CompiledStep | UnsupportedCellError | None:
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
        return _cache.get(key)


def _keep(key: Hashable, found: CompiledStep | UnsupportedCellError) -> CompiledStep | UnsupportedCellError:
    with _lock:
        _cache[key] = found
        while len(_cache) > MAX_COMPILED:
            _cache.popitem(last=False)
    return found


def _wants(plan: Plan, tensors: dict[str, Tensor]) -> tuple[bool, ...]:
    """Return whether anything is to be differentiated, and then for each input whether it is."""
    if not torch.is_grad_enabled():
        return (False,)
    others = (*plan.state, *plan.initial, *tensors.values())
    wants_x = tuple(x.requires_grad for x in plan.x)
    is_wanted = any(wants_x) or any(tensor.requires_grad for tensor in others)
    return (True, *wants_x) if is_wanted else (False,)


def _form(plan: Plan) -> Hashable:
    x = tuple((x.shape[2:], x.dtype) for x in plan.x)
    return x, tuple((s.shape[1:], s.dtype) for s in plan.state), plan.is_tuple, plan.is_bare


def _compile(plan: Plan, tensors: dict[str, Tensor], wants: tuple[bool, ...]) -> CompiledStep | UnsupportedCellError:
    derivative = wants[0]
    try:
        graph = trace_step(
            plan.cell,
            tuple(x[0] for x in plan.x),
            plan.is_tuple,
            plan.state,
            plan.is_bare,
            wanted=frozenset(path for path, t in tensors.items() if t.requires_grad and derivative),
            wants_x=wants[1:] if derivative else (False,) * len(plan.x),
            wants_state=derivative,  # the loop carries them, whoever asks
            derivative=derivative,
        )
        return CompiledStep(graph, plan.x[0].dtype)
    except UnsupportedCellError as error:
        # its traceback would keep the cell alive
        return UnsupportedCellError(error.message, hint=error.hint)
