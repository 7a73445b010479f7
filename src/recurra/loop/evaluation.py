"""Nodes that torch computes at every call, prepared once: their order, and where each finds its operands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.loop.graph import Node
from recurra.loop.interpret import compute

_aten = torch.ops.aten

_DIRECT: dict[Any, Callable[..., Any]] = {
    _aten.permute.default: torch.permute,
    _aten.mm.default: torch.mm,
    _aten.addmm.default: torch.addmm,
    _aten.sum.dim_IntList: torch.sum,
    _aten.view.default: torch.reshape,
    _aten.reshape.default: torch.reshape,
}
"""torch's own entries, which take a third of the time of the same operation called by its name in aten."""


class Evaluation:
    """Computes some nodes from others.

    Args:
        wanted: What to compute.
        given: What is known at each call; row values over all rows.
    """

    def __init__(self, wanted: Iterable[Node], given: Iterable[Node]) -> None:
        self.wanted = list(wanted)
        self.given = list(given)
        self._places = {node: place for place, node in enumerate(self.given)}
        self._steps: list[Callable[[list[Tensor], int], Tensor]] = []
        for node in self.wanted:
            self._add(node)
        self._results = [self._places[node] for node in self.wanted]

    def run(self, tensors: Iterable[Tensor], batch_size: int) -> list[Tensor]:
        """Return the values of ``wanted``, given those of ``given``."""
        values = list(tensors)
        for step in self._steps:
            values.append(step(values, batch_size))
        return [values[place] for place in self._results]

    def _add(self, node: Node) -> None:
        if node in self._places:
            return
        if node.op == "input":
            raise KeyError(f"the value of input {node.name}")
        for operand in node.operands():
            self._add(operand)
        self._steps.append(self._step(node))
        self._places[node] = len(self._places)

    def _step(self, node: Node) -> Callable[[list[Tensor], int], Tensor]:
        function, arguments = None, node.args
        if node.op == "torch" and not node.args[2]:
            target, arguments, _ = node.args
            function = _DIRECT.get(target, target)
        elif node.op == "permute":
            function = torch.permute
        if function is None or not all(_is_flat(argument) for argument in arguments):
            operands = node.operands()
            places = [self._places[operand] for operand in operands]
            return lambda values, batch_size: compute(
                node, {n: values[p] for n, p in zip(operands, places, strict=True)}, batch_size
            )
        return _call(function, [(self._places[a], None) if isinstance(a, Node) else (-1, a) for a in arguments])


def _is_flat(argument: Any) -> bool:
    return (
        isinstance(argument, Node)
        or not isinstance(argument, tuple | list)
        or not any(isinstance(item, Node) for item in argument)
    )


def _call(function: Callable[..., Any], arguments: Sequence[tuple[int, Any]]) -> Callable[[list[Tensor], int], Tensor]:
    def step(values: list[Tensor], _: int) -> Tensor:
        result: Tensor = function(*[constant if place < 0 else values[place] for place, constant in arguments])
        return result

    return step
