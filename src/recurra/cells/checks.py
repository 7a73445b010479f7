"""Checks of plain arguments, shared by the rooms that build modules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recurra.errors import ArgumentError, ChoiceError


def check_size(who: str, name: str, value: object, *, at_least: int = 1) -> int:
    """Return ``value`` if it is an integer of at least one, or of at least what is given.

    Raises:
        ArgumentError: When it is not; a bool is no integer here.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ArgumentError(f"{who} expected {name} to be an integer of at least {at_least}, got {value!r}")
    return value


def check_flag(who: str, name: str, value: object) -> bool:
    """Return ``value`` if it is a bool.

    Raises:
        ArgumentError: When it is not.
    """
    if not isinstance(value, bool):
        raise ArgumentError(f"{who} expected {name} to be True or False, got {value!r}")
    return value


def check_number(
    who: str,
    name: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """Return ``value`` as a float if it is a finite number within the bounds given.

    Raises:
        ArgumentError: When it is not; a bool is no number here.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    bounds = {"above": above, "of at least": at_least, "below": below, "of at most": at_most}
    if is_number:
        number = float(value)  # type: ignore[arg-type]  # checked one line above
        if (
            (above is None or number > above)
            and (at_least is None or number >= at_least)
            and (below is None or number < below)
            and (at_most is None or number <= at_most)
        ):
            return number
    wanted = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
    raise ArgumentError(f"{who} expected {name} to be a number {wanted}".rstrip() + f", got {value!r}")


def check_gate_biases(who: str, given: Mapping[str, float], gates: Sequence[str]) -> dict[str, float]:
    """Return the starts of biases if each names one of ``gates``, which have a bias, and is a number.

    Raises:
        ArgumentError: When they are no mapping to numbers, or no gate has a bias.
        ChoiceError: When one names no gate that has a bias.
    """
    if not isinstance(given, Mapping):
        raise ArgumentError(f"{who} expected gate_biases to map gates to numbers, got {given!r}")
    for gate, value in given.items():
        if not gates:
            raise ArgumentError(f"{who} expected no gate_biases, as it has no biases, got {dict(given)!r}")
        if gate not in gates:
            raise ChoiceError(f"gate of {who} with a bias", gate, gates)
        check_number(who, f"gate_biases[{gate!r}]", value)
    return {gate: float(value) for gate, value in given.items()}
