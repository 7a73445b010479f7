"""From wishes to an explanation, in the form that is wanted."""

from __future__ import annotations

import inspect
import json
from typing import Any

import torch

from recurra.cells import Cell, find_reference
from recurra.errors import ArgumentError, ChoiceError, RecurraError
from recurra.inspection.anatomy.describing import Anatomy, describe_cell
from recurra.inspection.contract import assumes_state, build_cell
from recurra.inspection.drawing.network import Network
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.explanation import Explanation, explain_cell
from recurra.inspection.gates.curves import gate_curves
from recurra.inspection.gates.time_gates import read_rhythms
from recurra.inspection.pages.page import PARTS, Page
from recurra.inspection.pages.wishes import Wishes
from recurra.inspection.worked_example.example import WorkedExample
from recurra.inspection.worked_example.working import work_example

FORMATS = ("text", "latex", "html", "svg")
_INPUT_SIZE, _HIDDEN_SIZE, _UNFOLDED = 3, 4, 3
_EXAMPLE_SIZES = ((3, 2), (3, 4))
"""Input and hidden sizes to try for the example of a page; they differ, since some cells have less weights if not."""
_EXAMPLE_INPUTS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
_EXAMPLE_TARGETS = (0, 1)


def explain_page(target: str | type[torch.nn.Module], form: str = "text", wishes: Wishes | None = None) -> str:
    """Explain a cell: equations, derivative, sizes, drawings, a worked example and its gates.

    Args:
        target: A registered name, ``"module:Class"``, or a class.
        form: "text", "latex" (a document), "html" (a page that stands alone) or "svg" (one drawing).
        wishes: What is wanted. Of a text or a LaTeX document, only the parts that are asked for, if any are.

    Returns:
        The text of the explanation.

    Raises:
        ChoiceError: When the cell, the format or a name in the wishes is unknown.
        ArgumentError: When the class is no cell, or something does not fit it.
        UnsupportedCellError: When an operation of the cell has no mathematical form.
    """
    if form not in FORMATS:
        raise ChoiceError("format", form, FORMATS)
    wished = wishes or Wishes()
    page = build_page(target, form, wished)
    if form == "html":
        from recurra.inspection.pages.html_page import html_page

        return html_page(page)
    if form == "latex":
        from recurra.inspection.pages.latex_document import latex_document

        return latex_document(page)
    if form == "svg":
        return _drawing(page)
    from recurra.inspection.pages.text_page import text_page

    return "\n".join(text_page(page, wished.width))


def build_page(target: str | type[torch.nn.Module], form: str, wishes: Wishes) -> Page:
    """Gather all that an explanation shows."""
    name = target if isinstance(target, str) else target.__name__
    parts = _parts(form, wishes)
    if wishes.init is not None and "example" not in parts:
        raise ArgumentError("explain expected inputs with init, got none", hint="--inputs '[[1,0,0],[0,1,0]]'")
    cell = _build(target, wishes, *_sizes(wishes))
    explanation = explain_cell(
        cell, name=name, input_size=_input_sizes(wishes), every_assignment=wishes.every_assignment
    )
    has_time_gates = _can(read_rhythms, cell)
    has_gates = has_time_gates or _can(gate_curves, cell, explanation.step)
    if wishes.gate and not has_gates:
        gate_curves(cell, explanation.step)  # says what is missing
    example = _example(target, form, wishes, explanation) if "example" in parts else None
    return Page(
        name=name,
        options=tuple(f"{key}={json.dumps(value)}" for key, value in wishes.cell_options.items()),
        summary=_summary(cell),
        reference=_reference(cell),
        parts=tuple(part for part in parts if part != "gates" or has_gates),
        explanation=explanation,
        anatomy=_anatomy(target, wishes, explanation) if "anatomy" in parts else None,
        network=_network(explanation, wishes),
        is_folded=wishes.fold or wishes.unfold is None,
        is_unfolded=wishes.unfold is not None or not wishes.fold,
        example=example,
        has_gates=has_gates,
        has_time_gates=has_time_gates,
        notes=tuple(_notes(explanation, wishes)),
        digits=wishes.digits,
    )


