"""What equations call the weights that a value of the traced step is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from recurra.inspection.anatomy.known_step import KnownStep
from recurra.inspection.anatomy.value_names import grouped
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.plain import plain, plain_symbol
from recurra.inspection.equations.step import WeightBlock
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.equations.weight_blocks import block_shape
from recurra.loop.evaluation import Evaluation
from recurra.loop.graph import VIEWS, Node, ancestors

_MOVES = VIEWS | {"input", "contiguous", "clone", "take_item", "split", "split_copy", "split_with_sizes_copy"}
"""Operations, by the first part of their names, that only say which numbers lie where."""
_SHOWN = 4
"""Names of row blocks that are all shown; of more, the first and the last are."""


@dataclass(frozen=True)
class WeightPart:
    """Rows and columns of a weight, a vector being a column, that lie there as they are or transposed.

    Attributes:
        path: The weight's path.
        is_transposed: Whether it is the transposed weight of which this is a part.
        rows: The first row of the weight, and the row after the last.
        columns: The same of its columns.
        has_all_columns: Whether it has no others.
    """

    path: str
    is_transposed: bool
    rows: tuple[int, int]
    columns: tuple[int, int]
    has_all_columns: bool

    @property
    def inner(self) -> tuple[int, int]:
        """What meets the rows of what is multiplied: its columns, or of a transposed weight its rows."""
        return self.rows if self.is_transposed else self.columns

    def overlaps(self, other: WeightPart) -> bool:
        """Say whether two parts of a weight, the same way round, have numbers in common."""
        is_alike = (self.path, self.is_transposed) == (other.path, other.is_transposed)
        return is_alike and _meet(self.rows, other.rows) and _meet(self.columns, other.columns)

    def is_inside(self, other: WeightPart) -> bool:
        """Say whether one of two that overlap gives nothing but what the other does, and meets at least as much."""
        outer, around = (part.columns if part.is_transposed else part.rows for part in (self, other))
        return _holds(around, outer) and _holds(self.inner, other.inner)


class WeightLabels:
    """Says which weights a batch-free value of a step comes from.

    Args:
        known: What is known of the step by name.
        numbers: What its values are in a sample.
    """

    def __init__(self, known: KnownStep, numbers: Mapping[Node, np.ndarray]) -> None:
        self.known, self.numbers = known, numbers
        self.blocks: dict[str, list[tuple[Symbol, WeightBlock]]] = {}
        for symbol, block in known.weights.items():
            self.blocks.setdefault(block.path, []).append((symbol, block))

    def of_path(self, path: str) -> str:
        """Return a weight's name, or those of its row blocks, as ``[W_hi; W_hf]``."""
        return _below([plain_symbol(symbol) for symbol, _ in self.blocks.get(path, ())] or [path])

    def of_matrix(self, node: Node, *, is_back: bool = False) -> str:
        """Return what equations call the matrix by which a product multiplies.

        Args:
            node: The matrix as a product of rows has it, (B, inner) by (inner, columns).
            is_back: Whether the product is one of gradients, which are multiplied by the transposed matrix.
        """
        part = part_of(node, is_turned=not is_back)
        name = self._of_part(part) if part is not None else ""
        numbers = self.numbers.get(node)
        if not name and numbers is not None:
            term = self.known.matrices.find((numbers if is_back else numbers.T).reshape(-1))
            name = grouped(plain(term)) if term is not None else ""
        return name or self._made_of(node)

    def of_vector(self, node: Node) -> str:
        """Return what equations call a bias."""
        part = part_of(node, is_turned=len(node.row_shape) > 1)
        return (self._of_part(part) if part is not None else "") or self._made_of(node)

    def behind(self, node: Node) -> list[str]:
        """Return the names of the weights that a value is made of."""
        return [self.of_path(path) for path in sorted({n.name for n in ancestors([node]) if n.op == "input"})]

    def _made_of(self, node: Node) -> str:
        return f"(made of {', '.join(self.behind(node)) or 'numbers'})"

    def _of_part(self, part: WeightPart) -> str:
        """Return the blocks that a part of a weight is made of; nothing if some of it has no name."""
        names, place = [], part.rows[0]
        for symbol, block in sorted(self.blocks.get(part.path, ()), key=lambda item: item[1].rows):
            start, stop = max(part.rows[0], block.rows[0]), min(part.rows[1], block.rows[1])
            if start >= stop:
                continue
            if start != place:
                return ""
            place = stop
            rows = t.cut(t.name(symbol, block_shape(block)), 0, start - block.rows[0], stop - block.rows[0])
            names.append(plain(rows))
        if place != part.rows[1]:
            return ""
        columns = "" if part.has_all_columns else f"[:, {part.columns[0] + 1}:{part.columns[1]}]"
        return _below(names) + columns + ("ᵀ" if part.is_transposed else "")


def is_computed(node: Node) -> bool:
    """Whether a batch-free value is made of weights, rather than one, or part of one, as it is."""
    return _cut_from(node) is None and any(n.op == "input" for n in ancestors([node]))


def part_of(node: Node, *, is_turned: bool) -> WeightPart | None:
    """Return which part of a weight a value is; ``None`` if it is made of weights, or of rows in another order.

    Args:
        node: A matrix, or a vector, which is a column.
        is_turned: Whether the transposed value is meant.
    """
    leaf = _cut_from(node)
    if leaf is None or len(leaf.row_shape) > 2 or len(node.row_shape) > 2:
        return None
    num_rows, num_columns = (*leaf.row_shape, 1, 1)[:2]
    places = torch.arange(num_rows * num_columns, dtype=torch.float64).reshape(leaf.row_shape)
    (found,) = Evaluation([node], [leaf]).run([places], 0)
    numbers = found.long().numpy().reshape((*node.row_shape, 1, 1)[:2])
    numbers = numbers.T if is_turned else numbers
    for is_transposed in (False, True):
        spans = _spans(numbers.T if is_transposed else numbers, num_columns)
        if spans is not None:
            rows, columns = spans
            return WeightPart(leaf.name, is_transposed, rows, columns, columns == (0, num_columns))
    return None


def _spans(numbers: np.ndarray, num_columns: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the rows and the columns of a matrix that have such places, if they follow each other."""
    rows, columns = numbers[:, :1] // num_columns, numbers[:1] % num_columns
    spans = _span(rows.ravel().tolist()), _span(columns.ravel().tolist())
    if not numbers.size or not (rows * num_columns + columns == numbers).all() or spans[0] is None or spans[1] is None:
        return None
    return spans[0], spans[1]


def _span(places: Sequence[int]) -> tuple[int, int] | None:
    return (places[0], places[-1] + 1) if places and all(b == a + 1 for a, b in pairwise(places)) else None


def _holds(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] <= b[0] and b[1] <= a[1]


def _meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _below(names: Sequence[str]) -> str:
    shown = [names[0], "…", names[-1]] if len(names) > _SHOWN else names
    return names[0] if len(names) == 1 else f"[{'; '.join(shown)}]"


def _cut_from(node: Node) -> Node | None:
    """Return the weight of which a value is a part, or all, in whatever order; ``None`` if it is anything else."""
    parts = ancestors([node])
    leaves = [part for part in parts if part.op == "input"]
    is_moved = all(_name_of(part) in _MOVES for part in parts)
    return leaves[0] if is_moved and len(leaves) == 1 else None


def _name_of(node: Node) -> str:
    return str(getattr(node.args[0], "__name__", "")).split(".")[0] if node.op == "torch" else node.op
