"""What can listen to a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.training.loop import Trainer

Row = Mapping[str, Any]
"""One row of ``metrics.jsonl``: ``step``, ``split``, then figures by name."""


class Callback:
    """Listens to a run; every method may be overridden, none must be.

    A callback may read the trainer, and may call ``trainer.stop.request()``; the loop then ends in good order.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Training is about to begin, or to go on (``trainer.progress.step`` > 0)."""

    def on_step(self, trainer: Trainer, loss: float, grad_norm: float) -> None:
        """One optimiser step is done; called often, so be quick."""

    def on_row(self, trainer: Trainer, row: Row) -> None:
        """A row of training or validation figures was made."""

    def on_sample(self, trainer: Trainer, texts: Sequence[str]) -> None:
        """Samples were drawn."""

    def on_checkpoint(self, trainer: Trainer, path: Path) -> None:
        """A checkpoint is complete."""

    def on_message(self, trainer: Trainer, message: str) -> None:
        """The loop has something to say to a person."""

    def on_end(self, trainer: Trainer, result: Mapping[str, Any] | None) -> None:
        """Training is over; ``result`` is what ``result.json`` holds, or None when an error ended it."""
