"""Which engine runs a call."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from recurra.errors import EngineFallbackWarning, UnsupportedCellError
from recurra.loop.computed_weights import let_go, tensors_computed, with_computed_weights
from recurra.loop.eager import run_eager
from recurra.loop.kernel import find_obstacle, name_of_function, run_torch
from recurra.loop.obstacles import find_hooks, find_obstacle_around, find_obstacle_in_tensors
from recurra.loop.parametrized import step_modules
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
    if _is_autocast(plan):
        return _pick_without_autocast(plan)
    weights = _weights(plan)
    obstacle = _obstacle_in_surroundings(plan, weights) or _obstacle_in_types(plan, weights)
    if obstacle:
        raise _refusal("native", plan, obstacle, "use engine='auto' or 'eager'")
    own, computed = with_computed_weights(plan)
    hooks = find_hooks(step_modules(own.cell))
    if hooks:
        raise _refusal("native", plan, f"{hooks}, which are called at every step only in the plain loop", "")
    from recurra.loop import compiled, native  # LLVM is loaded by who uses it

    step, tensors, key = compiled.find_compiled(own)
    let_go(computed)
    return lambda _: native.run_compiled(step, own, tensors, key)


def _is_autocast(plan: Plan) -> bool:
    return plan.x[0].device.type == "cpu" and torch.is_autocast_enabled("cpu")


def _pick_without_autocast(plan: Plan) -> Engine:
    """Run a call in the type of the cell's weights, whatever autocast would make of its products."""
    weight = next(iter(_weights(plan)), plan.x[0])

    def cast(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.to(weight.dtype) if t.is_floating_point() else t for t in tensors)

    with torch.autocast("cpu", enabled=False):
        own = dataclasses.replace(plan, x=cast(plan.x), state=cast(plan.state), initial=cast(plan.initial))
        run = _pick_native(own)

    def run_without(_: Plan) -> tuple[Tensor, tuple[Tensor, ...]]:
        with torch.autocast("cpu", enabled=False):
            return run(own)

    return run_without


_EAGER_STEPS = 2
TORCH_STEPS = {"lstm": 16, "rnn_tanh": 16, "rnn_relu": 16, "gru": 4}
"""Up to so many steps the plain loop, and torch's functions, are done before the native engine has packed weights."""


def _pick_fastest(plan: Plan) -> Engine:
    if torch.compiler.is_compiling() or not plan.batch_size:
        return run_eager
    # under autocast the plain loop gives another type, so that its results must not depend on the number of steps
    if plan.num_steps <= _EAGER_STEPS and not _is_autocast(plan):
        return run_eager
    is_torchs = not find_obstacle(plan)
    if is_torchs and plan.num_steps <= TORCH_STEPS[name_of_function(plan.cell)]:
        return run_torch
    if _obstacle_in_surroundings(plan, _weights(plan)):
        return run_torch if is_torchs else run_eager
    try:
        return _pick_native(plan)
    except UnsupportedCellError as error:
        message = f"{error.message}; it runs in the plain loop"
        # the registry of warnings is the caller's: once for each text, as long as its filter is the default one
        warnings.warn(message, EngineFallbackWarning, stacklevel=4)
        return run_eager


def _obstacle_in_surroundings(plan: Plan, weights: list[Tensor]) -> str:
    """Say what keeps any cell from native code here, which needs no warning; empty if nothing does."""
    if plan.x[0].device.type != "cpu":
        return f"its tensors are on {plan.x[0].device}, and compiled code is for the CPU"
    if torch.compiler.is_compiling():
        return "torch.compile is at work"
    return find_obstacle_around(plan, weights)


def _obstacle_in_types(plan: Plan, weights: list[Tensor]) -> str:
    if plan.x[0].dtype not in (torch.float32, torch.float64):
        return f"its tensors are {plan.x[0].dtype}, and compiled code is for float32 and float64"
    return find_obstacle_in_tensors(plan, weights)


def _weights(plan: Plan) -> list[Tensor]:
    """Return the floating-point weights that a step reads: parameters, and what is computed in place of some."""
    own = (p for module in step_modules(plan.cell) for p in module._parameters.values() if p is not None)
    return [weight for weight in (*own, *tensors_computed(plan.cell)) if weight.is_floating_point()]


def _refusal(engine: str, plan: Plan, obstacle: str, hint: str) -> UnsupportedCellError:
    return UnsupportedCellError(f"engine '{engine}' cannot run {type(plan.cell).__name__}: {obstacle}", hint=hint)
