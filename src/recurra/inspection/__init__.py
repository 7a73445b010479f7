"""What cells are and cost, what they compute, and what a trained one sees."""

from __future__ import annotations

from recurra.inspection.anatomy.describing import Anatomy, describe_cell
from recurra.inspection.anatomy.text import anatomy_text
from recurra.inspection.cell_table import CellFacts, TableSettings, iter_facts
from recurra.inspection.drawing.folded import folded_svg
from recurra.inspection.drawing.network import Column, Network
from recurra.inspection.drawing.terminal import unfolded_text
from recurra.inspection.drawing.unfolded import unfolded_svg
from recurra.inspection.equations.checking import Check, check_equations
from recurra.inspection.equations.latex import latex_line
from recurra.inspection.equations.look_alikes import look_alikes
from recurra.inspection.equations.plain import plain_line
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Line, Symbol, Term
from recurra.inspection.explanation import Explanation, explain_cell
from recurra.inspection.figures import figure_svg
from recurra.inspection.gates.curve_figure import draw_response_curves, response_curves_text
from recurra.inspection.gates.time_gate_figure import draw_time_gates
from recurra.inspection.gates.time_gates import time_gates_text
from recurra.inspection.pages import Wishes, explain_page
from recurra.inspection.reading.reader import LayerValues, Reading, read_text
from recurra.inspection.reading.state_maps import draw_states
from recurra.inspection.reading.text import reading_text
from recurra.inspection.worked_example import WorkedExample, example_text, work_example

__all__ = [
    "Anatomy",
    "CellFacts",
    "Check",
    "Column",
    "Explanation",
    "LayerValues",
    "Line",
    "Network",
    "Reading",
    "Step",
    "Symbol",
    "TableSettings",
    "Term",
    "Wishes",
    "WorkedExample",
    "anatomy_text",
    "check_equations",
    "describe_cell",
    "draw_response_curves",
    "draw_states",
    "draw_time_gates",
    "example_text",
    "explain_cell",
    "explain_page",
    "figure_svg",
    "folded_svg",
    "iter_facts",
    "latex_line",
    "look_alikes",
    "plain_line",
    "read_text",
    "reading_text",
    "record_step",
    "response_curves_text",
    "time_gates_text",
    "unfolded_svg",
    "unfolded_text",
    "work_example",
]
