"""What a worked example assumes, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recurra.inspection.equations.step import Step
from recurra.inspection.worked_example.first_states import FirstStates
from recurra.inspection.worked_example.forward_pass import Model
from recurra.inspection.worked_example.setup import SEED, second_biases

_PARAMETRIZED = ".parametrizations."
"""What stands in the path of a parameter from which torch.nn.utils.parametrize makes a weight."""


def notes(model: Model, start: FirstStates, init: float | None, form: str) -> Iterator[str]:
    """Yield what was assumed.

    Args:
        model: The example's equations.
        start: The states before the first step.
        init: What every parameter is; ``None`` where they are the cell's own.
        form: "many-to-many" or "many-to-one".
    """
    yield from _of_parameters(model, init)
    if start.learned:
        which = "first state is learned: it is" if len(start.values) == 1 else "first states are learned: they are"
        yield f"The {which} made of {_listed([symbol.name for symbol in start.learned])}"
    if model.readout is None or model.targets is None:
        yield "There are no targets, and so no outputs, no loss and no backward pass"
        return
    output, target, total = (
        symbol.name for symbol in (model.readout.output, model.readout.target, model.readout.total)
    )
    if model.targets.loss == "cross-entropy":
        yield f"{_classes(model.targets.classes)}, counted from 0; {target} has a 1 in the class's row"
    else:
        yield f"Each loss is half the sum of the squared differences of {output} and {target}"
    if form == "many-to-one":
        yield f"Only the last step has a target, and {total} is its loss"
    else:
        yield f"The losses of all steps add up to {total}"
    yield f"δv stands for the derivative of {total} by v"


def _of_parameters(model: Model, init: float | None) -> Iterator[str]:
    if init is None:
        yield "The cell's parameters are its own, rounded to two decimals, or more where all of one are below 0.1"
        if model.readout is not None:
            yield f"The output layer's are drawn with seed {SEED} and rounded likewise"
    else:
        yield f"Every parameter is {init:g}"
        second = [symbol.name for symbol in second_biases(model.step)]
        if second and init:
            yield (
                f"The second bias of a gate is 0: {second[0]}"
                if len(second) == 1
                else f"The second biases of gates are 0: {', '.join(second)}"
            )
    for weight, sources in _parametrized(model.step).items():
        what = "rounded" if init is None else f"{init:g}"
        yield f"{weight} is computed from {_listed(sources)}: what is {what} is not {weight} itself"


def _parametrized(step: Step) -> dict[str, list[str]]:
    """Return each weight that is computed from others in every step, with the names of those."""
    found: dict[str, list[str]] = {}
    for symbol, block in step.weights.items():
        module, mark, source = f".{block.path}".partition(_PARAMETRIZED)
        if mark:
            weight = f"{module}.{source.partition('.')[0]}".lstrip(".")
            found.setdefault(weight, []).append(symbol.name)
    return found


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _classes(classes: Sequence[int]) -> str:
    if len(classes) == 1:
        return f"The target is the class {classes[0]}"
    return f"The targets are the classes {', '.join(map(str, classes))}"
