"""The product of rows with a packed matrix: the inner loop that takes nearly all the time of a recurrence.

It is compiled once for a process and a type, and knows no cell: all sizes are arguments.
Every number of the result is its initial value plus the terms k = 0, 1, 2, ... in this order, each added with one
rounding (a fused multiply-add; with two on a machine that has none). So a row's result depends on nothing but that row
and the matrix, to the last bit.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from dataclasses import dataclass
from typing import NamedTuple

import llvmlite.ir as ir
import torch

from recurra.errors import ShapeError
from recurra.loop.llvm import threads
from recurra.loop.llvm.jit import Code, Target, compile_module, host_target
from recurra.loop.llvm.packing import emit_pack, emit_pack_task, num_panels, packed_size
from recurra.loop.llvm.vectors import Emitter, Value, i8, i32, i64, index, new_function, pointer

UNROLL = 4
"""Steps of the inner sum that are written out in the loop's body."""

DEPTH_BLOCK = 512
"""Steps of the inner sum that all rows do before the next ones: that much of two panels fits a cache of a megabyte."""

PRODUCT = (pointer, i64, pointer, i64, i64, pointer, i64, pointer, i64, i64)
"""Types of ``product``'s arguments: A, lda, P, K, N, init, ld_init, C, ldc, m."""

# below this many numbers a second thread costs more than it saves
_PARALLEL_SIZE = 1 << 16

_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    # no other thread may be compiling while a child is made, which would wait for it forever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@dataclass(frozen=True)
class Kernels:
    """Addresses of the compiled functions for one type.

    Attributes:
        product: ``void product(A, i64 lda, P, i64 K, i64 N, init, i64 ld_init, C, i64 ldc, i64 m)``, as
            ``emit_product`` says.
        pack: ``void pack(M, i64 row_stride, i64 column_stride, i64 K, i64 N, P, i64 first_panel, i64 last_panel)``.
        pack_task: Task for ``threads.run``: M, row_stride, column_stride, K, N, P, number of panels.
        code: Their machine code; the addresses are valid as long as it lives.
    """

    product: int
    pack: int
    pack_task: int
    code: Code


def kernels(item_bytes: int) -> Kernels:
    """Return the compiled functions for float32 (4) or float64 (8); they are compiled at the first call."""
    with _lock:
        return _kernels(item_bytes)


@functools.cache
def _kernels(item_bytes: int) -> Kernels:
    return build_kernels(item_bytes, host_target())


def build_kernels(item_bytes: int, target: Target) -> Kernels:
    """Compile the functions for a target that the host can run."""
    code = compile_module(kernel_module(item_bytes, target), target)
    return Kernels(code.address("product"), code.address("pack"), code.address("pack_task"), code)


def kernel_module(item_bytes: int, target: Target) -> ir.Module:
    """Return the LLVM module with ``product``, ``pack`` and ``pack_task``."""
    module = ir.Module(f"kernels{8 * item_bytes}")
    emit_product(module, target, item_bytes)
    emit_pack_task(module, target, item_bytes, emit_pack(module, target, item_bytes))
    return module


def pack_matrix(matrix: torch.Tensor, num_threads: int = 1) -> torch.Tensor:
    """Copy a matrix into panels.

    Args:
        matrix: Shape ``(K, N)`` with N of 1 or more, any strides, float32 or float64, on the CPU.
        num_threads: Threads to use; small matrices take one.

    Returns:
        The panels, flat, as ``product`` of ``kernels(matrix.element_size())`` reads them.

    Raises:
        ShapeError: When ``matrix`` is not such a matrix.
    """
    _check_matrix(matrix)
    num_rows, num_columns = matrix.shape
    item_bytes, target = matrix.element_size(), host_target()
    packed = torch.empty(packed_size(num_rows, num_columns, target, item_bytes), dtype=matrix.dtype)
    panels = num_panels(num_columns, target, item_bytes)
    sizes = (*matrix.stride(), num_rows, num_columns)
    arguments = (ctypes.c_int64 * 7)(matrix.data_ptr(), *sizes, packed.data_ptr(), panels)
    threads.run(kernels(item_bytes).pack_task, arguments, num_threads if packed.numel() >= _PARALLEL_SIZE else 1)
    return packed


