"""The cross-entropy of a linear layer's logits: of a large vocabulary's, most of a language model's work.

Of N inputs and V symbols there are N x V logits, tens of megabytes a step, and each pass over them through fresh memory
costs as much as a product. Here they take one array, whose memory is used again from step to step: they become the
softmax in it, and then the gradient of the logits, before the target's own weight; the backward pass only reads them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from recurra.loop.memory import pool
from recurra.loop.obstacles import is_transformed, is_wrapped

MAX_LOGIT_BYTES = 64 << 20
"""Logits that are held at once where no gradient is wanted."""
MIN_LOGIT_BYTES = 4 << 20
"""Fewer logits stay in the caches and come from memory that is at hand: torch's own operations are as fast there."""


def linear_cross_entropy(input: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """Return what each target costs in nats under the softmax of a linear layer.

        nll_n = -log softmax(W x_n + b)[t_n]

    It is ``cross_entropy(linear(input, weight, bias), targets, reduction="none")`` of torch.nn.functional, in less time
    and memory on the CPU; all derivatives are there, too. Every target counts.

    Args:
        input: The layer's input x. Shape (N, H); N may be 0.
        weight: W. Shape (V, H).
        bias: b. Shape (V,).
        targets: Ids in [0, V). Shape (N,), int64.

    Returns:
        Shape (N,), of the type of ``input``; float32 where the logits are of half precision.

    Raises:
        IndexError: When a target is none of the layer's, as torch raises it.
    """
    tensors = [input, weight] if bias is None else [input, weight, bias]
    num_bytes = len(input) * weight.shape[0] * weight.dtype.itemsize
    is_own = num_bytes >= MIN_LOGIT_BYTES and _is_own(tensors)
    if is_own:
        _check_targets(targets, weight.shape[0])
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        if is_own:
            nll: Tensor = _LinearCrossEntropy.apply(input, weight, bias, targets)  # type: ignore[no-untyped-call]
            return nll
        return _plain(input, weight, bias, targets)
    return _without_gradients(input, weight, bias, targets, is_own)


def _is_own(tensors: list[Tensor]) -> bool:
    """Whether the tensors are plain memory that can be worked on in place; torch's own operations take all else."""
    dtype = tensors[0].dtype
    return (
        dtype in (torch.float32, torch.float64)
        and all(tensor.device.type == "cpu" and tensor.dtype == dtype for tensor in tensors)
        and not any(map(is_wrapped, tensors))
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._len_torch_dispatch_stack()
        and not torch.compiler.is_compiling()
        and not is_transformed()
    )


def _check_targets(targets: Tensor, num_classes: int) -> None:
    if not targets.numel():
        return
    low, high = (int(limit) for limit in torch.aminmax(targets))
    if low < 0 or high >= num_classes:
        # the error that torch raises in the same case
        raise IndexError(f"Target {low if low < 0 else high} is out of bounds.")


def _plain(input: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    logits = functional.linear(input, weight, bias)
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return functional.cross_entropy(logits, targets, reduction="none")


def _without_gradients(input: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, is_own: bool) -> Tensor:
    """Go over the inputs piece by piece, so that memory does not grow with them."""
    num_classes = weight.shape[0]
    rows = max(1, MAX_LOGIT_BYTES // (num_classes * weight.dtype.itemsize))
    pieces = list(zip(torch.split(input, rows), torch.split(targets, rows), strict=True))
    if not is_own:
        return torch.cat([_plain(some, weight, bias, their) for some, their in pieces])
    memory = _memory(len(pieces[0][0]), weight)
    return torch.cat([_nll(some, weight, bias, their, memory[: len(some)]) for some, their in pieces])


def _memory(count: int, weight: Tensor) -> Tensor:
    """Return memory for the logits of ``count`` inputs."""
    num_classes = weight.shape[0]
    return pool.take(count * num_classes, weight.dtype).view(count, num_classes)


def _nll(input: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, memory: Tensor) -> Tensor:
    """Return what each target costs, and leave the softmax in ``memory`` (N, V)."""
    if bias is None:
        torch.mm(input, weight.t(), out=memory)
    else:
        torch.addmm(bias, input, weight.t(), out=memory)
    torch.softmax(memory, 1, out=memory)
    probs = memory.gather(1, targets.unsqueeze(1)).squeeze(1)
    nll = probs.log().neg_()
    vanished = probs < torch.finfo(probs.dtype).tiny
    if vanished.any():
        # the cost is more than the logarithm of what the type can hold, so it is taken from the logits themselves
        nll[vanished] = _plain(input[vanished], weight, bias, targets[vanished])
    return nll


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
        d_logits = _memory(len(input), weight)
        nll = _nll(input, weight, bias, targets, d_logits)
        # the gradient of each cost by its logits: softmax less one at the target
        d_logits[torch.arange(len(targets)), targets] -= 1
        ctx.save_for_backward(input, weight, bias, targets, d_logits)
        return nll

    @staticmethod
    def backward(ctx: Any, d_nll: Tensor) -> tuple[Tensor | None, ...]:
        input, weight, bias, targets, d_logits = ctx.saved_tensors
        if torch.is_grad_enabled() or is_transformed() or is_wrapped(d_nll):
            return (*_plain_gradients((input, weight, bias), targets, d_nll, ctx.needs_input_grad[:3]), None)
        wants_input, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        # the rows' factors go to the small sides of the products: the large one stays as it is, for a second pass too
        factors = d_nll.unsqueeze(1)
        d_input = d_logits.mm(weight).mul_(factors) if wants_input else None
        d_weight = d_logits.t().mm(input * factors) if wants_weight else None
        d_bias = factors.t().mm(d_logits).squeeze(0) if wants_bias else None
        return d_input, d_weight, d_bias, None


def _plain_gradients(
    inputs: tuple[Tensor, Tensor, Tensor | None], targets: Tensor, d_nll: Tensor, wanted: tuple[bool, ...]
) -> list[Tensor | None]:
    """Compute the costs again by torch's operations and let autograd differentiate them: for second derivatives."""
    is_second = torch.is_grad_enabled()
    with torch.enable_grad():
        nll = _plain(*inputs, targets)
        sources = [tensor for tensor, want in zip(inputs, wanted, strict=True) if want and tensor is not None]
        found = iter(torch.autograd.grad(nll, sources, d_nll, create_graph=is_second))
    return [next(found) if want else None for want in wanted]
