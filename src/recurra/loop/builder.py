"""Makes canonical nodes: works out shapes, keeps rows apart, and never makes the same value twice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import torch

from recurra.errors import UnsupportedCellError
from recurra.loop.graph import Node, Rows, Size, words

Value = Node | float
"""What a pointwise operation takes."""

_COMPARISONS = frozenset(words("eq ne lt le gt ge"))
_LOGICAL = frozenset(words("and or xor not"))
_TO_BOOL = _COMPARISONS | _LOGICAL | {"isnan", "to_bool"}
_NUMBER_OPERAND = frozenset(["pow"])


class Builder:
    """Collects the nodes of one graph.

    Args:
        who: The cell's class, for messages.
        dtype: The one floating-point type of its row values.

    Attributes:
        nodes: All nodes so far; operands come before what uses them.
        line: The line of the cell that the nodes made now come from.
        operation: The operation that they stand for.
        reduced: The nodes that depend on a sum over the batch.
    """

    def __init__(self, who: str, dtype: torch.dtype) -> None:
        self.who = who
        self.dtype = dtype
        self.nodes: list[Node] = []
        self.line = ""
        self.operation = ""
        self.reduced: set[Node] = set()
        self._known: dict[Any, Node] = {}
        self._names: dict[str, int] = {}

    # --- errors

    def fail(self, expected: str, got: str = "") -> NoReturn:
        """Refuse the operation at hand.

        Raises:
            UnsupportedCellError: Always.
        """
        found = got or self.operation
        where = f" at {self.line}" if self.line else ""
        raise UnsupportedCellError(f"{self.who} was expected {expected}, got {found}{where}")

    # --- making nodes

    def add(self, op: str, args: tuple[Any, ...], shape: tuple[Size, ...], dtype: torch.dtype) -> Node:
        """Return the node; the same one if it is there already."""
        key = (op, _frozen(args), shape, dtype)
        known = self._known.get(key)
        if known is not None and op != "draw":
            return known
        node = Node(op, args, shape, dtype, self.unique(op), self.line)
        operands = node.operands()
        self._check(node, operands)
        if any(operand in self.reduced for operand in operands):
            self.reduced.add(node)
        self.nodes.append(node)
        self._known[key] = node
        return node

    def unique(self, name: str) -> str:
        """Return ``name`` with a number that makes it unique."""
        self._names[name] = self._names.get(name, -1) + 1
        return f"{name}_{self._names[name]}"

    def _check(self, node: Node, operands: list[Node]) -> None:
        if not node.is_row:
            return
        if sum(isinstance(size, Rows) for size in node.shape) > 1:
            self.fail("to keep the rows of a batch apart", f"{self.operation}, which pairs each row with each")
        if node.dtype not in (self.dtype, torch.bool):
            self.fail(f"to compute in one floating-point type, {self.dtype}", f"{node.dtype} from {self.operation}")
        if any(operand in self.reduced for operand in operands):
            self.fail(
                "to keep the rows of a batch apart", f"{self.operation}, which gives each row a sum over all rows"
            )

    def input(self, name: str, shape: tuple[Size, ...], dtype: torch.dtype) -> Node:
        """Return a new input."""
        node = Node("input", (), shape, dtype, name)
        self.nodes.append(node)
        return node

    def run_by_torch(self, target: Any, args: Any, kwargs: Any, shape: tuple[Size, ...], dtype: torch.dtype) -> Node:
        """Return a batch-free node that torch runs as it stands."""
        return self.add("torch", (target, tuple(args), dict(kwargs)), shape, dtype)

    def sum_over_batch(self, target: Any, args: Any, kwargs: Any, shape: tuple[Size, ...]) -> Node:
        """Return a batch-free node that torch sums over the rows."""
        node = self.run_by_torch(target, args, kwargs, shape, self.dtype)
        self.reduced.add(node)
        return node

    # --- pointwise

    def full(self, value: float, shape: tuple[Size, ...], dtype: torch.dtype) -> Node:
        """Return a constant."""
        return self.add("full", (value,), shape, dtype)

    def pointwise(self, op: str, *operands: Value) -> Node:
        """Return a pointwise operation; operands broadcast."""
        values = [self._converted(op, k, operand) for k, operand in enumerate(operands)]
        if op == "mul" and any(_is_one(value) for value in values):
            other = values[0] if _is_one(values[1]) else values[1]
            if isinstance(other, Node):
                return other
        if op == "div" and _is_one(values[1]) and isinstance(values[0], Node):
            return values[0]
        shape = broadcast([value.shape for value in values if isinstance(value, Node)])
        is_bool = op in _TO_BOOL or (op == "where" and all(_is_bool(value) for value in values[1:]))
        return self.add(op, tuple(values), shape, torch.bool if is_bool else self.dtype)

    def _converted(self, op: str, place: int, value: Value) -> Value:
        if op in ("to_real", "to_bool"):
            return value
        if not isinstance(value, Node):
            if isinstance(value, Rows) or not isinstance(value, bool | int | float):
                self.fail("to compute with real numbers", f"{_describe(value)} in {self.operation}")
            return value if op in _LOGICAL or op in _NUMBER_OPERAND else _as_float(value)
        if op in _LOGICAL or (op == "where" and place == 0):
            return self.to_bool(value)
        return self.to_real(value)

    def where(self, condition: Value, yes: Value, no: Value) -> Node:
        """Return ``yes`` where the condition holds, else ``no``; of bool if both are."""
        if _is_bool(yes) and _is_bool(no):
            # (condition and yes) or (not condition and no), as the choice is between numbers
            chosen = self.pointwise("and", condition, yes)
            return self.pointwise("or", chosen, self.pointwise("and", self.pointwise("not", condition), no))
        return self.pointwise("where", condition, yes, no)

    def to_real(self, value: Node) -> Node:
        """Return ``value`` in the floating-point type of the rows."""
        if value.dtype == self.dtype:
            return value
        if value.is_row:
            if value.dtype != torch.bool:
                self.fail(f"to compute in one floating-point type, {self.dtype}", f"{value.dtype} in {self.operation}")
            return self.add("to_real", (value,), value.shape, self.dtype)
        if value.dtype.is_complex or (value.dtype.is_floating_point and value.shape):
            self.fail(f"to compute in one floating-point type, {self.dtype}", f"{value.dtype} in {self.operation}")
        return self.run_by_torch(
            torch.ops.aten._to_copy.default, (value,), {"dtype": self.dtype}, value.shape, self.dtype
        )

    def to_bool(self, value: Node) -> Node:
        """Return whether ``value`` is not zero."""
        if value.dtype == torch.bool:
            return value
        if value.is_row:
            return self.add("to_bool", (value,), value.shape, torch.bool)
        return self.run_by_torch(
            torch.ops.aten._to_copy.default, (value,), {"dtype": torch.bool}, value.shape, torch.bool
        )

    # --- views and pieces

    def permute(self, a: Node, axes: Sequence[int]) -> Node:
        """Return ``a`` with its axes in another order."""
        order = tuple(axis % len(a.shape) for axis in axes)
        if a.op == "permute":
            order = tuple(a.args[1][axis] for axis in order)
            a = a.args[0]
        if order == tuple(range(len(order))):
            return a
        return self.add("permute", (a, order), tuple(a.shape[axis] for axis in order), a.dtype)

    def reshape(self, a: Node, shape: Sequence[Size]) -> Node:
        """Return ``a`` in another shape; the batch must stay where it is in the order of the numbers."""
        new = tuple(shape)
        if a.is_row and _before_batch(a.shape) != _before_batch(new):
            self.fail("to keep the rows of a batch apart", f"{self.operation} from {_sizes(a.shape)} to {_sizes(new)}")
        while a.op == "reshape":
            a = a.args[0]
        return a if a.shape == new else self.add("reshape", (a,), new, a.dtype)

    def expand(self, a: Node, shape: Sequence[Size]) -> Node:
        """Return ``a`` repeated along axes of size one, and along new ones in front."""
        new = tuple(shape)
        return a if a.shape == new else self.add("expand", (a,), new, a.dtype)

    def slice(self, a: Node, axis: int, start: int, length: int, step: int = 1) -> Node:
        """Return ``length`` places of an axis."""
        if length == a.shape[axis] and step == 1:
            return a
        self._keep_batch(a, [axis])
        shape = (*a.shape[:axis], length, *a.shape[axis + 1 :])
        return self.add("slice", (a, axis, start, step), shape, a.dtype)

    def select(self, a: Node, axis: int, index: int) -> Node:
        """Return one place of an axis, without the axis."""
        self._keep_batch(a, [axis])
        return self.add("select", (a, axis, index), (*a.shape[:axis], *a.shape[axis + 1 :]), a.dtype)

    def flip(self, a: Node, axes: Iterable[int]) -> Node:
        """Return ``a`` with axes turned round."""
        turned = tuple(axis for axis in axes if a.shape[axis] != 1)
        self._keep_batch(a, turned)
        return self.add("flip", (a, turned), a.shape, a.dtype) if turned else a

    def cat(self, pieces: Sequence[Node], axis: int) -> Node:
        """Return the pieces one after the other."""
        dtype = torch.bool if all(piece.dtype == torch.bool for piece in pieces) else self.dtype
        pieces = [piece if dtype == torch.bool else self.to_real(piece) for piece in pieces]
        if len(pieces) == 1:
            return pieces[0]
        for piece in pieces:
            self._keep_batch(piece, [axis])
        total = sum(_number(piece.shape[axis]) for piece in pieces)
        shape = list(pieces[0].shape)
        shape[axis] = total
        return self.add("cat", (tuple(pieces), axis), tuple(shape), dtype)

    def stack(self, pieces: Sequence[Node], axis: int) -> Node:
        """Return the pieces along a new axis."""
        return self.cat([self.unsqueeze(piece, axis) for piece in pieces], axis)

    def unsqueeze(self, a: Node, axis: int) -> Node:
        """Return ``a`` with a new axis of size one."""
        return self.reshape(a, (*a.shape[:axis], 1, *a.shape[axis:]))

    # --- along axes

    def reduce(self, op: str, a: Node, axes: Iterable[int], keepdim: bool) -> Node:
        """Return a sum, product, largest or smallest along axes; of sums, the batch may be among them."""
        reduced = tuple(sorted(axes))
        a = self.to_real(a)
        sizes = [1 if axis in reduced else size for axis, size in enumerate(a.shape)]
        shape = tuple(size for axis, size in enumerate(sizes) if keepdim or axis not in reduced)
        if any(isinstance(a.shape[axis], Rows) for axis in reduced):
            if op != "sum":
                self.fail("to keep the rows of a batch apart", f"{self.operation} along the batch")
            return self.sum_over_batch(torch.ops.aten.sum.dim_IntList, (a, list(reduced), keepdim), {}, shape)
        if all(a.shape[axis] == 1 for axis in reduced):
            return self.reshape(a, shape)
        return self.add(op, (a, reduced, keepdim), shape, self.dtype)

    def cumsum(self, a: Node, axis: int) -> Node:
        """Return running sums along an axis."""
        self._keep_batch(a, [axis])
        return self.add("cumsum", (self.to_real(a), axis), a.shape, self.dtype)

    def _keep_batch(self, a: Node, axes: Iterable[int]) -> None:
        if any(isinstance(a.shape[axis], Rows) for axis in axes):
            self.fail("to keep the rows of a batch apart", f"{self.operation} along the batch")


def batch_axis(node: Node) -> int | None:
    """Return the axis of the batch; ``None`` of a batch-free node."""
    return next((axis for axis, size in enumerate(node.shape) if isinstance(size, Rows)), None)


def broadcast(shapes: Sequence[tuple[Size, ...]]) -> tuple[Size, ...]:
    """Return the shape that results when values of ``shapes`` meet."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True))


def _before_batch(shape: tuple[Size, ...]) -> int:
    place = next((axis for axis, size in enumerate(shape) if isinstance(size, Rows)), len(shape))
    return math.prod(_number(size) for size in shape[:place])


def _number(size: Size) -> int:
    assert isinstance(size, int)
    return size


def _sizes(shape: Iterable[Size]) -> str:
    parts = [("B" if size.multiple == 1 else f"{size.multiple}B") if isinstance(size, Rows) else size for size in shape]
    return f"({', '.join(map(str, parts))})"


def _is_one(value: Value) -> bool:
    return not isinstance(value, Node) and value == 1


def _is_bool(value: Value) -> bool:
    return value.dtype == torch.bool if isinstance(value, Node) else isinstance(value, bool)


def _as_float(value: float) -> float:
    return float(value)


def _describe(value: Any) -> str:
    return "the batch size" if isinstance(value, Rows) else repr(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, Node):
        return ("node", id(value))
    if isinstance(value, tuple | list):
        return (type(value), *(_frozen(item) for item in value))
    if isinstance(value, dict):
        return (dict, *((name, _frozen(item)) for name, item in value.items()))
    if isinstance(value, float):
        return (float, value.hex())
    return (type(value), value)