def _check_matrix(matrix: torch.Tensor) -> None:
    known = matrix.dtype in (torch.float32, torch.float64) and matrix.device.type == "cpu"
    if matrix.ndim != 2 or matrix.shape[1] == 0 or not known:
        raise ShapeError(
            "pack_matrix expected matrix of shape (K, N) with N >= 1, float32 or float64 on the CPU, "
            f"got {tuple(matrix.shape)}, {matrix.dtype} on {matrix.device.type}"
        )


class _Arguments(NamedTuple):
    """What ``product`` is called with."""

    a: Value
    lda: Value
    packed: Value
    depth: Value
    num_columns: Value
    init: Value
    ld_init: Value
    c: Value
    ldc: Value
    num_rows: Value


def emit_product(module: ir.Module, target: Target, item_bytes: int) -> Value:
    """Emit ``product``: ``C[0:m, 0:N] = init + A[0:m, 0:K] @ M``, with M (K, N) in panels at ``P``.

    ``lda``, ``ld_init`` and ``ldc`` are the distances of rows in elements. ``init`` may be null, which is zero;
    ``ld_init`` 0 takes one row for all; ``init`` may be ``C`` itself with the same distance, to add to what is there.
    Nothing outside the rows of A, init and C is read or written.

    Panels run outermost, then parts of the inner sum that fit the second cache twice, then blocks of rows.
    """
    tiles = _emit_tiles(module, target, item_bytes)
    with new_function(module, "product", PRODUCT, target, item_bytes) as (e, values):
        given = _Arguments(*values)
        rows = _row_blocks(e, given.num_rows)
        columns = index(e.lanes * target.tile_vectors)
        e.loop(index(0), given.num_columns, columns, [], lambda start, _: _emit_panel(e, given, tiles, rows, start))
    return module.globals["product"]


class _RowBlocks(NamedTuple):
    """``count`` blocks of ``rows`` rows, the first ``longer`` of them with one more."""

    count: Value
    rows: Value
    longer: Value


def _row_blocks(e: Emitter, num_rows: Value) -> _RowBlocks:
    """Cut rows into as few blocks as tiles allow, of even height: a lone row would run at a third of the rate."""
    b, height = e.b, e.target.tile_rows
    count = b.sdiv(b.add(num_rows, index(height - 1)), index(height))
    divisor = _at_least_one(e, count)
    return _RowBlocks(count, b.sdiv(num_rows, divisor), b.srem(num_rows, divisor))


def _emit_panel(e: Emitter, given: _Arguments, tiles: Value, rows: _RowBlocks, start: Value) -> None:
    """Emit the product with the panel that begins at column ``start``."""
    b, columns = e.b, e.lanes * e.target.tile_vectors
    here = _minimum(e, b.sub(given.num_columns, start), index(columns))
    last_vector = b.sdiv(b.sub(here, index(1)), index(e.lanes))
    in_last = b.sub(here, b.mul(last_vector, index(e.lanes)))
    width = b.mul(b.add(last_vector, index(1)), index(e.lanes))
    panel = e.at(given.packed, b.mul(start, given.depth))
    init = b.select(_is_null(e, given.init), given.init, e.at(given.init, start))
    # one block of rows reads the panel once: cutting the sum would gain nothing
    single = b.icmp_signed("<=", rows.count, index(1))
    whole = _at_least_one(e, given.depth)
    step = b.select(single, whole, index(DEPTH_BLOCK))
    spacing = b.sdiv(index(columns * e.item_bytes), _at_least_one(e, rows.count))
    spacing = b.select(single, index(0), spacing)

    def depth_block(k: Value, _: list[Value]) -> None:
        depth = _minimum(e, b.sub(given.depth, k), step)
        first = b.icmp_signed("==", k, index(0))
        begin = e.at(panel, b.mul(k, width))
        part = given._replace(
            a=e.at(given.a, k),
            packed=begin,
            depth=depth,
            init=b.select(first, init, e.at(given.c, start)),
            ld_init=b.select(first, given.ld_init, given.ldc),
            c=e.at(given.c, start),
        )
        line = b.mul(last_vector, index(e.target.tile_rows))
        _emit_row_blocks(
            e,
            part,
            b.gep(tiles, [line], source_etype=pointer),
            rows,
            in_last,
            (e.at(begin, b.mul(depth, width)), spacing),
        )

    e.loop(index(0), whole, step, [], depth_block)


