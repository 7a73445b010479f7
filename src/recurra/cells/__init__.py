"""Cells: one step of a recurrence each, as equations.

A cell is one file and one class; lists, checks and layers follow from the class.
"""

from __future__ import annotations

from recurra.cells.cell import Cell, State
from recurra.cells.elman import ElmanCell, ElmanReLUCell
from recurra.cells.gates import Init, init_names
from recurra.cells.gru import GRUCell
from recurra.cells.lstm import LSTMCell
from recurra.cells.projected_lstm import ProjectedLSTMCell
from recurra.cells.registry import cell_names, find_cell, register

__all__ = [
    "Cell",
    "ElmanCell",
    "ElmanReLUCell",
    "GRUCell",
    "Init",
    "LSTMCell",
    "ProjectedLSTMCell",
    "State",
    "cell_names",
    "find_cell",
    "init_names",
    "register",
]
