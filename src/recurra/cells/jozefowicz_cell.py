"""What the cells of one empirical exploration share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from recurra.cells.cell import Cell
from recurra.cells.checks import check_number
from recurra.cells.gates import Filler, uniform


class JozefowiczCell(Cell):
    """A cell whose parameters all start from U(-a, a) with a = scale / sqrt(H).

    Args:
        input_size: Width of x.
        hidden_size: Width H of the states.
        bias: Whether there are biases.
        scale: Multiple of 1 / sqrt(H) that bounds the uniform start, above 0. The source draws it from 0.3, 0.7, 1,
            1.4, 2 and 2.8.
        **options: As in :class:`recurra.cells.Cell`.

    Raises:
        ArgumentError: When ``scale`` is no number above 0.
    """

    source = "jozefowicz2015empirical"

    scale: float

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, scale: float = 1.0, **options: Any
    ) -> None:
        self.scale = check_number(type(self).__name__, "scale", scale, above=0)
        super().__init__(input_size, hidden_size, bias, **options)

    def published(self) -> Mapping[str, Filler]:
        """Draw every parameter from the same range, as the source does."""
        bound = self.scale / math.sqrt(self.hidden_size)
        return dict.fromkeys(self.weight_shapes(), uniform(-bound, bound))
