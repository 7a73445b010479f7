"""The compiler's form of a step: a list of nodes, few kinds of them, each row of the batch for itself.

A size of a shape is a number, or ``Rows(k)``: k times the batch size. A node with such a size is a *row value*; any
other is *batch-free*, as a weight is. These are the operations, with the arguments that follow the operands in ``args``
(numbers may stand where an operand of a pointwise operation does; operands broadcast as in torch):

    leaves      input                 full value                       draw name of DRAWS, its parameters
    pointwise   the names in POINTWISE
    views       permute axes    reshape    expand    slice axis, start, step    select axis, index    flip axes
    pieces      cat: (nodes), axis
    along axes  sum axes, keepdim    amax, amin, prod likewise         cumsum axis
    products    mm a, b               addmm bias, a, b                 a of row values, bias and b batch-free
    torch       target, args, kwargs: run by torch as it stands; only where the result is batch-free

``reshape`` and ``expand`` go to the node's own shape. A size ``Rows(k)`` with k > 1 has the batch outermost: it counts
k places of row 0, then k of row 1. Axes are not negative. A ``draw`` is a random operation: one call draws all steps.
A ``torch`` node over row values is a sum over the batch, and therefore over the steps too when it is given all of them.
What any of this means in numbers is in ``interpret.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Rows:
    """A size that is ``multiple`` times the batch size."""

    multiple: int = 1


Size = int | Rows


def words(*lines: str) -> list[str]:
    """Return the words of some lines: the way in which long lists of names are written here."""
    return " ".join(lines).split()


UNARY = words(
    "neg abs sign exp expm1 log log1p sqrt rsqrt reciprocal sin cos tanh sigmoid erf relu",
    "floor ceil round trunc not isnan to_real to_bool",
)
BINARY = words("add sub mul div pow minimum maximum remainder fmod eq ne lt le gt ge and or xor")
POINTWISE = frozenset([*UNARY, *BINARY, "where"])
"""``pow`` has a number as its second operand; ``where`` is (condition, yes, no); ``to_real``, ``to_bool`` convert."""
VIEWS = frozenset(["permute", "reshape", "expand", "slice", "select", "flip"])
REDUCTIONS = frozenset(["sum", "amax", "amin", "prod"])
PRODUCTS = frozenset(["mm", "addmm"])
DRAWS = frozenset(["uniform", "normal", "bernoulli"])
"""In [0, 1); with mean 0 and variance 1; 1 with the probability that is the parameter, else 0."""


@dataclass(eq=False)
class Node:
    """One value of the step.

    Attributes:
        op: Name of the operation.
        args: Operands and constants.
        shape: Sizes.
        dtype: The cell's floating-point type, or bool; batch-free nodes may be of any.
        name: Unique in its graph; of an input, the name of its tensor.
        line: Where it comes from in the cell, ``file:line: text``; empty if not known.
    """

    op: str
    args: tuple[Any, ...]
    shape: tuple[Size, ...]
    dtype: torch.dtype
    name: str
    line: str = ""

    @property
    def is_row(self) -> bool:
        """Whether the value has a batch axis."""
        return any(isinstance(size, Rows) for size in self.shape)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The sizes without the batch: ``Rows(k)`` counts as k."""
        return tuple(size.multiple if isinstance(size, Rows) else size for size in self.shape)

    def operands(self) -> list[Node]:
        """Return the nodes among the arguments, in order."""
        return list(nodes_in(self.args))

    def __repr__(self) -> str:
        value = f"{self.name} ({', '.join(map(_brief, self.shape))})"
        return value if self.op == "input" else f"{value} = {self.op}({', '.join(map(_brief, self.args))})"


def _brief(value: Any) -> str:
    """Show a node by its name: all that it is made of would fill pages."""
    if isinstance(value, Node):
        return value.name
    if isinstance(value, Rows):
        return "B" if value.multiple == 1 else f"{value.multiple}B"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_brief, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}={_brief(item)}' for name, item in value.items())}}}"
    return str(value)


def nodes_in(value: Any) -> Iterator[Node]:
    """Yield the nodes in an argument, in order, however deep they stand in lists and dictionaries."""
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from nodes_in(item)
    elif isinstance(value, dict):
        yield from nodes_in(tuple(value.values()))


def ancestors(roots: Iterable[Node]) -> set[Node]:
    """Return the nodes that ``roots`` are computed from, and these themselves."""
    found: set[Node] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(node.operands())
    return found


@dataclass
class Graph:
    """A step and its derivative.

    Attributes:
        nodes: All nodes in an order in which they can be computed, without those that nothing needs.
        weights: Inputs that are not of the step, by the path of their tensor in the cell: parameters, buffers, tensor
            attributes.
        x: The step's inputs, (B, ·) each.
        state: The states entering, (B, ·) each.
        d_output: The incoming gradient of the output; ``None`` where the graph has no derivative.
        d_new_state: The incoming gradients of the new states.
        output: The step's output.
        new_state: The states leaving.
        d_x: The gradients of the inputs; ``None`` where none is wanted or it is zero everywhere.
        d_state: The gradients of the states, likewise.
        d_weights: The gradients of the weights that want one and do not have zero, by path.
    """

    nodes: list[Node]
    weights: dict[str, Node]
    x: list[Node]
    state: list[Node]
    output: Node
    new_state: list[Node]
    d_output: Node | None = None
    d_new_state: list[Node] = field(default_factory=list)
    d_x: list[Node | None] = field(default_factory=list)
    d_state: list[Node | None] = field(default_factory=list)
    d_weights: dict[str, Node] = field(default_factory=dict)
