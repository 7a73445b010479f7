"""Which engine runs a call."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from recurra.errors import EngineFallbackWarning, UnsupportedCellError
from recurra.loop.eager import run_eager
from recurra.loop.kernel import find_obstacle, run_torch
from recurra.loop.obstacles import find_hooks, find_obstacle_in_tensors
from recurra.loop.plan import Plan

Engine = Callable[[Plan], tuple[Tensor, tuple[Tensor, ...]]]


def pick_engine(plan: Plan, engine: str) -> Engine:
    """Return the function that runs a call.

    Raises:
        UnsupportedCellError: When the engine asked for cannot run it.
    """
    return {"eager": _pick_eager, "torch": _pick_torch, "native": _pick_native, "auto": _pick_fastest}[engine](plan)


def _pick_eager(plan: Plan) -> Engine:
    return run_eager


def _pick_torch(plan: Plan) -> Engine:
    obstacle = find_obstacle(plan)
    if obstacle:
        raise _refusal("torch", plan, obstacle, "use engine='auto' or 'eager'")
    return run_torch


def _pick_native(plan: Plan) -> Engine:
    if not plan.batch_size:
        # no rows, nothing to compile; the loop gives the shapes
        return run_eager
    if torch.is_autocast_enabled("cpu") and plan.x[0].device.type == "cpu":
        return _without_autocast
    obstacle = _obstacle_for_native(plan)
    if obstacle:
        raise _refusal("native", plan, obstacle, "use engine='auto' or 'eager'")
    hooks = find_hooks(plan.cell)
    if hooks:
        raise _refusal("native", plan, f"{hooks}, which are called at every step only in the plain loop", "")
    from recurra.loop import compiled, native  # LLVM is loaded by who uses it

    step, weights, key = compiled.find_compiled(plan)
    return lambda plan: native.run_compiled(step, plan, weights, key)


def _without_autocast(plan: Plan) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a call in the type of the cell's weights, whatever autocast would make of its products."""
    weight = next((p for p in plan.cell.parameters() if p.is_floating_point()), plan.x[0])

    def cast(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.to(weight.dtype) if t.is_floating_point() else t for t in tensors)

    with torch.autocast("cpu", enabled=False):
        own = dataclasses.replace(plan, x=cast(plan.x), state=cast(plan.state), initial=cast(plan.initial))
        return _pick_native(own)(own)


_EAGER_STEPS = 2
_TORCH_STEPS = 8
"""Up to so many steps the plain loop, and torch's own function, are done before the native engine has packed weights.
The number of rows plays no part in this, so that a row's results do not depend on the rows beside it."""


def _pick_fastest(plan: Plan) -> Engine:
    is_torchs = not find_obstacle(plan)
    if is_torchs and plan.num_steps <= _TORCH_STEPS:
        return run_torch
    is_short = plan.num_steps <= _EAGER_STEPS and not torch.is_autocast_enabled("cpu")
    if is_short or not plan.batch_size:
        return run_eager
    if _obstacle_for_native(plan) and not torch.is_autocast_enabled("cpu"):
        return run_torch if is_torchs else run_eager
    try:
        return _pick_native(plan)
    except UnsupportedCellError as error:
        message = f"{error.message}; it runs in the plain loop"
        # the registry of warnings is the caller's: once for each text, as long as its filter is the default one
        warnings.warn(message, EngineFallbackWarning, stacklevel=4)
        return run_eager


def _obstacle_for_native(plan: Plan) -> str:
    if plan.x[0].device.type != "cpu":
        return f"its tensors are on {plan.x[0].device}, and compiled code is for the CPU"
    if plan.x[0].dtype not in (torch.float32, torch.float64):
        return f"its tensors are {plan.x[0].dtype}, and compiled code is for float32 and float64"
    if torch.compiler.is_compiling():
        return "torch.compile is at work"
    return find_obstacle_in_tensors(plan, [p for p in plan.cell.parameters() if p.is_floating_point()])


def _refusal(engine: str, plan: Plan, obstacle: str, hint: str) -> UnsupportedCellError:
    return UnsupportedCellError(f"engine '{engine}' cannot run {type(plan.cell).__name__}: {obstacle}", hint=hint)
