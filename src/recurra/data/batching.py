"""Batches of text, and places in an endless stream of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from recurra.errors import ArgumentError

IGNORE_INDEX = -100


@dataclass(frozen=True)
class Cursor:
    """A place in an endless stream of batches: the batch that comes next.

    Attributes:
        epoch: Passes over the part that are complete.
        window: Batches of the present pass that were given out.
    """

    epoch: int = 0
    window: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ArgumentError(f"Cursor expected {name} to be an integer of at least 0, got {value!r}")

    def to_json(self) -> dict[str, int]:
        """Return the cursor as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Cursor:
        """Make a cursor from what ``to_json`` returned.

        Raises:
            ArgumentError: When a number is missing, superfluous, or none.
        """
        if set(content) != {"epoch", "window"}:
            raise ArgumentError(f"Cursor expected the keys epoch and window, got {', '.join(map(str, content))}")
        return cls(**content)

    def check_inside(self, who: str, num_batches: int, settings: str) -> None:
        """Check that the cursor lies in a pass of so many batches.

        Args:
            who: Whose pass that is, for the message.
            num_batches: Batches of the pass.
            settings: What determines their number, for the hint.

        Raises:
            ArgumentError: When it lies behind, as one from other settings may.
        """
        if self.window >= num_batches:
            raise ArgumentError(
                f"{who} expected cursor.window to be below {num_batches}, got {self.window}",
                hint=f"go on with the {settings} that the cursor was made with",
            )

    def following(self, num_batches: int) -> Cursor:
        """Return the cursor behind the next batch of a pass of so many batches."""
        return Cursor(self.epoch + 1, 0) if self.window + 1 == num_batches else Cursor(self.epoch, self.window + 1)


@dataclass(frozen=True)
class TextBatch:
    """Sequences side by side: one window of parallel streams, or whole lines.

    Attributes:
        inputs: Ids that are read, int64 of shape ``(T, B)``; ``PAD_ID`` behind the end of a sequence.
        targets: The id that follows each of them, int64 of shape ``(T, B)``; ``IGNORE_INDEX`` where none counts.
        starts_anew: Whether the state starts anew, instead of going on from the batch before.
        cursor_after: Where to go on behind this batch.
        lengths: Valid steps of each sequence, int64 of shape ``(B,)``, on the CPU; None where all steps are.
        labels: Number of each sequence's label, int64 of shape ``(B,)``, or None.
        lr_factor: What the learning rate of a step on this batch is multiplied by.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    starts_anew: bool
    cursor_after: Cursor
    lengths: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    lr_factor: float = 1.0

    @property
    def cursor(self) -> dict[str, int]:
        """Where to go on behind this batch, as plain numbers."""
        return self.cursor_after.to_json()

    def to(self, device: torch.device) -> TextBatch:
        """Return the batch on a device; lengths stay on the CPU, where layers read them."""
        labels = None if self.labels is None else self.labels.to(device)
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device), labels=labels)


def check_at_least(who: str, least: int, **numbers: int | None) -> None:
    """Check that arguments that are given are at least ``least``.

    Raises:
        ArgumentError: When one is below; ``who`` names the caller.
    """
    for name, number in numbers.items():
        if number is not None and number < least:
            raise ArgumentError(f"{who} expected {name} to be at least {least}, got {number}")


__all__ = ["IGNORE_INDEX", "Cursor", "TextBatch", "check_at_least"]
