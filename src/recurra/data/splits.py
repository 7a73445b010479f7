"""Cutting a text into training, validation and test part."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.errors import ArgumentError, DataTooShortError

# one character to read and one to predict
_MIN_PART = 2

Range = tuple[int, int]


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
    def from_fractions(cls, num_chars: int, validation: float = 0.05, test: float = 0.05) -> Splits:
        """Cut off the end of a text for validation and test.

        Args:
            num_chars: Length of the text.
            validation: Share of the text for validation, above 0 and below 1.
            test: Share of the text for the test, from 0 and below 1.

        Raises:
            ArgumentError: When a share is out of range, or nothing is left to train on.
            DataTooShortError: When a part would have fewer than two characters.

        Example:
            >>> Splits.from_fractions(1000)
            Splits(train=(0, 900), validation=(900, 950), test=(950, 1000))
        """
        _check_fractions(validation, test)
        num_validation, num_test = _sizes(num_chars, validation, test)
        if not _are_enough(num_chars, validation, test):
            needed = cls.num_chars_needed(validation, test)
            raise DataTooShortError(
                f"Splits expected at least {needed} characters for validation={validation} and test={test}, "
                f"got {num_chars}",
                hint="use more text, or other fractions",
            )
        first, second = num_chars - num_validation - num_test, num_chars - num_test
        return cls((0, first), (first, second), (second, num_chars))

    @staticmethod
    def num_chars_needed(validation: float, test: float, num_train: int = _MIN_PART) -> int:
        """Return the length of the shortest text that can be cut so.

        Args:
            validation: As for ``from_fractions``.
            test: As for ``from_fractions``.
            num_train: Characters that the training part must have, at least 2.
        """
        share = 1 - validation - test
        smallest = min(part for part in (validation, test, share) if part > 0)
        # what rounding can add to a part is less than one character, so nothing shorter is enough
        needed = int(max((_MIN_PART - 1) / smallest, (num_train - 1) / share))
        while not _are_enough(needed, validation, test, num_train):
            needed += 1
        return needed


def _check_fractions(validation: float, test: float) -> None:
    if not 0 < validation < 1:
        raise ArgumentError(f"Splits expected validation to be above 0 and below 1, got {validation}")
    if not 0 <= test < 1:
        raise ArgumentError(f"Splits expected test to be at least 0 and below 1, got {test}")
    if validation + test >= 1:
        raise ArgumentError(
            f"Splits expected validation + test to be below 1, got {validation} + {test}: nothing is left to train on"
        )


def _sizes(num_chars: int, validation: float, test: float) -> tuple[int, int]:
    return round(num_chars * validation), round(num_chars * test)


def _are_enough(num_chars: int, validation: float, test: float, num_train: int = _MIN_PART) -> bool:
    num_validation, num_test = _sizes(num_chars, validation, test)
    rest = num_chars - num_validation - num_test
    return rest >= num_train and num_validation >= _MIN_PART and (test == 0 or num_test >= _MIN_PART)


__all__ = ["Range", "Splits"]
