"""What to call the values of a traced step, as its equations do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recurra.inspection.anatomy.known_step import KnownStep
from recurra.inspection.equations.plain import plain, plain_symbol
from recurra.loop.graph import VIEWS, Graph, Node, ancestors

_SIGNS = {"mul": " ⊙ ", "add": " + ", "sub": " − ", "div": " / "}
_FUNCTIONS = {"sigmoid": "σ", "tanh": "tanh", "relu": "relu", "exp": "exp"}
_DEPTH = 3
"""Operations inside each other up to which a value is written out."""


class ValueNames:
    """Names of the row values of a graph, in the order of their computation.

    Args:
        graph: A step.
        known: What is known of it by name.
        numbers: What its values are in a sample.
    """

    def __init__(self, graph: Graph, known: KnownStep, numbers: Mapping[Node, np.ndarray]) -> None:
        self.known, self.numbers = known, numbers
        self.names: dict[Node, str] = {}
        forward = ancestors([graph.output, *graph.new_state])
        for node in graph.nodes:
            # where numbers only change places nothing is computed
            is_value = node in forward and node.is_row and node.op not in VIEWS
            term = known.lines.find(numbers.get(node)) if is_value else None
            if term is not None:
                self.names[node] = plain(term)
        self.names[graph.output] = plain_symbol(known.output)
        self.names |= dict(zip(graph.new_state, map(plain_symbol, known.leaving), strict=True))
        self.names |= dict(zip(graph.state, map(plain_symbol, known.entering), strict=True))
        self.names |= {node: plain(term) for node, term in zip(graph.x, known.inputs, strict=True) if term is not None}

    def expression(self, node: Node) -> str:
        """Return what the equations multiply, or what a value is made of by names; else the line that it is from."""
        term = self.known.operands.find(self.numbers.get(node))
        text = plain(term) if term is not None else self._written(node, _DEPTH)
        if text:
            return grouped(text)
        line = node.line.partition(": ")[2]
        return f"(a value in {line!r})" if line else "(a value without a name)"

    def _written(self, node: Node, depth: int) -> str:
        if node in self.names:
            return self.names[node]
        term = self.known.parts.find(self.numbers.get(node))
        if term is not None:
            return plain(term)
        if not depth:
            return ""
        if node.op in ("reshape", "expand"):
            return self._written(node.operands()[0], depth)
        pieces = node.args[0] if node.op == "cat" else node.args
        parts = [self._part(piece, depth - 1) for piece in pieces]
        if not all(parts):
            return ""
        if node.op == "cat":
            return f"[{'; '.join(parts)}]"
        if node.op in _SIGNS:
            return _SIGNS[node.op].join(map(grouped, parts))
        return f"{_FUNCTIONS[node.op]}({parts[0]})" if node.op in _FUNCTIONS else ""

    def _part(self, arg: object, depth: int) -> str:
        if isinstance(arg, Node):
            return self._written(arg, depth) if arg.is_row else ""
        return f"{arg:g}" if isinstance(arg, int | float) else ""


def grouped(text: str) -> str:
    """Return what stands beside other things in a product: in parentheses if it is more than one thing.

    Example:
        >>> grouped("rₜ ⊙ hₜ₋₁"), grouped("[xₜ; pₜ₋₁]")
        ('(rₜ ⊙ hₜ₋₁)', '[xₜ; pₜ₋₁]')
    """
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if not depth and character in " −":
            return f"({text})"
    return text
