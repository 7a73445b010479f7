"""What keeps a call from an engine that reads the tensors' memory, whatever the cell is."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.modules import module as torch_module

from recurra.loop.plan import Plan

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def find_obstacle_in_tensors(plan: Plan, weights: Iterable[Tensor]) -> str:
    """Say why the tensors of a call cannot be read by native code; empty if they can.

    Args:
        plan: The call.
        weights: The cell's floating-point tensors.
    """
    x = plan.x[0]
    tensors = [*weights, *plan.x, *plan.state, *plan.initial]
    if torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
        return "a mode of torch is active that looks at every operation"
    if is_transformed():
        return "torch.func or forward-mode differentiation is active"
    if any(type(tensor) not in (Tensor, torch.nn.Parameter) for tensor in tensors):
        return "a tensor is of a subclass"
    if not x.is_floating_point() or any(tensor.dtype != x.dtype for tensor in tensors):
        found = ", ".join(sorted({str(tensor.dtype) for tensor in tensors}))
        return f"x, state and weights are not of one floating-point type, but of {found}"
    if x.is_meta or any(tensor.device != x.device for tensor in tensors):
        return "x, state and weights are not on one device that holds data"
    return "" if plan.batch_size else "the batch is empty"


def find_hooks(cell: torch.nn.Module) -> str:
    """Say that a module or all modules have hooks, which expect to be called at every step; empty if there are none."""
    if any(getattr(torch_module, f"_global{name}") for name in _HOOKS):
        return "there are global module hooks"
    if any(getattr(module, name) for module in cell.modules() for name in _HOOKS):
        return "it has hooks"
    return ""


def is_transformed() -> bool:
    """Whether torch.func transforms the call, or forward-mode differentiation does."""
    levels: int = torch.autograd.forward_ad._current_level
    return levels >= 0 or torch._C._functorch.peek_interpreter_stack() is not None
