"""Products cut so that their parts can run in different places, and turned so that their results lie as they are used.

A cell may multiply input and state in one: ``cat((x, h)) @ W``. Cut in two, the input's part runs before the loop; and
of the gradient's product, whose columns are then taken apart, the input's columns run after it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import torch

from recurra.loop.graph import Graph, Node, ancestors

_aten = torch.ops.aten


def cut_products(graph: Graph) -> Graph:
    """Return the graph with products over pieces, and products of which pieces are taken, cut into several."""
    return _Cutter(graph).run()


class _Cutter:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.replaced: dict[Node, Node] = {}
        self.on_state = set(graph.state)
        self.users: dict[Node, list[Node]] = {}
        for node in graph.nodes:
            if any(operand in self.on_state for operand in node.operands()):
                self.on_state.add(node)
            for operand in node.operands():
                self.users.setdefault(operand, []).append(node)
        roots = [graph.output, *graph.new_state, *graph.d_x, *graph.d_state, *graph.d_weights.values()]
        self.roots = {node for node in roots if node is not None}

    def run(self) -> Graph:
        for node in self.graph.nodes:
            product = self._transposed_product(node)
            if node.op in ("mm", "addmm") and self._is_mixed(node.operands()[-2]):
                self.replaced[node] = self._product_by_pieces(node)
            elif node.op == "slice" and self._is_taken_apart(node.args[0]):
                self.replaced[node] = self._columns(node)
            elif product is not None:
                self.replaced[node] = product
            else:
                self.nodes.append(self._renewed(node))
        return self._graph()

    # --- what is cut

    def _is_mixed(self, source: Node) -> bool:
        """Whether some pieces of a product's operand depend on the state, and some do not."""
        if source.op != "cat" or source.args[1] != 1:
            return False
        return len({piece in self.on_state for piece in source.args[0]}) == 2

    def _is_taken_apart(self, product: Node) -> bool:
        """Whether all that is used of a product are pieces of its columns, none twice."""
        if product.op != "mm" or product in self.roots:
            return False
        users = self.users[product]
        if any(user.op != "slice" or user.args[1] != 1 or user.args[3] != 1 for user in users):
            return False
        spans = sorted((user.args[2], user.args[2] + user.row_shape[1]) for user in users)
        return all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))

    # --- what it becomes

    def _product_by_pieces(self, node: Node) -> Node:
        source, matrix = (self._new(operand) for operand in node.operands()[-2:])
        original = node.operands()[-2]
        total: Node | None = None
        for start, end, pieces in self._runs(original):
            part = pieces[0]
            if len(pieces) > 1:
                part = self._add(
                    dataclasses.replace(source, args=(tuple(pieces), 1), shape=(source.shape[0], end - start))
                )
            rows = self._torch(matrix, 0, start, end)
            is_first_addmm = total is None and node.op == "addmm"
            args: tuple[Any, ...] = (part, rows)
            if is_first_addmm:
                args = (self._new(node.args[0]), part, rows)
            product = self._add(dataclasses.replace(node, op="addmm" if is_first_addmm else "mm", args=args))
            total = product if total is None else self._add(dataclasses.replace(node, op="add", args=(total, product)))
        assert total is not None
        return total

    def _runs(self, source: Node) -> list[tuple[int, int, list[Node]]]:
        """Return neighbouring pieces that run in the same place together, with their first and last column."""
        runs: list[tuple[bool, int, int, list[Node]]] = []
        start = 0
        for piece in source.args[0]:
            size = piece.row_shape[1]
            place = piece in self.on_state
            if runs and runs[-1][0] == place:
                _, first, _, pieces = runs.pop()
                runs.append((place, first, start + size, [*pieces, self._new(piece)]))
            elif size:
                runs.append((place, start, start + size, [self._new(piece)]))
            start += size
        return [run[1:] for run in runs]

    def _columns(self, node: Node) -> Node:
        product, _, start, _ = node.args
        source, matrix = (self._new(operand) for operand in product.operands())
        columns = self._torch(matrix, 1, start, start + node.row_shape[1])
        return self._add(dataclasses.replace(product, args=(source, columns), shape=node.shape))

    # --- gradients of weights

    def _transposed_product(self, node: Node) -> Node | None:
        """Return (a @ b)^T as b^T @ a^T, so that a weight's gradient is laid out like the weight; else ``None``."""
        product = _transposed(node)
        if product is None or product.op != "torch" or product.args[0] != _aten.mm.default or product in self.roots:
            return None
        a, b = (self._new(operand) for operand in product.args[1])
        args: tuple[Any, ...] = (_aten.mm.default, (self._transpose(b), self._transpose(a)), {})
        return self._add(dataclasses.replace(node, op="torch", args=args))

    def _transpose(self, node: Node) -> Node:
        if node.op == "permute" and tuple(node.args[1]) == (1, 0):
            source: Node = node.args[0]
            return source
        return self._add(dataclasses.replace(node, op="permute", args=(node, (1, 0)), shape=node.shape[::-1]))

    # --- plumbing

    def _torch(self, matrix: Node, axis: int, start: int, end: int) -> Node:
        shape = tuple(end - start if a == axis else size for a, size in enumerate(matrix.shape))
        args: tuple[Any, ...] = (_aten.slice.Tensor, (matrix, axis, start, end), {})
        return self._add(dataclasses.replace(matrix, op="torch", args=args, shape=shape))

    def _add(self, node: Node) -> Node:
        node.name = f"{node.name}_part{len(self.nodes)}"
        self.nodes.append(node)
        return node

    def _new(self, node: Node) -> Node:
        return self.replaced.get(node, node)

    def _renewed(self, node: Node) -> Node:
        if any(operand in self.replaced for operand in node.operands()):
            fresh = dataclasses.replace(node, args=_mapped(node.args, self._new))
            self.replaced[node] = fresh
            return fresh
        return node

    def _graph(self) -> Graph:
        graph, new = self.graph, self._new

        def renew(nodes: list[Node | None]) -> list[Any]:
            return [None if node is None else new(node) for node in nodes]

        return dataclasses.replace(
            graph,
            nodes=_needed(self.nodes, graph, new),
            output=new(graph.output),
            new_state=renew([*graph.new_state]),
            d_x=renew(graph.d_x),
            d_state=renew(graph.d_state),
            d_weights={path: new(node) for path, node in graph.d_weights.items()},
        )


def _transposed(node: Node) -> Node | None:
    """Return what a batch-free matrix is the transpose of, if it is one."""
    if node.is_row or node.op != "permute" or tuple(node.args[1]) != (1, 0):
        return None
    source: Node = node.args[0]
    return source


def _needed(nodes: list[Node], graph: Graph, new: Callable[[Node], Node]) -> list[Node]:
    roots = [graph.output, *graph.new_state, *graph.d_x, *graph.d_state, *graph.d_weights.values()]
    found = ancestors(new(node) for node in roots if node is not None)
    return [node for node in nodes if node in found or node.op == "input"]


def _mapped(value: Any, function: Callable[[Node], Node]) -> Any:
    if isinstance(value, Node):
        return function(value)
    if isinstance(value, tuple | list):
        return type(value)(_mapped(item, function) for item in value)
    if isinstance(value, dict):
        return {key: _mapped(item, function) for key, item in value.items()}
    return value
