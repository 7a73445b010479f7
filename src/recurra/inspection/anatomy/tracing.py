"""The step of a cell as the native engine sees it, without its machine code."""

from __future__ import annotations

import torch

from recurra.errors import UnsupportedCellError
from recurra.loop.computed_weights import computed_weights, with_computed_weights
from recurra.loop.fingerprint import tensors_of
from recurra.loop.graph import POINTWISE, Graph
from recurra.loop.obstacles import find_hooks, find_obstacle_in_tensors
from recurra.loop.parametrized import step_modules
from recurra.loop.plan import Plan, build_plan
from recurra.loop.probing import like_weights


def trace(cell: torch.nn.Module, input_size: int) -> Graph:
    """Return the graph of a step and of its derivative by everything that can be differentiated.

    Raises:
        UnsupportedCellError: When the native engine cannot run the cell; the operation and its line are named.
    """
    from recurra.loop.trace import trace_step  # torch's tracer is slow to import

    x = like_weights(cell).new_zeros(1, 2, input_size)
    # what it draws, as a call does, is not taken from the calls to come
    with torch.enable_grad(), torch.random.fork_rng([]), computed_weights(cell):
        plan = build_plan(cell, x, None, lengths=None, reset=None, reverse=False, initial_state=None)
        own, _ = with_computed_weights(plan)
        tensors = tensors_of(own.cell)
        _check_obstacles(own, [tensor for tensor in tensors.values() if tensor.is_floating_point()])
        graph = trace_step(
            own.cell,
            tuple(x[0] for x in own.x),
            own.is_tuple,
            own.state,
            own.is_bare,
            wanted=frozenset(path for path, tensor in tensors.items() if tensor.requires_grad),
            wants_x=(True,) * len(own.x),
            wants_state=True,
            derivative=True,
        )
    _check_known(graph)
    return graph


def _check_obstacles(plan: Plan, weights: list[torch.Tensor]) -> None:
    dtype = plan.x[0].dtype
    obstacle = find_obstacle_in_tensors(plan, weights) or find_hooks(step_modules(plan.cell))
    if not obstacle and dtype not in (torch.float32, torch.float64):
        obstacle = f"its tensors are {dtype}, and compiled code is for float32 and float64"
    if obstacle:
        raise UnsupportedCellError(f"engine 'native' cannot run {type(plan.cell).__name__}: {obstacle}")


def _check_known(graph: Graph) -> None:
    from recurra.loop.llvm.emit import is_known  # LLVM is loaded by who uses it

    for node in graph.nodes:
        if node.is_row and node.op in POINTWISE and not is_known(node.op):
            raise UnsupportedCellError(f"the native engine does not know the operation {node.op}, at {node.line}")
