"""From one step to a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.cells import State
from recurra.errors import ChoiceError
from recurra.loop.checks import check_cell
from recurra.loop.computed_weights import computed_weights
from recurra.loop.engines import pick_engine
from recurra.loop.plan import Plan, build_plan
from recurra.loop.probing import declared_layout, split_result

ENGINES = ("auto", "native", "eager", "torch")


def unroll(
    cell: torch.nn.Module,
    x: Tensor | tuple[Tensor, ...],
    state: State | None = None,
    *,
    lengths: Tensor | Sequence[int] | None = None,
    reset: Tensor | None = None,
    reverse: bool = False,
    engine: str = "auto",
    initial_state: State | None = None,
) -> tuple[Tensor, State]:
    """Run a cell over a batch of sequences, and return the outputs and the last state.

    Args:
        cell: Any module whose ``forward(x, state)`` returns the new state: a tensor, or a tuple whose first is the
            output; or (output, state) if its class says ``returns_output = True``. A method
            ``sequence_inputs(x: tuple[Tensor, ...], call: SequenceCall) -> tuple[Tensor, ...]`` is called once with all
            steps that run, and what it returns, each (T, B, width), is given to the steps behind x, in a tuple: so one
            mask reaches every step of a sequence, the same in every engine. What does not change over time is best
            returned as ``mask.expand(T, B, width)`` of a (B, width) or (1, B, width). ``call`` tells how the sequence
            is run, see :class:`recurra.cells.SequenceCall`.
        x: Inputs (T, B, I), or a tuple of such tensors where a step takes more than one. T may be 0.
        state: State before the first step, in the cell's form, each tensor (B, width); ``None`` is ``initial_state``.
        lengths: Valid steps of each row, (B,) integers from 0 to T. A row's state stops at its last valid step, its
            later outputs are zero, and a reversed pass starts at its last valid step. What stands behind a length,
            NaN included, reaches no result and no gradient. Only as many steps run as the longest row has.
        reset: (T, B) bool; where it is True, the state entering that step is ``initial_state``.
        reverse: Run from the last step to the first; outputs stay at the place of their inputs.
        engine: "native" is the step compiled to machine code, on the CPU. "eager" is the plain loop, on any device.
            "torch" is torch's fused function, for cells that are exactly torch's. "auto" takes what is fastest of what
            can run the call; where a cell could be compiled but for an operation, it says so once and runs the loop.
        initial_state: State that ``reset`` returns to, and that is used where ``state`` is ``None``, in the cell's
            form, each tensor (B, width). ``None`` is the cell's ``initial_state(B)``, or zeros where the cell has no
            such method and one call without a state shows that it starts from zeros.

    Returns:
        The outputs (T, B, H), time first, and the state after the last step in the cell's form.

    Raises:
        ShapeError: When an argument is of another shape or type.
        ChoiceError: When ``engine`` is unknown.
        UnsupportedCellError: When the engine asked for cannot run the cell, when the cell's initial state is needed and
            cannot be known, when a step returns other states than it was given, or when ``sequence_inputs`` is not
            called with (x, call).

    Example:
        >>> from recurra.cells import GRUCell
        >>> output, h = unroll(GRUCell(3, 4), torch.zeros(5, 2, 3), lengths=torch.tensor([5, 2]))
        >>> output.shape, h.shape
        (torch.Size([5, 2, 4]), torch.Size([2, 4]))
    """
    check_engine("unroll", engine)
    check_cell("unroll", cell)
    with computed_weights(cell):
        plan = build_plan(cell, x, state, lengths=lengths, reset=reset, reverse=reverse, initial_state=initial_state)
        total = (x if isinstance(x, Tensor) else x[0]).shape[0]
        if plan.num_steps == 0:
            output, last = _without_steps(plan), plan.state
        else:
            output, last = pick_engine(plan, engine)(plan)
    if total > plan.num_steps:
        rest = output.new_zeros(total - plan.num_steps, *output.shape[1:])
        output = torch.cat((output, rest))
    return output, plan.form(last)


def check_engine(who: str, engine: str) -> str:
    """Return ``engine`` if it is known.

    Raises:
        ChoiceError: When it is not.
    """
    if engine not in ENGINES:
        raise ChoiceError(f"engine of {who}", engine, ENGINES)
    return engine


def _without_steps(plan: Plan) -> Tensor:
    layout = declared_layout(plan.cell)
    if layout is None and getattr(plan.cell, "returns_output", False):
        with torch.no_grad():
            output, _ = split_result(plan.cell, plan.cell(plan.blank_step(), plan.form(plan.state)))
        return output.new_zeros(0, *output.shape)
    width = plan.state[0].shape[-1] if layout is None else layout.output_size
    return plan.state[0].new_zeros(0, plan.batch_size, width)
