"""The pieces of work that are timed: a forward and backward pass, its floating-point operations, its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from recurra.cells import State
from recurra.loop import unroll

MOST_DIFFERENCE = 2e-3
"""Between two float32 results of the same work, relative to the largest number in them."""


class Size(NamedTuple):
    """Steps, batch size, input size, hidden size."""

    T: int
    B: int
    I: int  # noqa: E741
    H: int

    def __str__(self) -> str:
        return f"({self.T}, {self.B}, {self.I}, {self.H})"


SIZES = (
    Size(10, 128, 1, 128),
    Size(30, 64, 64, 128),
    Size(50, 32, 200, 200),
    Size(100, 64, 256, 256),
    Size(35, 20, 650, 650),
    Size(256, 16, 128, 512),
)


class Training:
    """One forward and backward pass: gradients of parameters and inputs, from a given gradient of the output."""

    def __init__(self, run: Callable[[Tensor], Tensor], x: Tensor, parameters: Iterable[Tensor]) -> None:
        self.run, self.x, self.parameters = run, x.detach().clone().requires_grad_(), list(parameters)
        with torch.no_grad():
            output = run(self.x.detach())
        self.gradient = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)

    def __call__(self) -> Tensor:
        """Run, and return the output."""
        # as an optimiser's zero_grad does: the gradients of a step are its own
        for tensor in (self.x, *self.parameters):
            tensor.grad = None
        output = self.run(self.x)
        torch.autograd.backward(output, self.gradient)
        return output

    def results(self) -> list[Tensor]:
        """Run, and return the output and the gradient of the input."""
        output = self()
        assert self.x.grad is not None
        return [output.detach(), self.x.grad]


class Inference:
    """One forward pass that keeps nothing for a backward one."""

    def __init__(self, run: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self.run, self.x = run, x.detach()

    def __call__(self) -> Tensor:
        """Run, and return the output."""
        with torch.no_grad():
            return self.run(self.x)

    def results(self) -> list[Tensor]:
        """Run, and return the output."""
        return [self()]


def difference(ours: Training | Inference, theirs: Training | Inference) -> float:
    """Return the largest difference of two pieces of work, relative to the largest number in the result."""
    found = [0.0]
    for a, b in zip(ours.results(), theirs.results(), strict=True):
        same = (a == b) | (a.isnan() & b.isnan())
        gap = torch.where(same, 0.0, a - b).abs().max() / b.abs().max().clamp_min(1e-30)
        found.append(float(gap))
    # a comparison with NaN is false, and NaN must not pass
    return max(found) if all(gap == gap for gap in found) else float("inf")


def product_flops(cell: torch.nn.Module, size: Size, state: State | None = None, *, backward: bool = True) -> int:
    """Return the floating-point operations of a cell's products over a sequence; gradients of inputs are included.

    Counted on one step of the plain loop, so they are the same whatever engine runs the cell.
    """
    x = torch.randn(1, size.B, size.I, requires_grad=backward)
    if state is None:
        with torch.no_grad():
            state = unroll(cell, x, engine="eager")[1]
    entering = [part.detach().requires_grad_(backward) for part in as_tuple(state)]
    bare = isinstance(state, Tensor)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        output, last = unroll(cell, x, entering[0] if bare else tuple(entering), engine="eager")
        if backward:
            results = [output, *as_tuple(last)]
            torch.autograd.backward(results, [torch.ones_like(result) for result in results])
    cell.zero_grad(set_to_none=True)
    return size.T * int(counter.get_total_flops())


def as_tuple(state: State) -> tuple[Tensor, ...]:
    """Return the tensors of a state."""
    return (state,) if isinstance(state, Tensor) else tuple(state)
