"""What an explanation of a cell consists of."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property

from recurra.inspection.anatomy.describing import Anatomy
from recurra.inspection.drawing.network import Network
from recurra.inspection.equations.look_alikes import look_alikes
from recurra.inspection.explanation import Explanation
from recurra.inspection.worked_example.example import WorkedExample

PARTS = ("equations", "derivative", "anatomy", "network", "example", "gates")
"""Parts of an explanation, in their order."""


@dataclass(frozen=True, eq=False)
class Page:
    """An explanation of a cell, before it is written in some form.

    Attributes:
        name: What the cell was asked for as.
        options: What else its class was given, each as ``name=value``.
        summary: A sentence about it: the first of its class's docstring; empty where there is none.
        reference: Where it was published, in a line; empty where that is not known.
        parts: Which of ``PARTS`` are shown.
        explanation: Its equations.
        anatomy: What it consists of; ``None`` where that is not shown.
        network: The network to draw.
        is_folded: Whether the folded drawing is shown.
        is_unfolded: Whether the unfolded drawing is shown.
        example: A sequence worked through by hand; ``None`` where it is not asked for.
        has_gates: Whether it has gates to draw.
        has_time_gates: Whether a gate opens and closes by itself, in time.
        notes: What a reader should know of how this was made, a sentence each.
        digits: Significant digits of the worked example.
    """

    name: str
    options: tuple[str, ...]
    summary: str
    reference: str
    parts: tuple[str, ...]
    explanation: Explanation
    anatomy: Anatomy | None
    network: Network
    is_folded: bool
    is_unfolded: bool
    example: WorkedExample | None
    has_gates: bool
    has_time_gates: bool
    notes: tuple[str, ...]
    digits: int

    @property
    def command(self) -> str:
        """The command that explains the cell, as a shell takes it."""
        options = ["--cell-options", *map(shlex.quote, self.options)] if self.options else []
        return " ".join(["recurra explain", shlex.quote(self.name), *options])

    @cached_property
    def spelled_out(self) -> frozenset[str]:
        """Names that LaTeX writes letter by letter, since others in the equations would look like them."""
        explanation = self.explanation
        lines = (*explanation.step.lines, *explanation.forward, *explanation.backward)
        inside = (symbol for line in lines for symbol in (line.target, *line.term.symbols()))
        return look_alikes([*inside, *explanation.step.shapes])

    @property
    def class_name(self) -> str:
        """The cell's class."""
        return type(self.explanation.cell).__name__