def _emit_row_blocks(
    e: Emitter, part: _Arguments, tiles: Value, rows: _RowBlocks, in_last: Value, ahead: tuple[Value, Value]
) -> None:
    """Emit a part of the inner sum of one panel for all rows; ``tiles`` has a tile for each height of a block."""
    b = e.b
    no_init = _is_null(e, part.init)
    following, spacing = ahead
    kind = ir.FunctionType(ir.VoidType(), _TILE).as_pointer()

    def block(number: Value, carried: list[Value]) -> list[Value]:
        first = carried[0]
        height = b.add(rows.rows, b.zext(b.icmp_signed("<", number, rows.longer), i64))
        tile = b.load(b.gep(tiles, [b.sub(height, index(1))], source_etype=pointer), typ=kind)
        a = e.at(part.a, b.mul(first, part.lda))
        init = b.select(no_init, part.init, e.at(part.init, b.mul(first, part.ld_init)))
        c = e.at(part.c, b.mul(first, part.ldc))
        share = b.mul(b.mul(number, part.depth), spacing)
        arguments = (
            *(a, e.at(a, b.mul(part.lda, index(_BASE_ROWS))), part.lda, part.packed, part.depth),
            *(init, part.ld_init, c, part.ldc, in_last),
            *(b.gep(following, [share], source_etype=i8), spacing),
        )
        b.call(tile, arguments)
        return [b.add(first, height)]

    e.loop(index(0), rows.count, index(1), [index(0)], block)


# A, A's row _BASE_ROWS, lda, panel, K, init, ld_init, C, ldc, columns in the last vector,
# what is read next, bytes of it a step
_TILE = (pointer, pointer, i64, pointer, i64, pointer, i64, pointer, i64, i64, pointer, i64)

# a processor reaches three rows from one address: itself, plus once and plus twice the distance
_BASE_ROWS = 3


def _emit_tiles(module: ir.Module, target: Target, item_bytes: int) -> Value:
    """Emit a tile for every number of vectors and rows; return the table of their addresses, rows running fastest."""
    assert target.tile_rows <= 2 * _BASE_ROWS
    tiles = [
        _emit_tile(module, target, item_bytes, rows, vectors)
        for vectors in range(1, target.tile_vectors + 1)
        for rows in range(1, target.tile_rows + 1)
    ]
    kind = ir.ArrayType(pointer, len(tiles))
    table = ir.GlobalVariable(module, kind, "tiles")
    table.initializer = ir.Constant(kind, [tile.bitcast(pointer) for tile in tiles])
    table.global_constant = True
    table.linkage = "internal"
    return table


