"""What a worked example consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recurra.inspection.equations.terms import Symbol
from recurra.inspection.worked_example.symbols import Value

Relation = Literal["is", "adds", "becomes"]


@dataclass(frozen=True, eq=False)
class Row:
    """A quantity at one step: its name, how it comes about, and its value.

    Attributes:
        symbol: The name in plain text, with the step as subscript: h₁.
        symbol_latex: The same in LaTeX.
        equation: Its equation in plain text, h₁ = tanh(z₁); empty for what is given.
        equation_latex: The same in LaTeX.
        value: Numbers, and exact ones where they are short.
        relation: What the value is: the quantity, what this step adds to it, or what it becomes by that.
        exact: The exact value in plain text, once if all entries are equal; empty where it is long. It tells more than
            the numbers only if they are rounded.
        exact_latex: The same in LaTeX.
        note: What to know about it in a few words; may be empty.
    """

    symbol: str
    symbol_latex: str
    equation: str
    equation_latex: str
    value: Value
    relation: Relation = "is"
    exact: str = ""
    exact_latex: str = ""
    note: str = ""

    @property
    def array(self) -> np.ndarray:
        """The numbers, a float64 matrix; vectors are columns."""
        return self.value.number

    @property
    def is_each(self) -> bool:
        """Whether the exact value is that of each of several entries."""
        return self.array.size > 1 and not self.exact.startswith("(")

    def is_rounded(self, digits: int) -> bool:
        """Say whether so many significant digits do not tell the value: behind ≈, with the exact one before it."""
        return self.value.is_rounded(digits)


@dataclass(frozen=True, eq=False)
class Section:
    """Rows that belong together.

    Attributes:
        title: A heading.
        step: The step counted from 1; ``None`` for what belongs to none.
        rows: In the order in which they are computed.
    """

    title: str
    step: int | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Check:
    """How far an example is from the cell itself, run by torch and differentiated by its autograd.

    Attributes:
        forward: Largest absolute difference of outputs, states and losses.
        backward: Largest absolute difference of gradients by weights, inputs and states.
        num_forward: Numbers compared forward.
        num_backward: Numbers compared backward.
    """

    forward: float
    backward: float
    num_forward: int
    num_backward: int


@dataclass(frozen=True, eq=False)
class WorkedExample:
    """A sequence worked through by hand, forward and backward through time.

    Attributes:
        who: The cell's class.
        num_steps: Steps of the sequence.
        notes: What was assumed, a sentence each.
        start: Weights and first states.
        forward: One section a step, then the sum of the losses.
        backward: One section a step from the last to the first; empty without targets.
        totals: The gradient of each weight over all steps; ``None`` without targets.
        loss: The loss of the whole sequence; ``None`` without targets.
        gradients: The gradient of each trained weight, by the weight's name in the equations.
        check: The comparison with torch.
    """

    who: str
    num_steps: int
    notes: tuple[str, ...]
    start: Section
    forward: tuple[Section, ...]
    backward: tuple[Section, ...]
    totals: Section | None
    loss: Value | None
    gradients: Mapping[Symbol, Value]
    check: Check

    def rows(self, symbol: str) -> tuple[Row, ...]:
        """Return the rows of a name as it is written in plain text, in the order of the example."""
        last = () if self.totals is None else (self.totals,)
        sections = (self.start, *self.forward, *self.backward, *last)
        return tuple(row for section in sections for row in section.rows if row.symbol == symbol)
