"""What is known of a step by name: from its equations, or else from the names that its code gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recurra.inspection.anatomy.sampling import EquationNumbers, Known, Sample, draw_sample, has_rows, is_same
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.assembling import input_names
from recurra.inspection.equations.naming import weight_symbols
from recurra.inspection.equations.step import Step, WeightBlock
from recurra.inspection.equations.terms import Symbol, Term
from recurra.inspection.equations.watching import Watcher, run_watched
from recurra.loop import state_names

_PLAIN = frozenset(["name", "number", "add", "neg", "mul", "div", "matmul", "transpose", "stack", "function"])
"""Operations without sizes of their own."""


@dataclass(frozen=True)
class KnownStep:
    """The names of a step, and the numbers behind them in a sample.

    Attributes:
        sample: What the step is given.
        inputs: Its inputs, and what the loop adds to them, such as earlier inputs; ``None`` where that has no name.
        entering: The states of the step before.
        leaving: The new states.
        output: The output.
        weights: What the names of weights stand for.
        lines: What has a line of its own, but for these.
        operands: What is multiplied by a matrix.
        parts: All that stands in a line.
        matrices: What is made of weights alone, and multiplies.
    """

    sample: Sample
    inputs: tuple[Term | None, ...]
    entering: tuple[Symbol, ...]
    leaving: tuple[Symbol, ...]
    output: Symbol
    weights: Mapping[Symbol, WeightBlock]
    lines: Known
    operands: Known
    parts: Known
    matrices: Known


def weight_names(cell: torch.nn.Module, step: Step | None) -> dict[Symbol, WeightBlock]:
    """Return what weights are called in the cell's equations; what is not in them, as it would be."""
    used = dict(step.weights) if step else {}
    constants = {symbol.name.rstrip("′"): symbol for symbol in step.constants} if step else {}
    paths = {block.path for block in used.values()}
    rest = {symbol: block for symbol, block in weight_symbols(cell).items() if block.path not in paths}
    return used | {constants.get(symbol.name, symbol): block for symbol, block in rest.items()}


def know_step(cell: torch.nn.Module, input_size: int, step: Step | None) -> KnownStep:
    """Return what is known of a cell's step by name.

    Args:
        cell: The cell.
        input_size: The width of its input.
        step: Its equations; ``None`` where it has none.

    Raises:
        UnsupportedCellError: When the cell's initial state cannot be known.
    """
    sample = draw_sample(cell, input_size)
    return _of_code(cell, sample) if step is None else _of_equations(cell, sample, step)


def _of_equations(cell: torch.nn.Module, sample: Sample, step: Step) -> KnownStep:
    numbers = EquationNumbers(step, sample)
    inside = list(dict.fromkeys(term for line in step.lines for term in line.term.walk()))
    products = [term for term in inside if term.op == "matmul"]
    targets = [t.name(line.target, line.term.shape) for line in step.lines if line.target.time is not None]
    return KnownStep(
        sample,
        inputs=tuple(_inputs(sample, step)),
        entering=step.entering,
        leaving=step.leaving,
        output=step.output,
        weights=weight_names(cell, step),
        lines=numbers.known(targets),
        operands=numbers.known([term.args[1] for term in products if has_rows(term.args[1])]),
        parts=numbers.known([term for term in inside if has_rows(term)]),
        matrices=numbers.known([term.args[0] for term in products if _is_short(term.args[0])]),
    )


def _is_short(term: Term) -> bool:
    """Say whether a term is made of weights, and reads the same at all sizes."""
    return not has_rows(term) and all(part.op in _PLAIN for part in term.walk())


def _inputs(sample: Sample, step: Step) -> Iterator[Term | None]:
    """Yield what a step's inputs are called; one that the loop adds may be a part of a state."""
    for k, x in enumerate(sample.plan.x):
        if k < len(step.inputs):
            yield t.name(step.inputs[k], (x.shape[-1], 1))
        else:
            yield next(_parts_of_states(x[0].numpy(), sample, step), None)


def _parts_of_states(numbers: np.ndarray, sample: Sample, step: Step) -> Iterator[Term]:
    width = numbers.shape[-1]
    for symbol, state in zip(step.entering, sample.plan.state, strict=True):
        total = state.shape[-1]
        for start in range(total - width + 1):
            if is_same(state.numpy()[:, start : start + width], numbers):
                yield t.cut(t.name(symbol, (total, 1)), 0, start, start + width)


def _of_code(cell: torch.nn.Module, sample: Sample) -> KnownStep:
    states = state_names(cell, len(sample.plan.state))
    inputs = input_names(cell, len(sample.plan.x))
    leaving = tuple(Symbol(name, 0) for name in states)
    values = Known(_bound(sample, {*states, *inputs}))
    return KnownStep(
        sample,
        inputs=tuple(t.name(Symbol(name, 0), (1, 1)) for name in inputs),
        entering=tuple(Symbol(name, -1) for name in states),
        leaving=leaving,
        output=Symbol("y", 0) if getattr(cell, "returns_output", False) else leaving[0],
        weights=weight_names(cell, None),
        lines=values,
        operands=Known(),
        parts=values,
        matrices=Known(),
    )


def _bound(sample: Sample, taken: set[str]) -> Iterator[tuple[Term, np.ndarray]]:
    """Yield what ``forward`` gives names to: each with a number where one name stands for several values in turn."""
    groups: dict[str, list[np.ndarray]] = defaultdict(list)
    for name, numbers in _bindings(sample):
        if not any(is_same(known, numbers) for known in groups[name] if known.shape == numbers.shape):
            groups[name].append(numbers)
    for name, group in groups.items():
        is_single = len(group) == 1 and name not in taken
        for version, numbers in enumerate(group, 1):
            yield t.name(Symbol(name, 0, 0 if is_single else version), (1, 1)), numbers


def _bindings(sample: Sample) -> Sequence[tuple[str, np.ndarray]]:
    """Return all names with what they are given; none of a cell that runs in its own type only, not in float64."""
    plan = sample.plan
    watcher = Watcher(type(plan.cell).forward)
    given = [tensor.clone() for tensor in plan.state]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), watcher.watching():
            run_watched(plan.cell, plan.step(0), plan.form(tuple(given)))
    except Exception:  # a cell may fail in any way
        return []
    known = {id(tensor) for tensor in given}
    rows = plan.batch_size
    return [
        (binding.name, binding.tensor.double().reshape(rows, -1).numpy())
        for binding in watcher.bindings
        if binding.is_in_forward and not binding.is_part and id(binding.tensor) not in known
        if binding.tensor.dim() > 1 and binding.tensor.shape[0] == rows
    ]
