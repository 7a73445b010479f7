"""The backward equations in the groups that a reader looks for."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.inspection.equations.plain import plain_symbol
from recurra.inspection.equations.terms import Line
from recurra.inspection.explanation import Explanation


@dataclass(frozen=True)
class Group:
    """Equations that belong together.

    Attributes:
        title: What they are.
        lines: The equations, in the order in which they are computed.
    """

    title: str
    lines: tuple[Line, ...]


def backward_groups(explanation: Explanation) -> tuple[Group, ...]:
    """Return the backward equations: back through the step, to the step before and the input, and of the weights."""
    step = explanation.step
    given = {(symbol.name, symbol.time, symbol.version) for symbol in (*step.inputs, *step.entering)}
    inside, handed, weights = [], [], []
    for line in explanation.backward:
        target = line.target
        if (target.name, target.time, target.version) in given:
            handed.append(line)
        elif target.kind == "weight" or (target.time is None and line.is_sum):
            weights.append(line)
        else:
            inside.append(line)
    groups = (
        Group("Back through the step", tuple(inside)),
        Group("To the step before, and to the input", tuple(handed)),
        Group("Weights, summed over all steps and rows", tuple(weights)),
    )
    return tuple(group for group in groups if group.lines)


def backward_words(explanation: Explanation) -> str:
    """Say what δ means and where it comes from, in two or three sentences."""
    step = explanation.step
    names = [f"δ{plain_symbol(symbol)}" for symbol in step.leaving]
    states = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    verb = "arrives" if len(step.leaving) == 1 else "arrive"
    own = (
        f", and with it what the loss makes of the output {plain_symbol(step.output)}"
        if step.output in step.leaving
        else f", and δ{plain_symbol(step.output)} from the loss"
    )
    return (
        f"δv is the derivative of the loss by v, ∂L/∂v. {states} {verb} from step t + 1{own}; the last step gets "
        f"nothing from behind it. += adds to what is there already."
    )
