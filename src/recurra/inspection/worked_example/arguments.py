"""Inputs and targets of a worked example as columns, once they are checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.cells.checks import check_size
from recurra.errors import ArgumentError, ChoiceError

WHO = "work_example"
FORMS = ("many-to-many", "many-to-one")
LOSSES = ("auto", "cross-entropy", "squared-error")
MAX_STEPS = 12
_MAX_CLASSES = 1000
"""Classes that an output layer gets without being told how many."""


@dataclass(frozen=True)
class Targets:
    """What the outputs are compared with.

    Attributes:
        loss: "cross-entropy" or "squared-error".
        columns: One column a target, (output_size, 1): of a class, a 1 in its row.
        classes: The classes, counted from 0; empty with squared errors.
        first_step: The step, counted from 1, that the first of them belongs to; each later one belongs to the next.
    """

    loss: str
    columns: tuple[np.ndarray, ...]
    classes: tuple[int, ...]
    first_step: int

    def at(self, step: int) -> np.ndarray | None:
        """Return the target (output_size, 1) of a step counted from 1, or ``None`` where it has none."""
        return self.columns[step - self.first_step] if step >= self.first_step else None


def read_inputs(
    inputs: Any, names: Sequence[str], widths: Sequence[int], max_steps: int
) -> tuple[tuple[np.ndarray, ...], ...]:
    """Return the inputs of every step as columns, in the order of ``names``.

    Args:
        inputs: One list of numbers a step; of a cell with several inputs, one such list an input in each step.
        names: Names of the inputs of a step.
        widths: Their widths.
        max_steps: Steps that are allowed.

    Raises:
        ArgumentError: When there are no steps or too many, or they are not of these widths, or hold no finite numbers.
    """
    check_size(WHO, "max_steps", max_steps)
    steps = _as_list(inputs)
    wanted = " and ".join(f"{_numbers(width)} for {name}" for name, width in zip(names, widths, strict=True))
    _check_steps(steps, inputs, wanted, widths, max_steps)
    hint = _width_hint(steps, widths)
    found = []
    for index, step in enumerate(steps, 1):
        parts = step if len(widths) > 1 else [step]
        if not isinstance(parts, list) or len(parts) != len(widths):
            raise ArgumentError(
                f"{WHO} expected inputs to be lists of {wanted} in each step, got {step!r} in step {index}",
                hint=f"one step is {_example(widths)}",
            )
        columns = [
            _column(f"{name} in step {index} of inputs", part, width, hint)
            for name, part, width in zip(names, parts, widths, strict=True)
        ]
        found.append(tuple(columns))
    return tuple(found)


def _check_steps(steps: Any, inputs: Any, wanted: str, widths: Sequence[int], max_steps: int) -> None:
    if not isinstance(steps, list) or not steps:
        raise ArgumentError(
            f"{WHO} expected inputs to be a list with at least one step of {wanted}, got {inputs!r}",
            hint=f"one step is [{_example(widths)}]",
        )
    if len(steps) > max_steps:
        raise ArgumentError(
            f"{WHO} expected inputs to be at most max_steps={max_steps} steps, which are all printed, got {len(steps)}",
            hint=f"give fewer steps, or raise max_steps (--max-steps {len(steps)})",
        )


def read_targets(targets: Any, num_steps: int, form: str, loss: str, output_size: int | None) -> Targets:
    """Return the targets: whole numbers are classes, others are values to come near to.

    Args:
        targets: One a step, or with "many-to-one" the only one: a class counted from 0, or a list of numbers.
        num_steps: Steps of the inputs.
        form: One of ``FORMS``.
        loss: One of ``LOSSES``; "auto" is what the targets ask for.
        output_size: Width of the output; ``None`` is what the targets need, and at least two classes.

    Raises:
        ArgumentError: When they are not as many as needed, of another width, no classes, mixed, or not finite.
        ChoiceError: When the form or the loss is unknown.
    """
    if form not in FORMS:
        raise ChoiceError("form of a worked example", form, FORMS)
    if loss not in LOSSES:
        raise ChoiceError("loss", loss, LOSSES)
    if output_size is not None:
        check_size(WHO, "output_size", output_size)
    is_last_only = form == "many-to-one"
    items = _as_list(targets)
    if is_last_only and (not isinstance(items, list) or _is_one_vector(items, loss, output_size)):
        items = [items]
    needed = 1 if is_last_only else num_steps
    if not isinstance(items, list) or len(items) != needed:
        which = "one, for the last step" if is_last_only else f"one for each of the {num_steps} steps"
        count = f"{len(items)}: {targets!r}" if isinstance(items, list) else repr(targets)
        raise ArgumentError(f"{WHO} expected targets to be {which}, got {count}")
    are_classes = _are_classes(items, loss)
    first_step = num_steps if is_last_only else 1
    if are_classes:
        return _classes(items, output_size, first_step)
    width = output_size or (len(items[0]) if isinstance(items[0], list) else 1)
    columns = tuple(_column(f"targets[{index}]", item, width, "") for index, item in enumerate(items))
    return Targets("squared-error", columns, (), first_step)


def _are_classes(items: list[Any], loss: str) -> bool:
    whole = [isinstance(item, int) and not isinstance(item, bool) for item in items]
    if loss == "squared-error":
        return False
    if loss == "auto" and any(whole) and not all(whole):
        raise ArgumentError(
            f"{WHO} expected targets to be classes (whole numbers) or values (numbers with a point, lists of numbers), "
            f"got both: {items!r}",
            hint="write 1.0 for a value, or say which loss is meant",
        )
    if loss == "cross-entropy" and not all(whole):
        raise ArgumentError(f"{WHO} expected targets to be classes (whole numbers) for cross-entropy, got {items!r}")
    return all(whole)


def _classes(items: list[int], output_size: int | None, first_step: int) -> Targets:
    width = min(max(2, *(item + 1 for item in items)), _MAX_CLASSES) if output_size is None else output_size
    for index, item in enumerate(items):
        if not 0 <= item < width:
            raise ArgumentError(
                f"{WHO} expected targets[{index}] to be a class from 0 to {width - 1}, got {_shown(item)}",
                hint="" if item < 0 or _shown(item) != str(item) else f"raise output_size to {item + 1}",
            )
    columns = tuple((np.arange(width) == item).astype(np.float64).reshape(-1, 1) for item in items)
    return Targets("cross-entropy", columns, tuple(items), first_step)


def _column(what: str, value: Any, width: int, hint: str) -> np.ndarray:
    numbers = [value] if width == 1 and not isinstance(value, list) else value
    if not isinstance(numbers, list) or len(numbers) != width:
        got = f"{len(numbers)}: {value!r}" if isinstance(numbers, list) else repr(value)
        raise ArgumentError(f"{WHO} expected {_numbers(width)} for {what}, got {got}", hint=hint)
    for number in numbers:
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not math.isfinite(_as_float(number)):
            raise ArgumentError(f"{WHO} expected finite numbers for {what}, got {_shown(number)}")
    return np.array(numbers, dtype=np.float64).reshape(-1, 1)


def _as_float(number: float) -> float:
    """Return a number as float64; an integer that is too large is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _shown(value: Any) -> str:
    is_huge = isinstance(value, int) and math.isinf(_as_float(value))
    return "an integer beyond float64" if is_huge else repr(value)


def _as_list(value: Any) -> Any:
    """Return arrays, tensors and tuples as lists, inside lists too."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_as_list(item) for item in value] if isinstance(value, list | tuple) else value


def _is_one_vector(items: list[Any], loss: str, output_size: int | None) -> bool:
    """Say whether a list of numbers is one target, and not a list with one; whole numbers alone may be classes."""
    are_values = loss == "squared-error" or any(isinstance(item, float) for item in items)
    is_flat = all(not isinstance(item, list) for item in items)
    return are_values and is_flat and (len(items) > 1 or output_size == 1)


def _width_hint(steps: list[Any], widths: Sequence[int]) -> str:
    if len(widths) > 1 or not all(isinstance(step, list) for step in steps):
        return ""
    lengths = {len(step) for step in steps}
    return f"build the cell with input_size={lengths.pop()}" if len(lengths) == 1 and 0 not in lengths else ""


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"


def _example(widths: Sequence[int]) -> str:
    rows = ["[" + ", ".join(["0"] * width) + "]" for width in widths]
    return rows[0] if len(rows) == 1 else f"[{', '.join(rows)}]"
