"""Floating-point operations of one step of a cell, for one row."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from recurra.loop import unroll
from recurra.loop.fission import width
from recurra.loop.graph import POINTWISE, REDUCTIONS, Graph, Node, ancestors
from recurra.loop.probing import like_weights

_FEW_ROWS, _MORE_ROWS = 2, 4
_FREE = frozenset(["to_real", "to_bool"])
"""Pointwise operations of the graph that compute nothing."""


def count_products(cell: torch.nn.Module, input_size: int) -> int:
    """Return the operations of the products of a step, as ``torch.utils.flop_counter`` counts them in the plain loop.

    They are what one row more costs, so that products of weights with weights do not count.

    Raises:
        UnsupportedCellError: When the cell's initial state cannot be known.
    """
    few, more = (_operations_of(cell, input_size, num_rows) for num_rows in (_FEW_ROWS, _MORE_ROWS))
    return (more - few) // (_MORE_ROWS - _FEW_ROWS)


def _operations_of(cell: torch.nn.Module, input_size: int, num_rows: int) -> int:
    x = like_weights(cell).new_zeros(1, num_rows, input_size)
    with torch.no_grad():
        # a cell that tells no initial state is called to find it, which must not count
        _, state = unroll(cell, x, engine="eager")
        with FlopCounterMode(display=False) as counter:
            unroll(cell, x, state, engine="eager")
    return int(counter.get_total_flops())


def count_elementwise(graph: Graph) -> int:
    """Return the other operations of a step: each number that one gives counts once, a tanh like a sum.

    Biases that are added to a product are among them, and sums along a row with one for each number summed. What is
    made of weights alone is not, since that happens once a call.
    """
    forward = ancestors([graph.output, *graph.new_state])
    return sum(elementwise_work(node) for node in forward)


def elementwise_work(node: Node) -> int:
    """Return the operations, but those of products, that one node takes for one row; none if it has no row."""
    if not node.is_row or node.op in _FREE:
        return 0
    if node.op in POINTWISE or node.op == "addmm":
        return width(node)
    if node.op in REDUCTIONS or node.op == "cumsum":
        return width(node.operands()[0])
    return 0
