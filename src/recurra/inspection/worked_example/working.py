"""The exercise of a course, worked for any cell: a short sequence forward, and backward through time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from recurra.cells.checks import check_number
from recurra.inspection.equations.derivative import differentiate
from recurra.inspection.equations.preactivations import name_preactivations
from recurra.inspection.equations.private_copy import double_precision, tensors_of
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Shape, Symbol
from recurra.inspection.equations.weight_blocks import weight_values
from recurra.inspection.worked_example.arguments import MAX_STEPS, WHO, Targets, read_inputs, read_targets
from recurra.inspection.worked_example.autograd_check import check_example
from recurra.inspection.worked_example.backward_pass import (
    Backward,
    add_first_states,
    backward_pass,
    totals_section,
)
from recurra.inspection.worked_example.example import Row, Section, WorkedExample
from recurra.inspection.worked_example.first_states import FirstStates, find_first_states
from recurra.inspection.worked_example.forward_pass import Model, forward_pass, loss_section
from recurra.inspection.worked_example.notes import notes
from recurra.inspection.worked_example.readout import Readout, build_readout
from recurra.inspection.worked_example.setup import DECIMALS, SEED, prepare_cell
from recurra.inspection.worked_example.symbols import Value, Values, given


def work_example(
    cell: torch.nn.Module,
    step: Step,
    inputs: Any,
    targets: Any = None,
    *,
    output_size: int | None = None,
    init: float | None = None,
    loss: str = "auto",
    form: str = "many-to-many",
    max_steps: int = MAX_STEPS,
) -> WorkedExample:
    """Work a sequence through by hand: every quantity of every step, then every gradient back through time.

    Behind the cell comes an output layer y = W_y h + b_y. Classes get a softmax and the cross-entropy -log p of their
    probability, other targets half the sum of the squared errors; the loss is the sum over the steps. The result is
    compared with torch's autograd on the cell itself.

    Args:
        cell: The cell; it stays as it is.
        step: Its equations, as ``record_step(cell)`` gives them.
        inputs: One list of input_size numbers a step; of a cell with several inputs, one such list an input.
        targets: One a step, or with "many-to-one" one for the last step: a class counted from 0, or a list of
            numbers. ``None`` is the forward pass of the cell alone.
        output_size: Width of the output layer; ``None`` is what the targets need, and at least two classes.
        init: What every parameter is set to; the second bias of a gate is then 0. ``None`` takes the cell's own,
            rounded to two decimals, and draws the output layer's.
        loss: "cross-entropy", "squared-error", or "auto" for what the targets ask for.
        form: "many-to-many" or "many-to-one".
        max_steps: Steps that are allowed, since all are printed.

    Raises:
        ArgumentError: When inputs or targets do not fit.
        ChoiceError: When the form or the loss is unknown.
        UnsupportedCellError: When the equations do not give what the cell computes.

    Source: the forward and backward pass of a recurrent network by hand, as courses set it.
    """
    if init is not None:
        init = check_number(WHO, "init", init)
    columns = _read_inputs(step, inputs, max_steps)
    wanted = None if targets is None else read_targets(targets, len(columns), form, loss, output_size)
    prepared = prepare_cell(cell, step, init)
    model = _build_model(prepared, step, wanted, init)
    with double_precision():
        start = find_first_states(prepared, step, columns[0], {symbol.name for symbol in model.symbols()})
        return _worked(model, prepared, columns, start, tuple(notes(model, start, init, form)))


def _worked(
    model: Model,
    cell: torch.nn.Module,
    columns: Sequence[Sequence[np.ndarray]],
    start: FirstStates,
    told: tuple[str, ...],
) -> WorkedExample:
    """Work out what is asked, and compare it with the cell."""
    sections, known = forward_pass(model, columns, start.values)
    backward, total, totals = None, None, None
    if model.readout is not None:
        last, total = loss_section(model, known)
        sections = (*sections, last)
        backward = _through_time(model, known)
        add_first_states(backward, start, model.step.entering)
        totals = totals_section(model.write, backward, start, model.weights)
    return WorkedExample(
        who=model.step.who,
        num_steps=len(columns),
        notes=told,
        start=_start(model, start),
        forward=sections,
        backward=() if backward is None else tuple(backward.sections),
        totals=totals,
        loss=total,
        gradients={} if backward is None else backward.gradients,
        check=check_example(model, cell, columns, start, known, backward),
    )


def _read_inputs(step: Step, inputs: Any, max_steps: int) -> tuple[tuple[np.ndarray, ...], ...]:
    names = [symbol.name for symbol in step.inputs]
    return read_inputs(inputs, names, [step.shapes[symbol][0] for symbol in step.inputs], max_steps)


def _build_model(cell: torch.nn.Module, step: Step, targets: Targets | None, init: float | None) -> Model:
    lines = name_preactivations(step.lines)
    numbers = weight_values(step, tensors_of(cell))
    values = {symbol: given(numbers[symbol]) for symbol in (*step.constants, *_read_weights(step))}
    model = Model(step, lines, None, targets, values)
    if targets is None:
        return model
    width, output_size = step.shapes[step.output][0], len(targets.columns[0])
    taken = {symbol.name for symbol in model.symbols()}
    readout = build_readout(step.output, width, output_size, targets.loss, taken)
    return replace(model, readout=readout, weights=values | _readout_values(readout, width, init))


def _read_weights(step: Step) -> tuple[Symbol, ...]:
    """Return the weights that the lines read, in the order in which the cell has them."""
    read = {symbol for line in step.lines for symbol in line.term.symbols()}
    return tuple(symbol for symbol in step.weights if symbol in read)


def _readout_values(readout: Readout, width: int, init: float | None) -> dict[Symbol, Value]:
    """Return the output layer's weights: one number, or drawn as torch's linear layers are, and rounded."""
    generator = np.random.default_rng(SEED)
    bound = width**-0.5

    def fill(shape: Shape) -> np.ndarray:
        return generator.uniform(-bound, bound, shape).round(DECIMALS) if init is None else np.full(shape, init)

    return {symbol: given(fill(shape)) for symbol, shape in readout.shapes.items()}


def _through_time(model: Model, known: Sequence[Values]) -> Backward:
    step, readout = model.step, model.readout
    assert readout is not None
    trained = tuple(symbol for symbol in _read_weights(step) if step.weights[symbol].is_parameter)
    outputs = tuple(dict.fromkeys((*step.leaving, step.output)))
    lines = differentiate(model.lines, outputs, (*step.inputs, *step.entering, *trained), step.shapes)
    return backward_pass(model, lines, (*trained, readout.weight, readout.bias), known)


def _start(model: Model, start: FirstStates) -> Section:
    numbers = {**model.weights, **start.numbers()}
    rows: list[Row] = [model.write.of_value(symbol, value, None) for symbol, value in numbers.items()]
    # the states before the first step are those of step 0
    rows += [model.write.of_value(s, value, 1) for s, value in zip(model.step.entering, start.values, strict=True)]
    return Section("Weights and first states", None, tuple(rows))
