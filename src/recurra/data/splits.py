"""Cutting a text into training, validation and test part."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recurra.errors import ArgumentError, DataTooShortError

# one unit to read and one to predict
_MIN_PART = 2

Range = tuple[int, int]
"""From a start up to a stop that does not belong to it."""


@dataclass(frozen=True)
class Splits:
    """Three parts of a text in its order, each from a start up to a stop that does not belong to it.

    Attributes:
        train: The first part.
        validation: The part behind it.
        test: The last part; it may be empty.
    """

    train: Range
    validation: Range
    test: Range

    @classmethod
    def from_fractions(
        cls, num_units: int, validation: float = 0.05, test: float = 0.05, *, unit: str = "character"
    ) -> Splits:
        """Cut off the end of a text for validation and test.

        Args:
            num_units: Length of the text, in characters or whatever it is cut into.
            validation: Share of the text for validation, above 0 and below 1.
            test: Share of the text for the test, from 0 and below 1.
            unit: What it is cut into, for messages.

        Raises:
            ArgumentError: When a share is out of range, or nothing is left to train on.
            DataTooShortError: When a part would have fewer than two units.

        Example:
            >>> Splits.from_fractions(1000)
            Splits(train=(0, 900), validation=(900, 950), test=(950, 1000))
        """
        check_fractions("Splits", validation, test)
        num_validation, num_test = _sizes(num_units, validation, test)
        if not _are_enough(num_units, validation, test):
            needed = cls.num_units_needed(validation, test)
            raise DataTooShortError(
                f"Splits expected at least {needed} {unit}s for validation={validation} and test={test}, "
                f"got {num_units}",
                hint="use more text, or other fractions",
            )
        first, second = num_units - num_validation - num_test, num_units - num_test
        return cls((0, first), (first, second), (second, num_units))

    @staticmethod
    def num_units_needed(validation: float, test: float, num_train: int = _MIN_PART) -> int:
        """Return the length from which on every text can be cut so.

        Since parts are rounded to whole units, some shorter texts may do, too.

        Args:
            validation: As for ``from_fractions``.
            test: As for ``from_fractions``.
            num_train: Units that the training part must have, at least 2.
        """
        smallest = min(part for part in (validation, test) if part > 0)
        # rounding takes at most half a unit from a held-out part, and adds as much to each of the two
        enough = max((_MIN_PART - 0.5) / smallest, (num_train + 1) / (1 - validation - test))
        needed = math.ceil(enough) + 1  # one more, as the quotients are rounded, too
        while _are_enough(needed - 1, validation, test, num_train):
            needed -= 1
        return needed


def check_fractions(who: str, validation: float, test: float) -> None:
    """Check the shares of the validation and the test part.

    Raises:
        ArgumentError: When one is out of range, or nothing is left to train on; ``who`` names the caller.
    """
    if not 0 < validation < 1:
        raise ArgumentError(f"{who} expected validation to be above 0 and below 1, got {validation}")
    if not 0 <= test < 1:
        raise ArgumentError(f"{who} expected test to be at least 0 and below 1, got {test}")
    if validation + test >= 1:
        raise ArgumentError(
            f"{who} expected validation + test to be below 1, got {validation} + {test}: nothing is left to train on"
        )


def _sizes(num_units: int, validation: float, test: float) -> tuple[int, int]:
    return round(num_units * validation), round(num_units * test)


def _are_enough(num_units: int, validation: float, test: float, num_train: int = _MIN_PART) -> bool:
    num_validation, num_test = _sizes(num_units, validation, test)
    rest = num_units - num_validation - num_test
    return rest >= num_train and num_validation >= _MIN_PART and (test == 0 or num_test >= _MIN_PART)


__all__ = ["Range", "Splits", "check_fractions"]
