"""What the tests of the compiled engine share: run a cell under one engine, and compare two runs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from recurra.errors import EngineFallbackWarning, UnsupportedCellError
from recurra.loop import unroll

D = torch.float64
ENGINE = "native"


@dataclass
class Run:
    """The tensors of one call, by name: output, states, and the gradients of the tensors that want one."""

    values: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor]


def as_tuple(value) -> tuple[torch.Tensor, ...]:
    return (value,) if isinstance(value, torch.Tensor) else tuple(value)


def leaves_of(cell, x, state) -> dict[str, torch.Tensor]:
    """Name the tensors that want a gradient."""
    named = {f"weight {name}": p for name, p in cell.named_parameters()}
    named |= {f"x[{k}]": tensor for k, tensor in enumerate(as_tuple(x))}
    named |= {f"state[{k}]": tensor for k, tensor in enumerate(() if state is None else as_tuple(state))}
    return {name: tensor for name, tensor in named.items() if tensor.requires_grad}


def loss_of(output, last) -> torch.Tensor:
    """Weigh every element of the outputs and states by another number, so that no gradient is left out or doubled."""
    total = output.new_zeros(())
    for k, tensor in enumerate((output, *as_tuple(last))):
        weigh = torch.linspace(0.4, 1.7, tensor.numel(), dtype=tensor.dtype).view(tensor.shape)
        total = total + (torch.sin(tensor + 0.3 * k) * weigh).sum()
    return total


def run(cell, x, state=None, *, engine, loss=loss_of, **options) -> Run:
    """Unroll and, where anything wants a gradient, differentiate ``loss(output, state)``."""
    output, last = unroll(cell, x, state, engine=engine, **options)
    values = {"output": output, **{f"last[{k}]": s for k, s in enumerate(as_tuple(last))}}
    leaves, total = leaves_of(cell, x, state), loss(output, last)
    if not leaves or not torch.is_grad_enabled():
        gradients = {}
    elif not total.requires_grad:
        gradients = {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    else:
        found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True, materialize_grads=True)
        gradients = dict(zip(leaves, found, strict=True))
    return Run({name: value.detach() for name, value in values.items()}, gradients)


def assert_same(found: Run, wanted: Run, *, rtol=1e-9, atol=1e-11, slack: Run | None = None) -> None:
    """Compare two runs; ``atol`` is relative to the largest element of each tensor, or 1.

    Args:
        found: Run under test.
        wanted: Run to agree with.
        rtol: Relative tolerance.
        atol: Absolute tolerance, in units of the largest element.
        slack: A third run, of inputs that differ in the last place: what it differs by is how well determined the
            values are, and a thousand times of that is allowed too.
    """
    for kind in ("values", "gradients"):
        ours, theirs = getattr(found, kind), getattr(wanted, kind)
        assert ours.keys() == theirs.keys()
        for name, expected in theirs.items():
            close = atol * max(1.0, float(expected.abs().max()) if expected.numel() else 0.0)
            if slack is not None and expected.numel():
                close += 1000 * float((getattr(slack, kind)[name] - expected).abs().max())
            torch.testing.assert_close(ours[name], expected, rtol=rtol, atol=close, msg=lambda m, n=name: f"{n}: {m}")


def check_against_eager(cell, x, state=None, *, rtol=1e-9, atol=1e-11, **options) -> Run:
    """Run under both engines, compare, and return the native run."""
    found = run(cell, x, state, engine=ENGINE, **options)
    assert_same(found, run(cell, x, state, engine="eager", **options), rtol=rtol, atol=atol)
    return found


def gradients_or_refusal(total, leaves, refusal: str, **options) -> tuple[torch.Tensor, ...] | None:
    """Differentiate; ``None`` where autograd refuses with an error that holds ``refusal``."""
    try:
        return torch.autograd.grad(total, leaves, **options)
    except (RuntimeError, UnsupportedCellError) as error:
        if refusal not in str(error):
            raise
        return None


def assert_same_bits(a, b) -> None:
    """Compare bit for bit; NaN equals NaN."""
    for left, right in zip(as_tuple(a), as_tuple(b), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0, equal_nan=True)


def check_never_wrong(make_cell, x, reason: str) -> None:
    """Native agrees with eager, or refuses the cell and names ``reason``; "auto" agrees in any case."""
    refusal = None
    try:
        check_against_eager(make_cell(), x)
    except UnsupportedCellError as error:
        refusal = str(error)
    assert refusal is None or reason in refusal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EngineFallbackWarning)
        found = run(make_cell(), x, engine="auto")
    assert_same(found, run(make_cell(), x, engine="eager"))
