"""What a line that squashes is to its step: a gate, what is newly written, a state, or none of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Symbol, Term

Kind = Literal["gate", "candidate", "state", "activation"]

ELEMENTWISE = ("neg", "add", "mul", "div", "power")
"""Operations element by element that are no functions."""


def find_kind(cell: torch.nn.Module, step: Step, target: Symbol, limits: np.ndarray) -> Kind:
    """Return what a line is.

    A candidate is what the cell says is newly written. A gate multiplies something of the step, and the cell names it
    among its ``gates``, which are blocks of rows of any kind, or it goes neither below 0 nor beyond all bounds. What
    the cell names so and goes from 0 to 1 is a gate too, however it works.

    Args:
        cell: The cell.
        step: The equations of its step.
        target: What the line gives.
        limits: The line where the preactivation is minus and plus infinity.
    """
    if target.name in getattr(cell, "candidates", ()):
        return "candidate"
    is_named, is_state = target.name in getattr(cell, "gates", ()), target in step.leaving
    has_bounds = bool(np.isfinite(limits).all())
    is_positive = has_bounds and bool((limits >= 0).all())
    if _is_factor(step, target) and has_bounds and (is_named or is_positive):
        return "gate"
    if is_named and not is_state and is_positive and bool((limits <= 1).all()):
        return "gate"
    return "state" if is_state else "activation"


def _is_factor(step: Step, target: Symbol) -> bool:
    """Say whether what a line gives, or a sum with it such as 1 - z, multiplies something else of the step."""
    computed = {line.target for line in step.lines} | {*step.inputs, *step.entering}
    for line in step.lines:
        for term in line.term.walk():
            if term.op == "mul":
                sides = [target in set(_summed(arg)) for arg in term.args]
                others = (not computed.isdisjoint(arg.symbols()) for arg in term.args)
                if any(sides) and sum(others) > 1:
                    return True
    return False


def _summed(term: Term) -> Iterator[Symbol]:
    """Yield the symbols of a term that no function and no product with a matrix stands around."""
    if term.op == "name":
        yield term.value
    if term.op in ELEMENTWISE:
        for arg in term.args:
            yield from _summed(arg)
