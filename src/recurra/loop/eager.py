"""The plain loop: one call of the cell a step, on any device; the oracle of every other engine."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.loop.plan import Plan, valid_steps
from recurra.loop.probing import as_tuple, split_result


def run_eager(plan: Plan) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run the cell step by step.

    Returns:
        The outputs (num_steps, B, H), zero where a row has ended, and the states after each row's last step.

    Raises:
        UnsupportedCellError: When a step returns other states than it was given.
    """
    plan = plan.without_padding()
    active, resets = _rows_by_step(plan)
    outputs: list[Tensor] = [torch.empty(0)] * plan.num_steps
    state = plan.state
    steps = range(plan.num_steps)
    for t in reversed(steps) if plan.reverse else steps:
        entering = state if resets[t] is None else _select(resets[t], plan.initial, state)
        output, new = split_result(plan.cell, plan.cell(plan.step(t), plan.form(entering)))
        left = _check_step(plan, new, state)
        outputs[t] = output if active[t] is None else _select(active[t], (output,), (torch.zeros_like(output),))[0]
        state = left if active[t] is None else _select(active[t], left, state)
    return torch.stack(outputs), state


def _rows_by_step(plan: Plan) -> tuple[list[Tensor | None], list[Tensor | None]]:
    """Return for each step the rows that run and the rows that reset; ``None`` stands for all, and for no rows."""
    active: list[Tensor | None] = [None] * plan.num_steps
    resets: list[Tensor | None] = [None] * plan.num_steps
    device = plan.x[0].device
    if plan.lengths is not None:
        valid = valid_steps(plan.lengths, plan.num_steps).to(device)
        shortest = int(plan.lengths.min())
        active = [None if t < shortest else valid[t] for t in range(plan.num_steps)]
    if plan.reset is not None:
        reset = plan.reset.to(device)
        has_reset = reset.any(1).tolist()
        resets = [reset[t] if has_reset[t] else None for t in range(plan.num_steps)]
    return active, resets


def _select(rows: Any, chosen: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Take the marked rows from ``chosen``; torch.where, so that a row not taken has no gradient, not 0 * NaN."""
    return tuple(torch.where(rows.view(-1, *[1] * (a.dim() - 1)), a, b) for a, b in zip(chosen, others, strict=True))


def _check_step(plan: Plan, new: Any, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if isinstance(new, Tensor) != plan.is_bare or len(as_tuple(new)) != len(old):
        raise UnsupportedCellError(
            f"{type(plan.cell).__name__} was expected to return its state in the form it was given, "
            f"{_form(plan.form(old))}, got {_form(new)}"
        )
    states = as_tuple(new)
    for a, b in zip(states, old, strict=True):
        if a.shape != b.shape:
            raise UnsupportedCellError(
                f"{type(plan.cell).__name__} was expected to return a state of the shape it was given, "
                f"{tuple(b.shape)}, got {tuple(a.shape)}"
            )
    return states


def _form(state: Any) -> str:
    return "a tensor" if isinstance(state, Tensor) else f"a tuple of {len(state)}"