def _emit_tile(module: ir.Module, target: Target, item_bytes: int, rows: int, vectors: int) -> Value:
    name = f"tile_{rows}_{vectors}"
    with new_function(module, name, _TILE, target, item_bytes) as (e, values):
        a, a_further, lda, panel, depth, init, ld_init, c, ldc, in_last, following, spacing = values
        b = e.b
        mask = _first_lanes(e, in_last)
        sums = _initial(e, init, ld_init, mask, rows, vectors)
        bases = [a, a_further][: -(-rows // _BASE_ROWS)]
        reader = _Reader(e, rows, vectors, lda, len(bases), spacing)
        sums = reader.inner_sum([*bases, panel, following], depth, sums)
        for row in range(rows):
            place = e.at(c, b.mul(ldc, index(row)))
            for vector in range(vectors - 1):
                e.store(sums[row * vectors + vector], e.at(place, index(vector * e.lanes)))
            _store_masked(e, sums[row * vectors + vectors - 1], e.at(place, index((vectors - 1) * e.lanes)), mask)
    function = module.globals[name]
    function.linkage = "internal"
    function.attributes.add("noinline")
    return function


def _initial(e: Emitter, init: Value, ld_init: Value, mask: Value, rows: int, vectors: int) -> list[Value]:
    """Return what the sums of a tile start from."""
    b, before = e.b, e.b.block
    given, after = b.append_basic_block("given"), b.append_basic_block("start")
    b.cbranch(_is_null(e, init), after, given)
    b.position_at_end(given)
    loaded = []
    for row in range(rows):
        place = e.at(init, b.mul(ld_init, index(row)))
        loaded += [e.load(e.at(place, index(vector * e.lanes))) for vector in range(vectors - 1)]
        loaded.append(_load_masked(e, e.at(place, index((vectors - 1) * e.lanes)), mask))
    b.branch(after)
    b.position_at_end(after)
    sums = [b.phi(e.vector) for _ in loaded]
    for phi, value in zip(sums, loaded, strict=True):
        phi.add_incoming(e.constant(0.0), before)
        phi.add_incoming(value, given)
    return sums


@dataclass(frozen=True)
class _Reader:
    """The inner sum of a tile.

    It carries addresses that move along k: of one or two rows of A, from which the others are reached; of the panel;
    and of what the following tiles read. That is fetched towards the second cache meanwhile, each block of rows
    fetching its share, so that a matrix larger than the caches comes in at the speed of the arithmetic.
    """

    e: Emitter
    rows: int
    vectors: int
    lda: Value
    num_bases: int
    spacing: Value

    def inner_sum(self, places: list[Value], depth: Value, sums: list[Value]) -> list[Value]:
        """Add ``A[row, k] * panel[k, vector]`` for k = 0, 1, 2, ... to ``sums[row * vectors + vector]``."""
        e, b = self.e, self.e.b
        rounds = b.sdiv(depth, index(UNROLL))
        carried = [*places, *sums]
        carried = e.loop(index(0), rounds, index(1), carried, lambda _, now: self._steps(UNROLL, now))
        done = b.mul(rounds, index(UNROLL))
        carried = e.loop(done, depth, index(1), carried, lambda _, now: self._steps(1, now))
        return carried[len(places) :]

    def _steps(self, count: int, carried: list[Value]) -> list[Value]:
        e, num = self.e, self.num_bases
        bases, (panel, following), sums = carried[:num], carried[num : num + 2], carried[num + 2 :]
        for k in range(count):
            sums = self._step(k, bases, panel, sums)
        moved = [e.at(base, index(count)) for base in bases]
        return [*moved, e.at(panel, index(count * self.vectors * e.lanes)), self._fetch(count, following), *sums]

    def _step(self, k: int, bases: list[Value], panel: Value, sums: list[Value]) -> list[Value]:
        e, vectors = self.e, self.vectors
        weights = [e.load(e.at(panel, index((k * vectors + vector) * e.lanes))) for vector in range(vectors)]
        new = []
        for row in range(self.rows):
            base = bases[row // _BASE_ROWS]
            place = e.at(base, e.b.mul(self.lda, index(row % _BASE_ROWS)))
            number = e.broadcast(e.at(place, index(k)))
            new += [e.fma(number, weight, sums[row * vectors + v]) for v, weight in enumerate(weights)]
        return new

    def _fetch(self, count: int, following: Value) -> Value:
        # with few rows there is one block only, whose reading the processor foresees better
        if self.rows < _BASE_ROWS:
            return following
        e, b = self.e, self.e.b
        fetch = e.declare("llvm.prefetch.p0", ir.VoidType(), (pointer, i32, i32, i32))
        for step in range(count):
            place = b.gep(following, [b.mul(self.spacing, index(step))], source_etype=i8)
            # for reading, into the second cache, data
            b.call(fetch, [place, *(ir.Constant(i32, number) for number in (0, 2, 1))])
        return b.gep(following, [b.mul(self.spacing, index(count))], source_etype=i8)


def _minimum(e: Emitter, one: Value, other: Value) -> Value:
    return e.b.select(e.b.icmp_signed("<", one, other), one, other)


def _at_least_one(e: Emitter, number: Value) -> Value:
    return e.b.select(e.b.icmp_signed("<", number, index(1)), index(1), number)


def _is_null(e: Emitter, address: Value) -> Value:
    return e.b.icmp_unsigned("==", address, ir.Constant(pointer, None))


def _first_lanes(e: Emitter, count: Value) -> Value:
    """Return the mask of the first ``count`` lanes, a number known at run time."""
    lanes = ir.Constant(e.integers, list(range(e.lanes)))
    wanted = e.splat(count if e.integer is i64 else e.b.trunc(count, e.integer))
    return e.b.icmp_signed("<", lanes, wanted)


def _load_masked(e: Emitter, address: Value, mask: Value) -> Value:
    name = f"llvm.masked.load.{e.suffix}.p0"
    function = e.declare(name, e.vector, (pointer, e.bits, e.vector))
    return e.b.call(function, [address, mask, e.constant(0.0)])


def _store_masked(e: Emitter, value: Value, address: Value, mask: Value) -> None:
    name = f"llvm.masked.store.{e.suffix}.p0"
    function = e.declare(name, ir.VoidType(), (e.vector, pointer, e.bits))
    e.b.call(function, [value, address, mask])
