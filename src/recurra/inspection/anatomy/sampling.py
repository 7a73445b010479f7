"""A step of a cell at random numbers in float64: what its graph, its equations and its own code make of them.

What has the same numbers in all rows is the same value, however it is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.inspection.equations.evaluation import evaluate, run_lines
from recurra.inspection.equations.private_copy import double_precision, private_copy
from recurra.inspection.equations.private_copy import tensors_of as weights_of
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Symbol, Term
from recurra.inspection.equations.weight_blocks import weight_values
from recurra.loop.computed_weights import computed_weights, with_computed_weights
from recurra.loop.fingerprint import tensors_of
from recurra.loop.graph import Graph, Node
from recurra.loop.interpret import compute
from recurra.loop.plan import Plan, build_plan

_NUM_ROWS = 12
_SEED = 3
_TOLERANCE = 1e-6
"""Of values that are the same: constants of a graph have the digits of float32."""


@dataclass(frozen=True)
class Sample:
    """What a step is given.

    Attributes:
        plan: A copy of the cell in float64, with random inputs and states.
        weights: What the loop's graph reads beside these, by path.
    """

    plan: Plan
    weights: dict[str, Tensor]


def draw_sample(cell: torch.nn.Module, input_size: int) -> Sample:
    """Return a sample; its parameters are other ones than the cell's, since those that are all 0 or 1 look alike.

    Raises:
        UnsupportedCellError: When the cell cannot be copied, or its initial state cannot be known.
    """
    private = private_copy(cell)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), double_precision():
        torch.manual_seed(_SEED)
        for parameter in private.parameters():
            if parameter.is_floating_point():
                # what is positive remains so
                parameter.mul_(1 + 0.3 * torch.rand_like(parameter)).add_(0.1 * torch.rand_like(parameter))
        with computed_weights(private):
            x = _drawn(torch.empty(_NUM_ROWS, input_size)).unsqueeze(0)
            plan = _plan(private, x, None)
            plan = _plan(private, x, plan.form(tuple(map(_drawn, plan.state))))
            own, _ = with_computed_weights(plan)
            weights = {path: _wide(tensor.detach()) for path, tensor in tensors_of(own.cell).items()}
    return Sample(plan, weights)


def _plan(cell: torch.nn.Module, x: Tensor, state: object) -> Plan:
    return build_plan(cell, x, state, lengths=None, reset=None, reverse=False, initial_state=None)


def _drawn(like: Tensor) -> Tensor:
    found = torch.rand(like.shape, dtype=torch.float64)
    # times and parts of a period are not negative, other things are
    found[_NUM_ROWS // 2 :] = 2 * found[_NUM_ROWS // 2 :] - 1
    return found


def _wide(value: Any) -> Any:
    """Return a tensor in float64, and so each of several; conditions and whole numbers stay."""
    if not isinstance(value, Tensor):
        return [_wide(one) for one in value]
    return value.double() if value.is_floating_point() else value


class Known:
    """Terms, and the numbers that they have in a sample.

    Args:
        found: Each term, and its numbers (rows, ·), or (·,) where they are the same for all rows; of those that are
            alike, the first counts.
    """

    def __init__(self, found: Iterable[tuple[Term, np.ndarray]] = ()) -> None:
        self._found: dict[tuple[int, ...], list[tuple[Term, np.ndarray]]] = {}
        for term, numbers in found:
            self._found.setdefault(numbers.shape, []).append((term, numbers))

    def find(self, numbers: np.ndarray | None) -> Term | None:
        """Return the term with such numbers, if there is one."""
        if numbers is None:
            return None
        return next((term for term, known in self._found.get(numbers.shape, ()) if is_same(known, numbers)), None)


def is_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Say whether two values have the same numbers but for rounding, and any at all."""
    is_close = np.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE * 1e-3, equal_nan=True)
    return is_close and bool(np.isfinite(a).any())


def numbers_of_graph(graph: Graph, sample: Sample, wanted: Iterable[Node]) -> dict[Node, np.ndarray]:
    """Return the numbers of what a graph computes from what a step is given, and of that itself.

    Args:
        graph: The graph.
        sample: What the step is given.
        wanted: What to compute. What is computed from anything else, gradients or random draws, is left out.

    Returns:
        (rows, ·) of each row value, and the tensor as it is of each other one.
    """
    values: dict[Node, Any] = {node: sample.weights[path] for path, node in graph.weights.items()}
    values |= {node: tensor[0] for node, tensor in zip(graph.x, sample.plan.x, strict=True)}
    values |= dict(zip(graph.state, sample.plan.state, strict=True))
    needed = set(wanted)
    for node in graph.nodes:
        is_computed = node in needed and node not in values and node.op not in ("input", "draw")
        if is_computed and all(operand in values for operand in node.operands()):
            values[node] = _wide(compute(node, values, _NUM_ROWS))
    tensors = {node: value.detach().double() for node, value in values.items() if isinstance(value, Tensor)}
    return {
        node: (tensor.reshape(_NUM_ROWS, -1) if node.is_row else tensor).numpy() for node, tensor in tensors.items()
    }


class EquationNumbers:
    """The numbers of terms of a step's equations in a sample.

    Args:
        step: The step.
        sample: What it is given.
    """

    def __init__(self, step: Step, sample: Sample) -> None:
        plan = sample.plan
        self.fixed = weight_values(step, weights_of(plan.cell))
        given = list(zip(step.inputs, (x[0] for x in plan.x), strict=False))
        given += zip(step.entering, plan.state, strict=True)
        columns = [{symbol: tensor[row].numpy().reshape(-1, 1) for symbol, tensor in given} for row in range(_NUM_ROWS)]
        self.rows = [run_lines(step.lines, {**self.fixed, **column}) for column in columns]

    def known(self, terms: Sequence[Term]) -> Known:
        """Return terms with their numbers: those that differ from row to row, and those that do not."""
        return Known((term, self._of(term)) for term in terms)

    def _of(self, term: Term) -> np.ndarray:
        if has_rows(term):
            return np.stack([evaluate(term, row).reshape(-1) for row in self.rows])
        return evaluate(term, self.rows[0]).reshape(-1)


def has_rows(term: Term) -> bool:
    """Say whether a term differs from row to row."""
    return any(is_of_step(symbol) for symbol in term.symbols())


def is_of_step(symbol: Symbol) -> bool:
    """Say whether a symbol is something of a step, and not the same in all of them."""
    return symbol.time is not None
