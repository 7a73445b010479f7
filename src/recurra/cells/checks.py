"""Checks of plain arguments, shared by the rooms that build modules."""

from __future__ import annotations

from recurra.errors import ArgumentError


def check_size(who: str, name: str, value: object) -> int:
    """Return ``value`` if it is an integer of at least one.

    Raises:
        ArgumentError: When it is not; a bool is no integer here.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"{who} expected {name} to be an integer of at least 1, got {value!r}")
    return value


def check_flag(who: str, name: str, value: object) -> bool:
    """Return ``value`` if it is a bool.

    Raises:
        ArgumentError: When it is not.
    """
    if not isinstance(value, bool):
        raise ArgumentError(f"{who} expected {name} to be True or False, got {value!r}")
    return value
