"""Names for all that a traced step computes and multiplies, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.inspection.anatomy.known_step import KnownStep
from recurra.inspection.anatomy.sampling import is_same, numbers_of_graph
from recurra.inspection.anatomy.value_names import ValueNames
from recurra.inspection.anatomy.weight_labels import WeightLabels, part_of
from recurra.loop.graph import Graph, Node, ancestors


class StepNames:
    """Names as the equations of the step have them.

    Args:
        graph: The step.
        known: What is known of it by name.
    """

    def __init__(self, graph: Graph, known: KnownStep) -> None:
        forward = ancestors([graph.output, *graph.new_state])
        wanted = {node for node in graph.nodes if node in forward or not node.is_row}
        self._numbers = numbers_of_graph(graph, known.sample, wanted)
        self._values = ValueNames(graph, known, self._numbers)
        self._weights = WeightLabels(known, self._numbers)

    def value(self, node: Node) -> str:
        """Return the name of a row value; empty if it has none."""
        return self._values.names.get(node, "")

    def factor(self, node: Node) -> str:
        """Return what to call a row value that is multiplied by a matrix."""
        return self._values.expression(node)

    def matrix(self, node: Node, *, is_back: bool = False) -> str:
        """Return what to call a matrix by which rows are multiplied, going forward or back."""
        return self._weights.of_matrix(node, is_back=is_back)

    def bias(self, node: Node) -> str:
        """Return what to call a bias."""
        return self._weights.of_vector(node)

    def weight(self, path: str) -> str:
        """Return what to call a weight."""
        return self._weights.of_path(path)

    def made_of(self, node: Node) -> str:
        """Return what to call the weights that a value is made of."""
        return ", ".join(self._weights.behind(node))

    def ends(self, products: Sequence[Node], of_gradients: Node) -> tuple[str, ...]:
        """Return what gradients reach that are multiplied by a matrix.

        Args:
            products: Those of the forward pass.
            of_gradients: The matrix.
        """
        back = part_of(of_gradients, is_turned=False)
        found: list[list[str]] = [[], [], []]
        for source, matrix in (product.operands()[-2:] for product in products):
            there = part_of(matrix, is_turned=True)
            if there is None or back is None:
                if there is back and self._may_be_transposed(matrix, of_gradients):
                    found[0].append(self.factor(source))
            elif there.overlaps(back):
                # of a weight that is multiplied whole, and in part elsewhere, it is the way back of one of the two
                closeness = 0 if there == back else 1 if there.is_inside(back) else 2
                found[closeness].append(self.factor(source) + _cut(there.inner, back.inner))
        return tuple(dict.fromkeys(next(filter(None, found), [])))

    def _may_be_transposed(self, a: Node, b: Node) -> bool:
        """Say whether what is made of weights is another such matrix transposed, or where sizes differ, some of it."""
        first, second = self._numbers.get(a), self._numbers.get(b)
        if first is not None and second is not None and first.T.shape == second.shape:
            return is_same(first.T, second)
        return _weights_of(a) == _weights_of(b)


class Unnamed:
    """No names: where only sizes are asked for."""

    def value(self, node: Node) -> str:
        """Return nothing."""
        return ""

    factor = bias = made_of = value

    def matrix(self, node: Node, *, is_back: bool = False) -> str:
        """Return nothing."""
        return ""

    def weight(self, path: str) -> str:
        """Return nothing."""
        return ""

    def ends(self, products: Sequence[Node], of_gradients: Node) -> tuple[str, ...]:
        """Return nothing."""
        return ()


def _cut(whole: tuple[int, int], part: tuple[int, int]) -> str:
    """Return the sign for those rows that are in both; nothing for all of the whole."""
    start, stop = max(whole[0], part[0]), min(whole[1], part[1])
    return "" if (start, stop) == whole else f"[{start - whole[0] + 1}:{stop - whole[0]}]"


def _weights_of(node: Node) -> set[Node]:
    return {leaf for leaf in ancestors([node]) if leaf.op == "input"}
