"""What keeps a call from an engine that reads the tensors' memory, whatever the cell is."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.modules import module as torch_module
from torch.utils._device import DeviceContext

from recurra.loop.plan import Plan

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def find_obstacle_around(plan: Plan, weights: Iterable[Tensor]) -> str:
    """Say what of torch's wants to see every operation, or is no plain tensor; empty if nothing is.

    Args:
        plan: The call.
        weights: The cell's floating-point tensors.
    """
    tensors = [*weights, *plan.x, *plan.state, *plan.initial]
    if torch._C._len_torch_dispatch_stack() or any(not _is_default_device(mode) for mode in _function_modes()):
        return "a mode of torch is active that looks at every operation"
    if is_transformed():
        return "torch.func or forward-mode differentiation is active"
    if any(type(tensor) not in (Tensor, torch.nn.Parameter) for tensor in tensors):
        return "a tensor is of a subclass"
    return ""


def find_obstacle_in_tensors(plan: Plan, weights: Iterable[Tensor]) -> str:
    """Say why the tensors of a call cannot be read by native code; empty if they can.

    Args:
        plan: The call.
        weights: The cell's floating-point tensors.
    """
    x = plan.x[0]
    tensors = [*weights, *plan.x, *plan.state, *plan.initial]
    if not x.is_floating_point() or any(tensor.dtype != x.dtype for tensor in tensors):
        found = ", ".join(sorted({str(tensor.dtype) for tensor in tensors}))
        return f"x, state and weights are not of one floating-point type, but of {found}"
    if x.is_meta or any(tensor.device != x.device for tensor in tensors):
        return "x, state and weights are not on one device that holds data"
    if any(tensor.is_neg() or tensor.is_conj() for tensor in tensors):
        return "a tensor is a view that negates or conjugates"
    return "" if plan.batch_size else "the batch is empty"


def _function_modes() -> list[object]:
    if not torch._C._len_torch_function_stack():
        return []
    return list(torch.overrides._get_current_function_mode_stack())


def _is_default_device(mode: object) -> bool:
    """Whether a mode only says where new tensors are made, and that is the CPU."""
    return isinstance(mode, DeviceContext) and torch.device(mode.device).type == "cpu"


def find_hooks(modules: Iterable[torch.nn.Module]) -> str:
    """Say that modules of a step, or all of torch, have hooks, which expect to be called at every step; empty if not.

    Args:
        modules: The modules that a step may run; see :func:`recurra.loop.parametrized.step_modules`.
    """
    if any(getattr(torch_module, f"_global{name}") for name in _HOOKS):
        return "there are global module hooks"
    if any(getattr(module, name) for module in modules for name in _HOOKS):
        return "it has hooks"
    return ""


def is_wrapped(tensor: Tensor) -> bool:
    """Whether a tensor stands for others, of a subclass or in a transformation, and has no memory of its own."""
    functorch = torch._C._functorch
    return (
        type(tensor) not in (Tensor, torch.nn.Parameter)
        or functorch.is_functorch_wrapped_tensor(tensor)
        or functorch.is_legacy_batchedtensor(tensor)
    )


def is_transformed() -> bool:
    """Whether torch.func transforms the call, or forward-mode differentiation does."""
    levels: int = torch.autograd.forward_ad._current_level
    return levels >= 0 or torch._C._functorch.peek_interpreter_stack() is not None
