"""From a section's program to one native function: ``void section(i64* arguments, i64 thread, i64 num_threads)``.

The rows of the batch are cut into pieces, and a thread runs all steps over one piece after the other. Where the weights
are too large for a core's cache and the rows are few, all threads run each piece together instead: each has its columns
of every product and its rows of every loop, and they wait for one another in between. The sums are the same, in the
same order, either way.

A row slot is an array of rows and a list that says where the rows of each step begin. All counts are run-time
arguments, so that a new batch size or length compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.ir as ir

from recurra.loop.indexing import identity
from recurra.loop.llvm.emit import REDUCERS, Element, across_lanes
from recurra.loop.llvm.jit import Code, Target, compile_module, host_target
from recurra.loop.llvm.signature import HEADER, Resets, Signature, signature_of
from recurra.loop.llvm.vectors import Emitter, Value, i8, i64, index, new_function, pointer
from recurra.loop.schedule import Pointwise, Product, Program, Reduce, Scan, Store

_PRODUCT_TYPE = ir.FunctionType(ir.VoidType(), [pointer, i64, pointer, i64, i64, pointer, i64, pointer, i64, i64])


def build_module(program: Program, resets: Resets, target: Target, item_bytes: int) -> ir.Module:
    """Return the LLVM module of a section."""
    module = ir.Module()
    with new_function(module, "section", [pointer, i64, i64], target, item_bytes) as (e, arguments):
        _SectionWriter(e, program, resets, signature_of(program, resets)).write(*arguments)
    return module


def compile_section(program: Program, resets: Resets, item_bytes: int) -> Code:
    """Compile a section for the host."""
    return compile_module(build_module(program, resets, host_target(), item_bytes))


class _SectionWriter:
    def __init__(self, e: Emitter, program: Program, resets: Resets, signature: Signature) -> None:
        self.e, self.b = e, e.b
        self.program, self.resets, self.signature = program, resets, signature

    def write(self, arguments: Value, thread: Value, num_threads: Value) -> None:
        self.arguments = arguments
        self.header = {name: self._argument(place) for place, name in enumerate(HEADER)}
        place = len(HEADER)
        self.slots: dict[str, tuple[Value, Value]] = {}
        for slot in self.signature.slots:
            self.slots[slot] = self._pointer(place), self._pointer(place + 1)
            place += 2
        rest = [*self.signature.weights, *self.signature.biases, *self.signature.matrices]
        addresses = [self._pointer(place + k) for k in range(len(rest))]
        weights, biases = len(self.signature.weights), len(self.signature.biases)
        self.weights = dict(zip(self.signature.weights, addresses, strict=False))
        self.biases = dict(zip(self.signature.biases, addresses[weights:], strict=False))
        self.matrices = dict(zip(self.signature.matrices, addresses[weights + biases :], strict=False))
        b = self.b
        together = b.icmp_signed("!=", self.header["together"], index(0))
        # of each piece this thread has part `part` of `parts`
        self.part = b.select(together, thread, index(0))
        self.parts = b.select(together, num_threads, index(1))
        own = b.select(together, index(0), thread)
        step = b.select(together, index(1), num_threads)
        self._write_scratch(own)
        self.e.loop(own, self.header["pieces"], step, [], lambda piece, _: self._write_piece(piece))

    def _argument(self, place: int) -> Value:
        return self.b.load(self.b.gep(self.arguments, [index(place)], source_etype=i64), align=8, typ=i64)

    def _pointer(self, place: int) -> Value:
        return self.b.inttoptr(self._argument(place), pointer)

    def _entry(self, array: Value, place: Value) -> Value:
        if array.type != pointer:
            array = self.b.inttoptr(array, pointer)
        return self.b.load(self.b.gep(array, [place], source_etype=i64), align=8, typ=i64)

    def _write_scratch(self, thread: Value) -> None:
        rows = self.header["piece_rows"]
        start = self.b.mul(self.b.mul(thread, rows), index(self.signature.scratch_width))
        base = self.e.at(self.b.inttoptr(self.header["scratch"], pointer), start)
        self.scratch: dict[str, Value] = {}
        before = 0
        for slot, size in self.program.scratch.items():
            self.scratch[slot] = self.e.at(base, self.b.mul(rows, index(before)))
            before += size

    def _write_piece(self, piece: Value) -> None:
        low = self._entry(self.header["cuts"], piece)
        high = self._entry(self.header["cuts"], self.b.add(piece, index(1)))
        self.e.loop(index(0), self.header["steps"], index(1), [], lambda t, _: self._write_step(t, low, high))

    def _write_step(self, t: Value, low: Value, high: Value) -> None:
        b = self.b
        active = self._entry(self.header["active"], t)
        end = b.select(b.icmp_signed("<", active, high), active, high)
        count = b.sub(end, low)
        with b.if_then(b.icmp_signed(">", count, index(0))):
            self.first: dict[str, Value] = dict(self.scratch)
            for slot, (base, offsets) in self.slots.items():
                if slot in self.program.widths:
                    self.first[slot] = self._first_row(slot, base, offsets, t, low)
            rows = self._share(count)
            self._write_resets(t, low, rows, entering=True)
            before: int | None = None
            for time, work in zip(self.program.times, self.program.work, strict=True):
                if before not in (None, time):
                    self._wait()
                self._write_work(time, work, count, rows)
                before = time
            self._wait()
            self._write_resets(t, low, rows, entering=False)

    def _share(self, count: Value) -> tuple[Value, Value]:
        """Return where this thread's share of ``count`` things begins and ends."""
        b = self.b
        ends = [b.add(self.part, index(k)) for k in range(2)]
        first, end = (b.sdiv(b.mul(count, place), self.parts) for place in ends)
        return first, end

    def _wait(self) -> None:
        """Wait until all threads that share a piece have come here."""
        with self.b.if_then(self.b.icmp_signed(">", self.parts, index(1))):
            barrier = self.b.inttoptr(self.header["barrier"], ir.FunctionType(ir.VoidType(), []).as_pointer())
            self.b.call(barrier, [])

    def _first_row(self, slot: str, base: Value, offsets: Value, t: Value, low: Value) -> Value:
        row = self.b.add(self._entry(offsets, t), low)
        return self.e.at(base, self.b.mul(row, index(self.signature.slots[slot])))

    def _row(self, first: Value, row: Value, width: int) -> Value:
        return self.e.at(first, self.b.mul(row, index(width)))

    def _write_work(
        self, time: int, work: Pointwise | Reduce | Scan | Product, count: Value, share: tuple[Value, Value]
    ) -> None:
        if isinstance(work, Product):
            self._write_product(work, count)
            return
        write: Any = {Pointwise: self._write_pointwise, Reduce: self._write_reduce, Scan: self._write_scan}[type(work)]

        def one_row(row: Value, _: Sequence[Value]) -> None:
            rows = {slot: self._row(first, row, self.program.widths[slot]) for slot, first in self.first.items()}
            write(time, work, rows)

        self.e.loop(*share, index(1), [], one_row)

    # --- products

    def _write_product(self, work: Product, count: Value) -> None:
        b = self.b
        panel = self.e.target.tile_vectors * self.e.lanes
        first, end = (b.mul(share, index(panel)) for share in self._share(index(-(-work.columns // panel))))
        last = b.icmp_signed("<", end, index(work.columns))
        columns = b.sub(b.select(last, end, index(work.columns)), first)
        with b.if_then(b.icmp_signed(">", columns, index(0))):
            self._call_product(work, count, first, columns)

    def _call_product(self, work: Product, count: Value, first: Value, columns: Value) -> None:
        """Multiply by some columns of a matrix, beginning with a panel."""
        b, widths = self.b, self.program.widths
        function = b.inttoptr(self.header["product"], _PRODUCT_TYPE.as_pointer())
        rows = b.mul(count, index(work.multiple))
        row_stride = work.stride if work.multiple > 1 else widths[work.source]
        null = ir.Constant(pointer, None)
        bias = null if work.bias is None else self.e.at(self.biases[(work.bias, work.columns)], first)
        source = self.e.at(self.first[work.source], index(work.offset))
        b.call(
            function,
            [
                source,
                index(row_stride),
                self.e.at(self.matrices[work.matrix], b.mul(first, index(work.inner))),
                index(work.inner),
                columns,
                bias,
                index(0),
                self.e.at(self.first[work.slot], first),
                index(work.columns if work.multiple > 1 else widths[work.slot]),
                rows,
            ],
        )

    # --- loops

    def _element(
        self, time: int, rows: dict[str, Value], variables: Sequence[Value], lane: int | None, count: int | None
    ) -> Element:
        return Element(
            self.e,
            self.program,
            time,
            rows=rows,
            weights=self.weights,
            variables=variables,
            lane=lane,
            count=count,
        )

    def _nest(self, sizes: Sequence[int], variables: list[Value], body: Callable[[list[Value]], None]) -> None:
        """Emit loops over ``sizes`` around ``body``, which takes all variables."""
        if not sizes:
            body(variables)
            return
        self.e.loop(
            index(0),
            index(sizes[0]),
            index(1),
            [],
            lambda i, _: self._nest(sizes[1:], [*variables, i], body),
        )

    def _write_pointwise(self, time: int, work: Pointwise, rows: dict[str, Value]) -> None:
        if not work.domain:
            self._write_stores(work.stores, self._element(time, rows, [], None, None), ())
            return
        last = work.domain[-1]

        def inner(outer: list[Value]) -> None:
            def vector(i: Value, count: int | None) -> None:
                element = self._element(time, rows, [*outer, i], len(work.domain) - 1, count)
                self._write_stores(work.stores, element, work.domain)

            self._by_vectors(last, vector)

        self._nest(work.domain[:-1], [], inner)

    def _by_vectors(self, size: int, body: Callable[[Value, int | None], None]) -> None:
        """Emit a loop over whole vectors, and once more what remains."""
        whole = size // self.e.lanes * self.e.lanes
        if whole:
            self.e.loop(index(0), index(whole), index(self.e.lanes), [], lambda i, _: body(i, None))
        if size > whole:
            body(index(whole), size - whole)

    def _write_stores(self, stores: Sequence[Store], element: Element, domain: tuple[int, ...]) -> None:
        values = [element.value(store.node, identity(store.node.row_shape)[1]) for store in stores]
        # all is read before anything is written
        for store, value in zip(stores, values, strict=True):
            element.store(value, element.rows[store.slot], store.offset)

    def _write_reduce(self, time: int, work: Reduce, rows: dict[str, Value]) -> None:
        def kept(outer: list[Value]) -> None:
            starts = [self.e.constant(REDUCERS[kind][0]) for _, kind, _, _ in work.results]
            if work.reduced:
                totals = self._reduce_axes(time, work, rows, outer, list(work.reduced), starts)
            else:
                totals = self._combine(time, work, rows, outer, starts, None, None)
            padded = [*outer, *(index(0) for _ in work.reduced)]
            element = self._element(time, rows, padded, None, None)
            for (store, kind, _, _), total in zip(work.results, totals, strict=True):
                result = across_lanes(self.e, kind, total) if work.reduced else total
                element.store(result, rows[store.slot], store.offset)

        self._nest(work.kept, [], kept)

    def _reduce_axes(
        self,
        time: int,
        work: Reduce,
        rows: dict[str, Value],
        variables: list[Value],
        sizes: list[int],
        totals: list[Value],
    ) -> list[Value]:
        if len(sizes) > 1:
            return self.e.loop(
                index(0),
                index(sizes[0]),
                index(1),
                totals,
                lambda i, sums: self._reduce_axes(time, work, rows, [*variables, i], sizes[1:], sums),
            )
        lanes = self.e.lanes
        whole = sizes[0] // lanes * lanes
        lane = len(variables)
        if whole:
            totals = self.e.loop(
                index(0),
                index(whole),
                index(lanes),
                totals,
                lambda i, sums: self._combine(time, work, rows, [*variables, i], sums, lane, None),
            )
        if sizes[0] > whole:
            rest = [*variables, index(whole)]
            totals = self._combine(time, work, rows, rest, totals, lane, sizes[0] - whole)
        return totals

    def _combine(
        self,
        time: int,
        work: Reduce,
        rows: dict[str, Value],
        variables: list[Value],
        totals: Sequence[Value],
        lane: int | None,
        count: int | None,
    ) -> list[Value]:
        element = self._element(time, rows, variables, lane, count)
        results = []
        for (_, kind, source, place), total in zip(work.results, totals, strict=True):
            neutral, combine = REDUCERS[kind]
            value = element.real(element.value(source, place))
            if count is not None:
                value = self.e.select(self.e.first_lanes(count), value, self.e.constant(neutral))
            results.append(combine(self.e, total, value))
        return results

    def _write_scan(self, time: int, work: Scan, rows: dict[str, Value]) -> None:
        def along(outer: list[Value]) -> None:
            def step(i: Value, sums: list[Value]) -> list[Value]:
                element = self._element(time, rows, [*outer, i], None, None)
                total = self.e.b.fadd(sums[0], element.real(element.value(work.source, work.index)))
                element.store(total, rows[work.store.slot], work.store.offset)
                return [total]

            self.e.loop(index(0), index(work.length), index(1), [self.e.constant(0.0)], step)

        self._nest(work.domain, [], along)

    # --- resets

    def _write_resets(self, t: Value, low: Value, share: tuple[Value, Value], *, entering: bool) -> None:
        items = self.resets.entering if entering else self.resets.leaving
        if not items:
            return
        b = self.b
        with b.if_then(b.icmp_signed("!=", self.header["reset"], index(0))):
            start = b.add(self._entry(self.header["offsets"], t), low)
            flags = b.gep(b.inttoptr(self.header["reset"], pointer), [start], source_etype=i8)
            for item in items:
                width = item[-1]
                firsts = [self._first_row(slot, *self.slots[slot], t, low) for slot in item[:-1]]

                def one_row(row: Value, _: Sequence[Value], firsts: list[Value] = firsts, width: int = width) -> None:
                    flag = b.load(b.gep(flags, [row], source_etype=i8), align=1, typ=i8)
                    marked = b.icmp_unsigned("!=", flag, ir.Constant(i8, 0))
                    rows = [self._row(first, row, width) for first in firsts]
                    self._enter(marked, rows, width) if entering else self._leave(marked, rows, width)

                self.e.loop(*share, index(1), [], one_row)
            self._wait()

    def _enter(self, marked: Value, rows: list[Value], width: int) -> None:
        before, initial, to = rows
        source = self.b.select(marked, initial, before)

        def copy(i: Value, count: int | None) -> None:
            self.e.store(self.e.load(self.e.at(source, i), count), self.e.at(to, i), count)

        self._by_vectors(width, copy)

    def _leave(self, marked: Value, rows: list[Value], width: int) -> None:
        gradient, initial = rows

        def move(i: Value, count: int | None) -> None:
            to, source = self.e.at(initial, i), self.e.at(gradient, i)
            self.e.store(self.b.fadd(self.e.load(to, count), self.e.load(source, count)), to, count)
            self.e.store(self.e.constant(0.0), source, count)

        with self.b.if_then(marked):
            self._by_vectors(width, move)