def _parts(form: str, wishes: Wishes) -> tuple[str, ...]:
    """Return what is shown: of a page everything, else what is asked for, or what needs no further word."""
    if form == "html":
        return PARTS
    if wishes.fold and form == "text":
        raise ArgumentError(
            "explain expected fold with the format svg, latex or html, got text",
            hint="--format svg, or --output net.svg; unfolded, a network can be drawn in characters",
        )
    asked = {
        "network": wishes.unfold is not None or wishes.fold,
        "example": wishes.inputs is not None,
        "gates": wishes.gate,
    }
    if not any(asked.values()):
        if form == "svg":
            raise ArgumentError(
                "explain expected one drawing to be asked for with the format svg, got none",
                hint="ask for --unfold 3, --fold or --gate",
            )
        return tuple(part for part in PARTS if part not in ("example", "gates"))
    return tuple(part for part in PARTS if asked.get(part))


def _sizes(wishes: Wishes) -> tuple[int, int]:
    width = wishes.input_size
    if width is None and wishes.inputs is not None:
        width = next(iter(_widths_of(wishes.inputs)), None)
    return width or _INPUT_SIZE, wishes.hidden_size or _HIDDEN_SIZE


def _input_sizes(wishes: Wishes) -> tuple[int, ...]:
    """Return the width of each input of a step: of x, and of what else the steps of ``inputs`` hold."""
    return (_sizes(wishes)[0], *(_widths_of(wishes.inputs)[1:] if wishes.inputs is not None else ()))


def _widths_of(inputs: Any) -> tuple[int, ...]:
    """Return the widths in the first step; none where it holds no numbers, and whoever reads it says so."""
    first = inputs[0] if isinstance(inputs, list | tuple) and inputs else None
    if not isinstance(first, list | tuple) or not first:
        return ()
    if not isinstance(first[0], list | tuple):
        return (len(first),)
    return tuple(len(part) for part in first if isinstance(part, list | tuple) and part)


