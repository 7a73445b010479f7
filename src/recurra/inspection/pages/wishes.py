"""What is to be explained of a cell, and at which sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recurra.cells.checks import check_size
from recurra.errors import ArgumentError

_WHO = "explain"


@dataclass(frozen=True)
class Wishes:
    """What is to be explained, and how.

    Attributes:
        input_size: Width of the input; ``None`` is that of ``inputs``, or 3.
        hidden_size: Width of the state; ``None`` is 4.
        cell_options: What else the cell's class takes.
        every_assignment: Whether each assignment of ``forward`` keeps its line.
        evaluation: Whether the cell is meant in evaluation mode.
        unfold: Steps to draw; ``None`` where no unfolded drawing is asked for.
        fold: Whether the folded drawing is asked for.
        form: At which steps the network reads and writes.
        num_layers: Layers of the drawing.
        bidirectional: Whether the drawn network reads in both directions.
        inputs: The sequence to work through: a list of steps.
        targets: What each step should give.
        output_size: Width of the output layer; ``None`` is what the targets need.
        init: What each parameter is set to; ``None`` draws them.
        loss: Loss of the worked example.
        max_steps: Longest sequence that is worked through.
        digits: Significant digits of the worked example.
        gate: Whether gates are asked for.
        seed: Of the weights that are drawn.
        width: Columns of text.

    Raises:
        ArgumentError: When a number is out of its range, or there are targets without inputs.
    """

    input_size: int | None = None
    hidden_size: int | None = None
    cell_options: Mapping[str, Any] = field(default_factory=dict)
    every_assignment: bool = False
    evaluation: bool = False
    unfold: int | None = None
    fold: bool = False
    form: str = "many-to-many"
    num_layers: int = 1
    bidirectional: bool = False
    inputs: Any = None
    targets: Any = None
    output_size: int | None = None
    init: float | None = None
    loss: str = "auto"
    max_steps: int = 12
    digits: int = 4
    gate: bool = False
    seed: int = 0
    width: int = 100

    def __post_init__(self) -> None:
        for name in ("input_size", "hidden_size", "unfold", "output_size"):
            if getattr(self, name) is not None:
                check_size(_WHO, name, getattr(self, name))
        for name in ("num_layers", "max_steps", "digits", "width"):
            check_size(_WHO, name, getattr(self, name))
        if self.digits > 17:
            raise ArgumentError(f"{_WHO} expected digits to be at most 17, got {self.digits}")
        if type(self.seed) is not int or self.seed < 0:
            raise ArgumentError(f"{_WHO} expected seed to be an integer of at least 0, got {self.seed!r}")
        if self.targets is not None and self.inputs is None:
            raise ArgumentError(f"{_WHO} expected inputs with the targets, got none")

    @property
    def has_choice(self) -> bool:
        """Whether some parts are asked for, and not all."""
        return self.unfold is not None or self.fold or self.gate or self.inputs is not None
