"""Weights in panels: the order in which a product reads a matrix, and the code that brings it there.

A matrix M (K, N) is cut by columns into panels of ``tile_vectors`` vectors; the last panel has the vectors that are
left. A panel holds its columns row after row, so that a product reads it from its first number to its last, and the
panels follow each other. Columns that fill up the last vector are zero.
"""

from __future__ import annotations

from typing import NamedTuple

import llvmlite.ir as ir

from recurra.loop.llvm.jit import Target
from recurra.loop.llvm.vectors import Emitter, Value, i32, i64, index, new_function, pointer


def packed_size(num_rows: int, num_columns: int, target: Target, item_bytes: int) -> int:
    """Return how many numbers the panels of a matrix hold, the zeros behind its last column counted.

    Args:
        num_rows: K, 0 or more.
        num_columns: N, 1 or more.
        target: The machine whose vectors count.
        item_bytes: 4 for float32, 8 for float64.
    """
    lanes = target.lanes(item_bytes)
    return num_rows * -(-num_columns // lanes) * lanes


def num_panels(num_columns: int, target: Target, item_bytes: int) -> int:
    """Return how many panels a matrix of ``num_columns`` columns has."""
    return -(-num_columns // (target.lanes(item_bytes) * target.tile_vectors))


class _Block(NamedTuple):
    """A part of the matrix and the place of its panel: element (k, n) goes to ``panel[k * width + n]``."""

    source: Value
    row_stride: Value
    column_stride: Value
    num_rows: Value
    num_columns: Value
    panel: Value
    width: Value

    def behind(self, e: Emitter, rows: Value, columns: Value) -> _Block:
        """Return the part that begins at a later row or column."""
        b = e.b
        read = b.add(b.mul(rows, self.row_stride), b.mul(columns, self.column_stride))
        written = b.add(b.mul(rows, self.width), columns)
        return self._replace(
            source=e.at(self.source, read),
            num_rows=b.sub(self.num_rows, rows),
            num_columns=b.sub(self.num_columns, columns),
            panel=e.at(self.panel, written),
        )


def emit_pack(module: ir.Module, target: Target, item_bytes: int) -> Value:
    """Emit ``pack``, which copies panels ``first_panel <= p < last_panel`` of a matrix with any strides.

    ``void pack(M, i64 row_stride, i64 column_stride, i64 K, i64 N, P, i64 first_panel, i64 last_panel)``,
    strides in elements. ``P`` is where panel 0 begins, whatever the first panel is.
    Rows that are contiguous are copied; columns that are contiguous are transposed in registers.
    """
    strided = _emit_strided(module, target, item_bytes)
    arguments = [pointer, i64, i64, i64, i64, pointer, i64, i64]
    with new_function(module, "pack", arguments, target, item_bytes) as (e, values):
        matrix, row_stride, column_stride, num_rows, num_columns, packed, first, last = values
        b, columns = e.b, index(e.lanes * target.tile_vectors)

        def panel(number: Value, _: list[Value]) -> None:
            start = b.mul(number, columns)
            left = b.sub(num_columns, start)
            here = b.select(b.icmp_signed("<", left, columns), left, columns)
            width = b.and_(b.add(here, index(e.lanes - 1)), index(-e.lanes))
            source = e.at(matrix, b.mul(start, column_stride))
            place = e.at(packed, b.mul(start, num_rows))
            _pack_panel(e, strided, _Block(source, row_stride, column_stride, num_rows, here, place, width))

        e.loop(first, last, index(1), [], panel)
    return module.globals["pack"]


def emit_pack_task(module: ir.Module, target: Target, item_bytes: int, pack: Value) -> None:
    """Emit ``pack_task``: each thread packs every num_threads-th panel.

    Its seven arguments are those of ``pack`` up to ``P``, then the number of panels.
    """
    with new_function(module, "pack_task", [pointer, i64, i64], target, item_bytes) as (
        e,
        (arguments, thread, threads),
    ):
        b = e.b
        given = [b.load(b.gep(arguments, [index(i)], source_etype=i64), typ=i64) for i in range(7)]
        matrix, packed = b.inttoptr(given[0], pointer), b.inttoptr(given[5], pointer)

        def panel(number: Value, _: list[Value]) -> None:
            b.call(pack, [matrix, *given[1:5], packed, number, b.add(number, index(1))])

        e.loop(thread, given[6], threads, [], panel)


def _pack_panel(e: Emitter, strided: Value, block: _Block) -> None:
    """Pack what fits whole vectors by vectors, and the rest number by number."""
    b = e.b
    whole = b.and_(block.num_columns, index(-e.lanes))
    ways = [b.append_basic_block(name) for name in ("copy", "other", "transpose", "rest")]
    copy, other, transpose, rest = ways
    b.cbranch(b.icmp_signed("==", block.column_stride, index(1)), copy, other)

    b.position_at_end(copy)
    _copy_rows(e, block, whole)
    copied = b.block
    b.branch(rest)

    b.position_at_end(other)
    b.cbranch(b.icmp_signed("==", block.row_stride, index(1)), transpose, rest)

    b.position_at_end(transpose)
    whole_rows = b.and_(block.num_rows, index(-e.lanes))
    _transpose(e, block, whole_rows, whole)
    transposed = b.block
    b.branch(rest)

    b.position_at_end(rest)
    rows, columns = b.phi(i64), b.phi(i64)
    for origin, done_rows, done_columns in (
        (copied, block.num_rows, whole),
        (other, index(0), index(0)),
        (transposed, whole_rows, whole),
    ):
        rows.add_incoming(done_rows, origin)
        columns.add_incoming(done_columns, origin)
    b.call(strided, [*block.behind(e, index(0), columns)])
    b.call(strided, [*block.behind(e, rows, index(0))._replace(num_columns=columns)])


def _copy_rows(e: Emitter, block: _Block, whole: Value) -> None:
    b = e.b

    def row(k: Value, _: list[Value]) -> None:
        source = e.at(block.source, b.mul(k, block.row_stride))
        place = e.at(block.panel, b.mul(k, block.width))
        e.loop(index(0), whole, index(e.lanes), [], lambda n, _: e.store(e.load(e.at(source, n)), e.at(place, n)))

    e.loop(index(0), block.num_rows, index(1), [], row)


def _transpose(e: Emitter, block: _Block, whole_rows: Value, whole: Value) -> None:
    b = e.b

    def square(k: Value, n: Value) -> None:
        part = block.behind(e, k, n)
        vectors = [e.load(e.at(part.source, b.mul(index(i), block.column_stride))) for i in range(e.lanes)]
        for i, vector in enumerate(_transposed(e, vectors)):
            e.store(vector, e.at(part.panel, b.mul(index(i), block.width)))

    def columns(n: Value, _: list[Value]) -> None:
        e.loop(index(0), whole_rows, index(e.lanes), [], lambda k, _: square(k, n))

    e.loop(index(0), whole, index(e.lanes), [], columns)


def _transposed(e: Emitter, vectors: list[Value]) -> list[Value]:
    """Transpose a square of vectors: interleaving its halves does it in log2(lanes) rounds."""
    half = e.lanes // 2
    low, high = (
        ir.Constant(ir.VectorType(i32, e.lanes), [start + i // 2 + e.lanes * (i % 2) for i in range(e.lanes)])
        for start in (0, half)
    )
    for _ in range(e.lanes.bit_length() - 1):
        pairs = zip(vectors[:half], vectors[half:], strict=True)
        vectors = [e.b.shuffle_vector(a, c, order) for a, c in pairs for order in (low, high)]
    return vectors


def _emit_strided(module: ir.Module, target: Target, item_bytes: int) -> Value:
    """Emit the copy of a block number by number; the rest of its last vectors becomes zero."""
    arguments = [pointer, i64, i64, i64, i64, pointer, i64]
    with new_function(module, "pack_strided", arguments, target, item_bytes) as (e, values):
        block, b = _Block(*values), e.b
        last_vector = b.and_(b.sub(block.num_columns, index(1)), index(-e.lanes))

        def row(k: Value, _: list[Value]) -> None:
            source = e.at(block.source, b.mul(k, block.row_stride))
            place = e.at(block.panel, b.mul(k, block.width))

            def column(n: Value, _: list[Value]) -> None:
                number = b.load(e.at(source, b.mul(n, block.column_stride)), align=item_bytes, typ=e.real)
                b.store(number, e.at(place, n), align=item_bytes)

            e.store(e.constant(0.0), e.at(place, last_vector))
            e.loop(index(0), block.num_columns, index(1), [], column)

        empty = b.icmp_signed("==", block.num_columns, index(0))
        e.loop(index(0), b.select(empty, index(0), block.num_rows), index(1), [], row)
    function = module.globals["pack_strided"]
    function.linkage = "internal"
    return function
