"""The order of work inside a section: products, sums along a row, and loops of pointwise operations.

Only few values are written to memory: what others need, operands and results of products, sums, pieces put together,
and what is costly and used twice. Everything else is computed where it is used, through its views: an element of a view
is an element of what it views, at an index that is an affine function of the loop's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from recurra.loop.fission import HEAVY, Section, width
from recurra.loop.graph import REDUCTIONS, VIEWS, Node
from recurra.loop.indexing import Affine, Index, identity, offset_of, strides_of, view_index


@dataclass(frozen=True)
class Store:
    """One value of a loop that goes to memory.

    Attributes:
        slot: Where to.
        node: What.
        offset: Place of the element in the slot's row.
    """

    slot: str
    node: Node
    offset: Affine


@dataclass
class Pointwise:
    """A loop nest over ``domain``, for each row."""

    domain: tuple[int, ...]
    stores: list[Store] = field(default_factory=list)


@dataclass
class Reduce:
    """Sums, or the like, along axes: ``kept`` are the loops around, ``reduced`` the loops inside, for each row."""

    kept: tuple[int, ...]
    reduced: tuple[int, ...]
    results: list[tuple[Store, str, Node, Index]] = field(default_factory=list)


@dataclass
class Scan:
    """A running sum: ``domain`` are the loops around, ``length`` the one inside, its variable the last one."""

    domain: tuple[int, ...]
    length: int
    store: Store
    source: Node
    index: Index


@dataclass
class Product:
    """``slot`` (rows, N) = bias + ``source`` (rows, K) @ matrix; a row of the batch may have several rows here."""

    slot: str
    source: str
    offset: int
    stride: int
    multiple: int
    matrix: Node
    bias: Node | None
    inner: int
    columns: int


Work = Pointwise | Reduce | Scan | Product


@dataclass
class Program:
    """A section in order.

    Attributes:
        section: What it computes.
        work: In the order of execution.
        stored: The slot of each value that lies in memory.
        ready: From which place in time on it does; inputs from the start.
        times: The place in time of each item of ``work``.
        scratch: Slots used by this section only, and their widths.
        weights: Batch-free values read by the loops; the operands of products are not among them.
        widths: Numbers in a row of every slot.
    """

    section: Section
    work: list[Work]
    times: list[int]
    stored: dict[Node, str]
    ready: dict[Node, int]
    scratch: dict[str, int]
    weights: list[Node]
    widths: dict[str, int]


def schedule(section: Section) -> Program:
    """Order the work of a section."""
    return _Scheduler(section).run()


_PRODUCTS, _SUMS, _LOOPS, _PHASES = 0, 1, 2, 3


class _Scheduler:
    def __init__(self, section: Section) -> None:
        self.section = section
        self.inputs = section.inputs
        self.nodes = self._topological()
        self.stored: dict[Node, str] = dict(section.inputs)
        self.scratch: dict[str, int] = {}
        self.usable: dict[Node, int] = {}
        self.work: list[tuple[int, Work]] = []
        targets: dict[Node, str] = {}
        for slot, node in section.targets.items():
            targets.setdefault(node, slot)
        self.targets = targets

    def run(self) -> Program:
        for node in self.nodes:
            self._place(node)
        for slot, node in self.section.targets.items():
            if self.stored.get(node) != slot:
                self._store(slot, node)
        self._store_costly()
        ordered = self._fused()
        weights = [node for node in self._batch_free() if node.op != "full"]
        known = {slot: width(node) for node, slot in self.inputs.items()}
        known |= {slot: width(node) for slot, node in self.section.targets.items()}
        return Program(
            self.section,
            [work for _, work in ordered],
            [time for time, _ in ordered],
            self.stored,
            self.ready,
            self.scratch,
            weights,
            known | self.scratch,
        )

    def _topological(self) -> list[Node]:
        order: list[Node] = []
        seen: set[Node] = set()

        def visit(node: Node) -> None:
            waiting = [(node, False)]
            while waiting:
                item, done = waiting.pop()
                if done:
                    order.append(item)
                elif item not in seen and item.is_row:
                    seen.add(item)
                    waiting.append((item, True))
                    if item not in self.inputs:
                        waiting.extend((operand, False) for operand in item.operands())

        for node in self.section.targets.values():
            visit(node)
        return order

    # --- when a value can be had

    @property
    def ready(self) -> dict[Node, int]:
        return {node: self.memory[node] for node in self.stored if node in self.memory}

    def _place(self, node: Node) -> None:
        if not hasattr(self, "memory"):
            self.memory: dict[Node, int] = dict.fromkeys(self.inputs, 0)
        if node in self.inputs or node.op == "full":
            self.usable[node] = 0
        elif node.op in ("mm", "addmm"):
            self._place_product(node)
        elif node.op in REDUCTIONS:
            self._place_reduction(node)
        elif node.op == "cumsum":
            self._place_scan(node)
        elif node.op == "cat":
            self._place_pieces(node)
        else:
            if node.op == "reshape" and view_index(node, identity(node.row_shape)[1]) is None:
                # read as one long row, which only memory is
                self._in_memory(node.operands()[0])
                self.usable[node] = self.memory[node.operands()[0]]
                return
            self.usable[node] = max([self.usable[n] for n in node.operands() if n.is_row], default=0)

    def _slot(self, node: Node) -> str:
        """Choose where a value is stored: its target, or scratch memory."""
        slot = self.targets.get(node)
        if slot is None:
            slot = f"scratch:{node.name}"
            self.scratch[slot] = width(node)
        self.stored[node] = slot
        return slot

    def _at(self, earliest: int, phase: int) -> int:
        return earliest + (phase - earliest) % _PHASES

    def _in_memory(self, node: Node) -> None:
        if node not in self.memory:
            self._store(self._slot(node), node)

    def _store(self, slot: str, node: Node) -> None:
        domain, index = identity(node.row_shape)
        time = self._at(self.usable[node], _LOOPS)
        self.work.append((time, Pointwise(domain, [Store(slot, node, offset_of(index, node.row_shape, len(domain)))])))
        self.memory.setdefault(node, time + 1)

    def _place_product(self, node: Node) -> None:
        bias = node.args[0] if node.op == "addmm" else None
        source, matrix = node.operands()[-2:]
        multiple, inner = source.row_shape
        found = self._resolve(source)
        if found is None:
            self._in_memory(source)
            found = source, Affine(0, (inner, 1))
        base, place = found
        time = self._at(self.memory[base], _PRODUCTS)
        self.work.append(
            (
                time,
                Product(
                    self._slot(node),
                    self.stored[base],
                    place.constant,
                    place.factors[0],
                    multiple,
                    matrix,
                    bias,
                    inner,
                    node.row_shape[1],
                ),
            )
        )
        self.memory[node] = self.usable[node] = time + 1

    def _resolve(self, source: Node) -> tuple[Node, Affine] | None:
        """Find the value in memory that a product's operand is a view of, if its rows lie there as a product needs."""
        multiple, inner = source.row_shape
        index: Index | None = (Affine(0, (1, 0)), Affine(0, (0, 1)))
        node = source
        while node not in self.memory:
            if node.op not in VIEWS or index is None:
                return None
            index = view_index(node, index)
            node = node.operands()[0]
        if index is None:
            return None
        place = offset_of(index, node.row_shape, 2)
        if inner > 1 and place.factors[1] != 1:
            return None
        if multiple > 1 and place.factors[0] * multiple != width(node):
            return None
        return node, place

    def _place_reduction(self, node: Node) -> None:
        source, axes, _ = node.args
        shape = source.row_shape
        kept_sizes = [n for a, n in enumerate(shape) if a not in axes]
        kept = tuple(n for n in kept_sizes if n != 1)
        reduced = tuple(shape[a] for a in axes if shape[a] != 1)
        variables = len(kept) + len(reduced)
        fresh_kept, fresh_reduced = itertools.count(), itertools.count(len(kept))
        index = tuple(
            _variable(next(fresh_reduced if a in axes else fresh_kept) if n != 1 else None, variables)
            for a, n in enumerate(shape)
        )
        time = self._at(self.usable[source], _SUMS)
        own = identity(node.row_shape)[1]
        offset = offset_of(own, node.row_shape, len(kept))
        padded = Affine(offset.constant, offset.factors + (0,) * len(reduced))
        store = Store(self._slot(node), node, padded)
        self.work.append((time, Reduce(kept, reduced, [(store, node.op, source, index)])))
        self.memory[node] = self.usable[node] = time + 1

    def _place_scan(self, node: Node) -> None:
        source, axis = node.args
        shape = source.row_shape
        domain = tuple(n for a, n in enumerate(shape) if a != axis and n != 1)
        fresh = itertools.count()
        index = tuple(
            _variable(len(domain) if a == axis else next(fresh) if n != 1 else None, len(domain) + 1)
            for a, n in enumerate(shape)
        )
        time = self._at(self.usable[source], _SUMS)
        offset = offset_of(index, shape, len(domain) + 1)
        store = Store(self._slot(node), node, offset)
        self.work.append((time, Scan(domain, shape[axis], store, source, index)))
        self.memory[node] = self.usable[node] = time + 1

    def _place_pieces(self, node: Node) -> None:
        pieces, axis = node.args
        slot = self._slot(node)
        strides = strides_of(node.row_shape)
        start = 0
        latest = 0
        for piece in pieces:
            domain, index = identity(piece.row_shape)
            place = Affine(start * strides[axis], (0,) * len(domain))
            for along, stride, size in zip(index, strides, piece.row_shape, strict=True):
                place = place + along * (stride if size > 1 else 0)
            time = self._at(self.usable[piece] if piece.is_row else 0, _LOOPS)
            if width(piece):
                self.work.append((time, Pointwise(domain, [Store(slot, piece, place)])))
            latest = max(latest, time + 1)
            start += piece.row_shape[axis]
        self.memory[node] = self.usable[node] = latest

    # --- what is costly is stored when two loops need it

    def _store_costly(self) -> None:
        uses: dict[Node, set[tuple[int, tuple[int, ...]]]] = {}
        for time, work in self.work:
            if isinstance(work, Product):
                continue
            for node in self._computed(work, time):
                uses.setdefault(node, set()).add((time, _domain(work)))
        for node in self.nodes:
            if len(uses.get(node, ())) > 1 and node.op in HEAVY and node not in self.memory:
                self._store(self._slot(node), node)

    def _computed(self, work: Pointwise | Reduce | Scan, time: int) -> set[Node]:
        found: set[Node] = set()
        waiting = list(_sources(work))
        while waiting:
            node = waiting.pop()
            if node in found or not node.is_row or self.memory.get(node, time + 1) <= time:
                continue
            found.add(node)
            waiting.extend(node.operands())
        return found

    # --- what can be one loop becomes one

    def _fused(self) -> list[tuple[int, Work]]:
        groups: dict[tuple[int, str, tuple[int, ...], tuple[int, ...]], Work] = {}
        result: list[tuple[int, Work]] = []
        for time, work in sorted(self.work, key=lambda item: item[0]):
            if isinstance(work, Pointwise):
                first = groups.setdefault((time, "loop", work.domain, ()), work)
                if first is not work:
                    assert isinstance(first, Pointwise)
                    first.stores += work.stores
                    continue
            elif isinstance(work, Reduce):
                first = groups.setdefault((time, "sum", work.kept, work.reduced), work)
                if first is not work:
                    assert isinstance(first, Reduce)
                    first.results += work.results
                    continue
            result.append((time, work))
        return result

    def _batch_free(self) -> list[Node]:
        found: dict[Node, None] = {}
        for _, work in self.work:
            for node in () if isinstance(work, Product) else _sources(work):
                if not node.is_row:
                    found[node] = None
        for node in self.nodes:
            if node in self.inputs or node.op in ("mm", "addmm"):
                continue
            for operand in node.operands():
                if not operand.is_row:
                    found[operand] = None
        return list(found)


def _variable(chosen: int | None, count: int) -> Affine:
    return Affine(0, tuple(int(v == chosen) for v in range(count)))


def _domain(work: Work) -> tuple[int, ...]:
    if isinstance(work, Reduce):
        return work.kept + work.reduced
    return work.domain if isinstance(work, Pointwise | Scan) else ()


def _sources(work: Pointwise | Reduce | Scan) -> Iterable[Node]:
    if isinstance(work, Pointwise):
        return [store.node for store in work.stores]
    if isinstance(work, Reduce):
        return [source for _, _, source, _ in work.results]
    return [work.source]
