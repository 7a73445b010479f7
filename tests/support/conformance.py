"""What the conformance tests of the cells share: a cell with weights that leave nothing out, its inputs and states."""

from __future__ import annotations

import torch

from recurra.cells import find_cell
from recurra.cells.torch_cell import TorchCell

INPUT, HIDDEN, BATCH, TIME = 3, 5, 4, 6
D = torch.float64


def build(name, input_size=INPUT, hidden_size=HIDDEN, **options):
    """Build a cell in float64, and move every parameter away from where it starts.

    A peephole that starts at zero, or recurrent weights that do, would hide a wrong equation.
    """
    torch.manual_seed(7)
    cell = find_cell(name)(input_size, hidden_size, dtype=D, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return cell


def tensors(state):
    """Return the states as a tuple."""
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def in_form(cell, state):
    """Return a tuple of states in the form in which the cell takes it."""
    return state if len(cell.states) > 1 else state[0]


def random_state(cell, batch_size=BATCH):
    """Draw a state: a step's number t is 3, a normaliser n is positive, a phase psi in [0, 1), all else about 0.5 wide.

    Each unit's phase is another, so that none lies on a kink of its time gate, nor within a finite difference of one.
    """
    drawn = []
    for name, width in zip(cell.states, cell.state_size, strict=True):
        values = torch.randn(batch_size, width, dtype=D) / 2
        if name == "t":
            values = torch.full_like(values, 3.0)
        if name == "psi":
            values = torch.rand_like(values)
        drawn.append(values.abs() + 0.5 if name == "n" else values)
    return in_form(cell, tuple(drawn))


def random_input(time=TIME, batch_size=BATCH, input_size=INPUT):
    """Draw an input (time, batch_size, input_size)."""
    return torch.randn(time, batch_size, input_size, dtype=D)


def engines(cell):
    """Name the engines that run a cell."""
    return ("eager", "native", "torch") if isinstance(cell, TorchCell) else ("eager", "native")