def _build(target: Any, wishes: Wishes, input_size: int, hidden_size: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(wishes.seed)
        cell = build_cell(target, wishes.cell_options, input_size, hidden_size)
    return cell.train(not wishes.evaluation)


def _anatomy(target: Any, wishes: Wishes, explanation: Explanation) -> Anatomy:
    return describe_cell(target, wishes.cell_options, *_sizes(wishes), step=explanation.step)


def _can(read: Any, *given: Any) -> bool:
    try:
        read(*given)
    except ArgumentError:
        return False
    return True


def _example(target: Any, form: str, wishes: Wishes, explanation: Explanation) -> WorkedExample:
    def work(explained: Explanation, inputs: Any, targets: Any, output_size: int | None) -> WorkedExample:
        return work_example(
            explained.cell, explained.step, inputs, targets, output_size=output_size, init=wishes.init,
            loss=wishes.loss, form=_example_form(wishes), max_steps=wishes.max_steps,
        )  # fmt: skip

    if wishes.inputs is not None and wishes.form not in ("many-to-many", "many-to-one"):
        raise ArgumentError(f"explain expected inputs with the form many-to-many or many-to-one, got {wishes.form}")
    if wishes.inputs is not None:
        return work(explanation, wishes.inputs, wishes.targets, wishes.output_size)
    small = _small(target, wishes, explanation)
    width = small.step.shapes[small.step.inputs[0]][0]
    inputs = [list((*step, *([0.0] * width))[:width]) for step in _EXAMPLE_INPUTS]
    targets = _EXAMPLE_TARGETS if _example_form(wishes) == "many-to-many" else _EXAMPLE_TARGETS[-1:]
    return work(small, inputs, list(targets), wishes.output_size or 2)


def _example_form(wishes: Wishes) -> str:
    return "many-to-one" if wishes.form == "many-to-one" else "many-to-many"


def _small(target: Any, wishes: Wishes, explanation: Explanation) -> Explanation:
    """Return the cell at the smallest size it takes, unless sizes were asked for."""
    if wishes.input_size is not None or wishes.hidden_size is not None:
        return explanation
    for sizes in _EXAMPLE_SIZES:
        try:
            cell = _build(target, wishes, *sizes)
        except RecurraError:
            continue
        return explain_cell(cell, name=explanation.name, input_size=sizes[0], every_assignment=wishes.every_assignment)
    return explanation


def _network(explanation: Explanation, wishes: Wishes) -> Network:
    step = explanation.step
    names = tuple(symbol.name for symbol in step.entering)
    steps = wishes.unfold if wishes.unfold is not None else (1 if wishes.form == "one-to-one" else _UNFOLDED)
    return Network(
        cell=_short_name(type(explanation.cell).__name__),
        states=names,
        input=step.inputs[0].name,
        form=wishes.form,
        num_layers=wishes.num_layers,
        bidirectional=wishes.bidirectional,
        num_steps=steps,
        recurrent=_multiplied(step),
    )


def _multiplied(step: Step) -> tuple[str, ...]:
    """Return the states that stand in a product with a weight, as they are, in a function, or beside other things."""
    lines = {line.target: line.term for line in step.lines}
    found: set[Symbol] = set()
    for line in step.lines:
        for term in line.term.walk():
            if term.op == "matmul":
                for symbol in term.args[1].symbols():
                    made_of = lines.get(symbol)
                    is_put_together = made_of is not None and made_of.op in ("stack", "name", "cut", "mul")
                    found.update(made_of.symbols() if made_of is not None and is_put_together else (symbol,))
    return tuple(symbol.name for symbol in step.entering if symbol in found)


def _short_name(class_name: str) -> str:
    return class_name.removesuffix("Cell") or class_name


def _summary(cell: torch.nn.Module) -> str:
    """Return the first paragraph of the class's own docstring, in one line."""
    own = type(cell).__doc__ or ""
    return " ".join(inspect.cleandoc(own).split("\n\n")[0].split())


def _reference(cell: torch.nn.Module) -> str:
    if not isinstance(cell, Cell) or not cell.source:
        return ""
    try:
        return find_reference(cell.source).short()
    except ChoiceError:  # a cell from elsewhere cites in its own way
        return cell.source


def _notes(explanation: Explanation, wishes: Wishes) -> list[str]:
    mode = "evaluation" if wishes.evaluation else "training"
    check = explanation.check
    notes = [
        f"Equations are for one row of a batch, in {mode} mode; vectors are columns.",
        f"Checked: what is printed was parsed, evaluated in float64 and compared with the cell and with autograd at "
        f"random inputs; the largest relative differences are {check.forward:.0e} and {check.backward:.0e}.",
    ]
    if assumes_state(explanation.cell):
        notes.append("The class tells no first state: it is taken to be zeros, one tensor of width n.")
    if explanation.step.defaults:
        left = ", ".join(f"{name} = {value!r}" for name, value in explanation.step.defaults.items())
        notes.append(f"Further arguments of forward are left at their defaults: {left}.")
    if any(
        term.op in ("cut", "pick", "zeros", "ones", "repeat")
        for line in (*explanation.forward, *explanation.backward)
        for term in line.term.walk()
    ):
        d, n = _sizes(wishes)
        notes.append(f"Rows that are cut out are counted at d = {d}, n = {n}.")
    return notes


def _drawing(page: Page) -> str:
    asked = [
        page.is_folded and "network" in page.parts,
        page.is_unfolded and "network" in page.parts,
        "gates" in page.parts,
    ]
    if sum(asked) != 1:
        raise ArgumentError(
            "explain expected one drawing to be asked for with the format svg, got several",
            hint="ask for one of --unfold, --fold and --gate, or for --format html",
        )
    if "gates" in page.parts:
        from recurra.inspection.figures import figure_svg
        from recurra.inspection.gates.curve_figure import draw_response_curves
        from recurra.inspection.gates.time_gate_figure import draw_time_gates

        figure = (
            draw_time_gates(page.explanation.cell)
            if page.has_time_gates
            else draw_response_curves(page.explanation.cell, page.explanation.step)
        )
        return figure_svg(figure)
    from recurra.inspection.drawing.folded import folded_svg
    from recurra.inspection.drawing.unfolded import unfolded_svg

    return folded_svg(page.network) if page.is_folded else unfolded_svg(page.network)
