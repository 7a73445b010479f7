"""How a cell is run over a sequence, for cells that prepare something for all steps at once."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from recurra.cells.cell import State


@dataclass(frozen=True, eq=False)
class SequenceCall:
    """What a cell's ``sequence_inputs(x, call)`` is told beside the inputs x; see :func:`recurra.unroll`.

    Attributes:
        state: The state before the first step, in the cell's form, each (B, width). ``None`` is the initial state of a
            cell that has no method ``initial_state``.
        initial: The state that ``reset`` returns to, in the same form; ``None`` without ``reset``, or as above.
        lengths: Valid steps of each row, (B,) int64 on the CPU; ``None`` where all rows have all steps.
        reset: (T, B) bool, as for ``unroll``; ``None`` is nowhere.
        reverse: Whether the pass goes from each row's last valid step to its first.
        is_plain: Whether the steps read x as it stands here, and each the states that the one before it left. Where it
            is false, something around the cell changes them on the way, and nothing may be made ahead from them.
    """

    state: State | None = None
    initial: State | None = None
    lengths: Tensor | None = None
    reset: Tensor | None = None
    reverse: bool = False
    is_plain: bool = True


FROM_START = SequenceCall()
"""A pass forward over whole rows from the initial state."""
