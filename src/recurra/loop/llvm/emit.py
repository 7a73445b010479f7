"""From a row value to instructions: the table of pointwise operations, and elements taken through views to memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import llvmlite.ir as ir
import torch

from recurra.loop.graph import POINTWISE, VIEWS, Node
from recurra.loop.indexing import Affine, Index, broadcast, offset_of, view_index
from recurra.loop.llvm import math
from recurra.loop.llvm.vectors import Emitter, Value, index
from recurra.loop.schedule import Program

# --- the table


def _compare(predicate: str) -> Callable[[Emitter, Value, Value], Value]:
    if predicate == "!=":  # true where either side is NaN
        return lambda e, a, b: e.b.fcmp_unordered(predicate, a, b)
    return lambda e, a, b: e.b.fcmp_ordered(predicate, a, b)


def _relu(e: Emitter, x: Value) -> Value:
    # a comparison that NaN fails, so that NaN stays
    return e.select(e.b.fcmp_ordered("<", x, e.constant(0.0)), e.constant(0.0), x)


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": lambda e, a, b: e.b.fadd(a, b),
    "sub": lambda e, a, b: e.b.fsub(a, b),
    "mul": lambda e, a, b: e.b.fmul(a, b),
    "div": lambda e, a, b: e.b.fdiv(a, b),
    "neg": lambda e, x: e.b.fneg(x),
    "reciprocal": lambda e, x: e.b.fdiv(e.constant(1.0), x),
    "abs": lambda e, x: e.intrinsic("fabs", x),
    "sqrt": lambda e, x: e.intrinsic("sqrt", x),
    "floor": lambda e, x: e.intrinsic("floor", x),
    "ceil": lambda e, x: e.intrinsic("ceil", x),
    "trunc": lambda e, x: e.intrinsic("trunc", x),
    "relu": _relu,
    "minimum": math.minimum,
    "maximum": math.maximum,
    "remainder": math.remainder,
    "fmod": math.fmod,
    "sign": math.sign,
    "round": math.round,
    "isnan": lambda e, x: e.b.fcmp_unordered("uno", x, x),
    "where": lambda e, condition, yes, no: e.select(condition, yes, no),
    "and": lambda e, a, b: e.b.and_(a, b),
    "or": lambda e, a, b: e.b.or_(a, b),
    "xor": lambda e, a, b: e.b.xor(a, b),
    "not": lambda e, x: e.b.not_(x),
    "eq": _compare("=="),
    "ne": _compare("!="),
    "lt": _compare("<"),
    "le": _compare("<="),
    "gt": _compare(">"),
    "ge": _compare(">="),
    "to_real": lambda e, x: x,
    "to_bool": lambda e, x: x,
    **math.FUNCTIONS,
}
"""What each pointwise operation of :mod:`recurra.loop.graph` becomes; ``pow`` takes a number and stands apart."""

_ON_BITS = frozenset(["and", "or", "xor", "not", "to_bool"])


def is_known(name: str) -> bool:
    """Whether the operation ``name`` can be emitted on vectors."""
    return name in OPERATIONS or name == "pow"


# --- elements


class Element:
    """One vector of elements of each value that a loop's body asks for, computed once.

    Args:
        e: Where instructions go.
        program: Which values lie in memory, and from when on.
        time: The place in time of the loop.
        rows: For each slot the address of the current row.
        weights: For each batch-free value its address.
        variables: The loop variables.
        lane: Which of them counts by vectors; ``None`` where none does: then all lanes are equal.
        count: Lanes that hold elements; the others are not read.
    """

    def __init__(
        self,
        e: Emitter,
        program: Program,
        time: int,
        *,
        rows: Mapping[str, Value],
        weights: Mapping[Node, Value],
        variables: Sequence[Value],
        lane: int | None,
        count: int | None,
    ) -> None:
        self.e, self.program, self.time = e, program, time
        self.rows, self.weights, self.variables = rows, weights, variables
        self.lane, self.count = lane, count
        self.known: dict[tuple[Node, Index], Value] = {}

    def value(self, node: Any, place: Index) -> Value:
        """Return the elements of ``node`` at ``place``; bits if it is boolean."""
        if not isinstance(node, Node):
            return self.e.constant(float(node))
        key = (node, place)
        if key not in self.known:
            self.known[key] = self._compute(node, place)
        return self.known[key]

    def _compute(self, node: Node, place: Index) -> Value:
        if node.op == "full":
            return self._as(node, self.e.constant(float(node.args[0])))
        if not node.is_row:
            return self._read(node, self.weights[node], place)
        if self.program.ready.get(node, self.time + 1) <= self.time:
            return self._read(node, self.rows[self.program.stored[node]], place)
        if node.op in VIEWS:
            source = node.operands()[0]
            inner = view_index(node, place)
            if inner is None:
                address = self.rows[self.program.stored[source]]
                return self._as(source, self.load(address, offset_of(place, node.row_shape, len(self.variables))))
            return self.value(source, inner)
        assert node.op in POINTWISE, node
        return self._apply(node, place)

    def _apply(self, node: Node, place: Index) -> Value:
        if node.op == "pow":
            base = node.args[0]
            return math.power(self.e, self.real(self._operand(base, place)), float(node.args[1]))
        values = [self._operand(argument, place) for argument in node.args]
        if node.op == "where":
            both_bits = node.dtype == torch.bool
            chosen = [self.bits(v) if both_bits else self.real(v) for v in values[1:]]
            return OPERATIONS["where"](self.e, self.bits(values[0]), *chosen)
        convert = self.bits if node.op in _ON_BITS else self.real
        return OPERATIONS[node.op](self.e, *(convert(value) for value in values))

    def _operand(self, argument: Any, place: Index) -> Value:
        if not isinstance(argument, Node):
            return self.e.constant(float(argument))
        return self.value(argument, broadcast(place, argument.row_shape))

    # --- bits and numbers

    def real(self, value: Value) -> Value:
        """Return 1 and 0 for bits."""
        if value.type != self.e.bits:
            return value
        return self.e.select(value, self.e.constant(1.0), self.e.constant(0.0))

    def bits(self, value: Value) -> Value:
        """Return whether numbers are not zero."""
        if value.type == self.e.bits:
            return value
        return self.e.b.fcmp_unordered("!=", value, self.e.constant(0.0))

    def _as(self, node: Node, value: Value) -> Value:
        return self.bits(value) if node.dtype == torch.bool else value

    # --- memory

    def _read(self, node: Node, address: Value, place: Index) -> Value:
        return self._as(node, self.load(address, offset_of(place, node.row_shape, len(self.variables))))

    def load(self, address: Value, offset: Affine) -> Value:
        """Load the elements at an affine offset."""
        e = self.e
        start = e.at(address, self.offset(offset))
        factor = 0 if self.lane is None else offset.factors[self.lane]
        if factor == 1:
            return e.load(start, self.count)
        if factor == 0:
            return e.broadcast(start)
        result = e.constant(0.0)
        for lane in range(e.lanes if self.count is None else self.count):
            number = e.b.load(e.at(start, index(lane * factor)), align=e.item_bytes, typ=e.real)
            result = e.b.insert_element(result, number, ir.Constant(ir.IntType(32), lane))
        return result

    def store(self, value: Value, address: Value, offset: Affine) -> None:
        """Store elements at an affine offset; one element where no variable counts by vectors."""
        start = self.e.at(address, self.offset(offset))
        factor = 0 if self.lane is None else offset.factors[self.lane]
        number = self.real(value)
        if factor == 1:
            self.e.store(number, start, self.count)
            return
        if self.lane is None:
            self.e.store(number, start, 1)
            return
        for lane in range(self.e.lanes if self.count is None else self.count):
            scalar = self.e.b.extract_element(number, ir.Constant(ir.IntType(32), lane))
            self.e.b.store(scalar, self.e.at(start, index(lane * factor)), align=self.e.item_bytes)

    def offset(self, offset: Affine) -> Value:
        """Return the value of an affine function of the variables."""
        total = index(offset.constant)
        for factor, variable in zip(offset.factors, self.variables, strict=True):
            if factor:
                term = variable if factor == 1 else self.e.b.mul(variable, index(factor))
                total = self.e.b.add(total, term)
        return total


REDUCERS: dict[str, tuple[float, Callable[[Emitter, Value, Value], Value]]] = {
    "sum": (0.0, lambda e, a, b: e.b.fadd(a, b)),
    "prod": (1.0, lambda e, a, b: e.b.fmul(a, b)),
    "amax": (-float("inf"), math.maximum),
    "amin": (float("inf"), math.minimum),
}
"""How values along an axis become one, and what it is for no values."""


def across_lanes(e: Emitter, kind: str, value: Value) -> Value:
    """Reduce the lanes of a vector to one number, in all lanes, halving step by step."""
    combine = REDUCERS[kind][1]
    distance = e.lanes // 2
    while distance:
        order = [lane ^ distance for lane in range(e.lanes)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), e.lanes), order)
        value = combine(e, value, e.b.shuffle_vector(value, value, mask))
        distance //= 2
    return value
