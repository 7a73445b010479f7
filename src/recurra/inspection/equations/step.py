"""A step of a cell as equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from recurra.inspection.equations.terms import Line, Shape, Symbol


@dataclass(frozen=True)
class WeightBlock:
    """What part of a parameter or buffer a name in the equations stands for.

    Attributes:
        path: The tensor's path in the cell, as ``named_parameters`` has it.
        shape: The tensor's own shape.
        rows: First row and the row after the last; all of them if there is no more than one block.
        is_parameter: Whether it is trained.
    """

    path: str
    shape: tuple[int, ...]
    rows: tuple[int, int]
    is_parameter: bool = True


@dataclass(frozen=True)
class Step:
    """The equations of one step, as its ``forward`` computes them.

    Attributes:
        who: The cell's class.
        lines: One equation an assignment, in the order in which they are computed.
        inputs: What a step is given: x, and what else.
        entering: The states of the step before, h at t-1.
        leaving: The states after this step, h at t, in the same order.
        output: The output; for most cells, the first of ``leaving``.
        shapes: The shape of each of these and of every weight and constant, vectors as columns.
        weights: What each weight's name stands for.
        constants: Tensors that are neither given nor trained, by their name.
        state_form: The type in which the cell takes its states: a tensor, a tuple, a list or a named tuple.
        defaults: Further arguments of ``forward``, by name, with the defaults that they were left at.
    """

    who: str
    lines: tuple[Line, ...]
    inputs: tuple[Symbol, ...]
    entering: tuple[Symbol, ...]
    leaving: tuple[Symbol, ...]
    output: Symbol
    shapes: Mapping[Symbol, Shape]
    weights: Mapping[Symbol, WeightBlock]
    constants: Mapping[Symbol, np.ndarray]
    state_form: type = Tensor
    defaults: Mapping[str, object] = field(default_factory=dict)
