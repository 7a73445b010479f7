"""The vector operations that all emitted code is made of, on top of an llvmlite builder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir

from recurra.loop.llvm.jit import Target

Value = Any
"""An LLVM value; llvmlite has no types of its own for mypy."""

i1, i8, i32, i64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
pointer = ir.PointerType()


def index(value: int) -> ir.Constant:
    """Return a constant for sizes and offsets."""
    return ir.Constant(i64, value)


class Emitter:
    """Writes instructions into one function; "real" is its floating-point type, float or double.

    Pointers count in elements of "real". Vectors hold ``lanes`` of them.
    Comparisons give vectors of bits, which ``select`` takes.
    Nothing here lets LLVM reassociate or contract: a number is rounded where the code says so, on every machine.
    """

    def __init__(self, module: ir.Module, builder: ir.IRBuilder, target: Target, item_bytes: int) -> None:
        self.module = module
        self.b = builder
        self.target = target
        self.item_bytes = item_bytes
        self.lanes = target.lanes(item_bytes)
        self.real = ir.FloatType() if item_bytes == 4 else ir.DoubleType()
        self.integer = i32 if item_bytes == 4 else i64
        self.vector = ir.VectorType(self.real, self.lanes)
        self.integers = ir.VectorType(self.integer, self.lanes)
        self.bits = ir.VectorType(i1, self.lanes)

    # --- constants

    def constant(self, value: float) -> Value:
        """Return a vector of one number, rounded to "real"."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def integer_constant(self, value: int) -> Value:
        """Return a vector of one integer, as wide as "real"."""
        return ir.Constant(self.integers, [value] * self.lanes)

    def first_lanes(self, count: int) -> Value:
        """Return the mask of the first ``count`` lanes."""
        return ir.Constant(self.bits, [int(lane < count) for lane in range(self.lanes)])

    # --- memory

    def at(self, base: Value, offset: Value) -> Value:
        """Return the address ``offset`` elements behind ``base``."""
        return self.b.gep(base, [offset], source_etype=self.real)

    def load(self, address: Value, count: int | None = None) -> Value:
        """Load a vector; only its first ``count`` lanes if given, the others are zero and no memory is touched."""
        if count is None or count == self.lanes:
            return self.b.load(address, align=self.item_bytes, typ=self.vector)
        function = self.declare(f"llvm.masked.load.{self.suffix}.p0", self.vector, (pointer, self.bits, self.vector))
        return self.b.call(function, [address, self.first_lanes(count), self.constant(0.0)])

    def store(self, value: Value, address: Value, count: int | None = None) -> None:
        """Store a vector; only its first ``count`` lanes if given."""
        if count is None or count == self.lanes:
            self.b.store(value, address, align=self.item_bytes)
            return
        function = self.declare(f"llvm.masked.store.{self.suffix}.p0", ir.VoidType(), (self.vector, pointer, self.bits))
        self.b.call(function, [value, address, self.first_lanes(count)])

    def broadcast(self, address: Value) -> Value:
        """Load one number into all lanes."""
        return self.splat(self.b.load(address, align=self.item_bytes, typ=self.real))

    def splat(self, scalar: Value) -> Value:
        """Return a vector of one number."""
        undefined = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = self.b.insert_element(undefined, scalar, ir.Constant(i32, 0))
        zeros = ir.Constant(ir.VectorType(i32, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(first, undefined, zeros)

    # --- functions

    @property
    def suffix(self) -> str:
        """The vector type as LLVM's intrinsics name it."""
        return f"v{self.lanes}f{8 * self.item_bytes}"

    def declare(self, name: str, result: Any, arguments: Sequence[Any]) -> Value:
        """Return the function ``name``, declared once in the module."""
        known = self.module.globals.get(name)
        return known or ir.Function(self.module, ir.FunctionType(result, list(arguments)), name)

    def intrinsic(self, name: str, *arguments: Value) -> Value:
        """Call LLVM's ``llvm.name`` on vectors of "real"."""
        function = self.declare(f"llvm.{name}.{self.suffix}", self.vector, [a.type for a in arguments])
        return self.b.call(function, arguments)

    @property
    def has_fma(self) -> bool:
        """Whether the target multiplies and adds in one instruction."""
        return self.target.triple.startswith(("aarch64", "arm64")) or "+fma" in self.target.features.split(",")

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return a * b + c, rounded once; twice on targets without the instruction, where LLVM would call a library."""
        return self.intrinsic("fma", a, b, c) if self.has_fma else self.b.fadd(self.b.fmul(a, b), c)

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """Choose lane by lane."""
        return self.b.select(condition, yes, no)

    # --- control

    def loop(
        self,
        start: Value,
        stop: Value,
        step: Value,
        carried: Sequence[Value],
        body: Callable[[Value, list[Value]], Sequence[Value] | None],
    ) -> list[Value]:
        """Emit ``for i in range(start, stop, step): carried = body(i, carried)``; return what is carried out."""
        b, before = self.b, self.b.block
        head, inside, after = (b.append_basic_block(name) for name in ("head", "body", "after"))
        b.branch(head)
        b.position_at_end(head)
        i = b.phi(i64)
        i.add_incoming(start, before)
        phis = [b.phi(value.type) for value in carried]
        for phi, value in zip(phis, carried, strict=True):
            phi.add_incoming(value, before)
        b.cbranch(b.icmp_signed("<", i, stop), inside, after)
        b.position_at_end(inside)
        results = body(i, phis) or []
        i.add_incoming(b.add(i, step), b.block)
        for phi, value in zip(phis, results, strict=True):
            phi.add_incoming(value, b.block)
        b.branch(head)
        b.position_at_end(after)
        return phis


@contextmanager
def new_function(
    module: ir.Module, name: str, arguments: Sequence[Any], target: Target, item_bytes: int
) -> Iterator[tuple[Emitter, list[Value]]]:
    """Open a function that returns nothing; yield its emitter and its arguments."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), list(arguments)), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    yield Emitter(module, builder, target, item_bytes), list(function.args)
    builder.ret_void()
