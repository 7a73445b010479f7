"""A compiled step: its sections as machine code, and what they are called with."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.loop.evaluation import Evaluation
from recurra.loop.fission import Fission, Section, split
from recurra.loop.graph import POINTWISE, Graph, Node, Rows
from recurra.loop.llvm.emit import is_known
from recurra.loop.llvm.jit import host_target, optimized_text
from recurra.loop.llvm.products import kernels, pack_matrix
from recurra.loop.llvm.section import build_module, compile_section
from recurra.loop.llvm.signature import Resets, Signature, signature_of
from recurra.loop.llvm.threads import barrier_address, run
from recurra.loop.memory import pool
from recurra.loop.rewrite import cut_products
from recurra.loop.rows import Layout, Pieces, Steps
from recurra.loop.schedule import Product, Program, Reduce, Work, schedule

_SERIAL_WORK = 1_000_000
"""Floating-point operations below which one thread does all."""
_CACHE_BYTES = 1_500_000
"""Weights that a core's cache can be expected to hold from step to step."""
_FEW_ROWS = 16
"""Rows of a thread with which a product takes longer to fetch its weights than to multiply."""
_POINTWISE_COST = 50
"""Floating-point operations in the time that one element takes in a typical pointwise loop."""

Binding = tuple[Tensor, Tensor]
"""The array of a slot, and where the rows of each step begin in it."""


@dataclass
class CompiledSection:
    """One section, ready to run.

    Attributes:
        program: What it does.
        signature: Its arguments.
        resets: Slots that resets touch.
        item_bytes: Size of a number.
    """

    program: Program
    signature: Signature
    resets: Resets
    item_bytes: int

    def __post_init__(self) -> None:
        self.code = compile_section(self.program, self.resets, self.item_bytes)
        self.address = self.code.address("section")
        self.row_cost = sum(map(_cost, self.program.work))
        products = [work for work in self.program.work if isinstance(work, Product)]
        self.matrix_bytes = self.item_bytes * sum(work.inner * work.columns for work in products)
        # made once: a new type of array for each call would be garbage that only the collector finds
        self._arguments = ctypes.c_int64 * self.signature.size
        self._product = kernels(self.item_bytes).product

    def llvm_text(self) -> str:
        """Return the section's LLVM text after LLVM's own passes."""
        return optimized_text(build_module(self.program, self.resets, host_target(), self.item_bytes))

    def run(
        self,
        bind: Callable[[str], Binding],
        batch_free: BatchFree,
        steps: Steps,
        *,
        num_steps: int,
        num_rows: int,
        pieces: Pieces,
        threads: int,
        reset: Tensor | None = None,
        is_together: bool = False,
    ) -> None:
        """Run the section over pieces of rows.

        Args:
            bind: Gives the array and the offsets of a slot.
            batch_free: Weights of this call.
            steps: Lists by step.
            num_steps: Steps to run.
            num_rows: Rows of all steps together.
            pieces: The pieces.
            threads: Threads to use.
            reset: Bytes by row of a sequence, or ``None``.
            is_together: Whether all threads run each piece together.
        """
        count = len(pieces.cuts) - 1
        # waking other threads costs more than a little work saves
        most = threads if is_together else min(threads, count)
        threads = most if num_rows * self.row_cost > _SERIAL_WORK else 1
        signature = self.signature
        scratch = allocate((1 if is_together else threads) * pieces.longest * signature.scratch_width, batch_free.dtype)
        numbers = [
            count,
            pieces.cuts.data_ptr(),
            num_steps,
            steps.active.data_ptr(),
            steps.sequence.data_ptr(),
            scratch.data_ptr(),
            pieces.longest,
            self._product,
            0 if reset is None else reset.data_ptr(),
            int(is_together),
            barrier_address() if is_together else 0,
        ]
        for slot in signature.slots:
            array, offsets = bind(slot)
            numbers += (array.data_ptr(), offsets.data_ptr())
        numbers += [batch_free.dense(node).data_ptr() for node in signature.weights]
        numbers += [batch_free.bias(node, columns).data_ptr() for node, columns in signature.biases]
        numbers += [batch_free.panels(node, threads).data_ptr() for node in signature.matrices]
        run(self.address, self._arguments(*numbers), threads)


def _cost(work: Work) -> int:
    """Estimate the floating-point operations of some work on one row."""
    if isinstance(work, Product):
        return 2 * work.inner * work.columns * work.multiple
    sizes = work.kept + work.reduced if isinstance(work, Reduce) else work.domain
    return _POINTWISE_COST * math.prod(sizes)


class BatchFree:
    """The weights of one call in the forms that sections read; each is made once."""

    def __init__(self, dtype: torch.dtype, values: dict[Node, Tensor]) -> None:
        self.dtype = dtype
        self.values = values
        self._dense: dict[Node, Tensor] = {}
        self._biases: dict[tuple[Node, int], Tensor] = {}
        self._panels: dict[Node, Tensor] = {}

    def dense(self, node: Node) -> Tensor:
        """Return the value as a contiguous array."""
        value = self._dense.get(node)
        if value is None:
            value = self.values[node]
            if value.dtype != self.dtype:
                value = value.to(self.dtype)
            value = self._dense[node] = value.contiguous()
        return value

    def bias(self, node: Node, columns: int) -> Tensor:
        """Return the value as one row."""
        key = (node, columns)
        if key not in self._biases:
            self._biases[key] = self.dense(node).expand(columns).contiguous()
        return self._biases[key]

    def panels(self, node: Node, threads: int) -> Tensor:
        """Return the value as a product reads it."""
        if node not in self._panels:
            self._panels[node] = pack_matrix(self.values[node], threads)
        return self._panels[node]


def allocate(size: int, dtype: torch.dtype) -> Tensor:
    """Return memory for ``size`` numbers; all that sections write lies there, or in memory from :func:`rows`."""
    return pool.take(max(size, 1), dtype)


def rows(count: int, width: int, dtype: torch.dtype, *, is_given_away: bool = False) -> Tensor:
    """Return memory for ``count`` rows; of its own and no larger if the caller of the engine gets it."""
    if is_given_away:
        return torch.empty(count, width, dtype=dtype)
    memory = allocate(count * width, dtype)
    return memory.view(count, width) if count * width else memory[:0].view(count, width)


class CompiledStep:
    """A step of a cell, and its derivative if the graph has one.

    Raises:
        UnsupportedCellError: When an operation is not known here.
    """

    def __init__(self, graph: Graph, dtype: torch.dtype) -> None:
        self.graph = graph = cut_products(graph)
        self.dtype = dtype
        self.item_bytes = torch.empty(0, dtype=dtype).element_size()
        _check_known(graph.nodes)
        self.fission: Fission = split(graph)
        self.state_widths = [node.row_shape[-1] for node in graph.state]
        self.sections = {section.name: self._compile(section) for section in self._filled()}
        self.batch_free = self._needed_values()
        weights = list(graph.weights.values())
        self._weights = {way: Evaluation(nodes, weights) for way, nodes in self.batch_free.items()}
        self._sums = Evaluation(self.fission.sums, [*weights, *self.fission.sequences])

    def _filled(self) -> list[Section]:
        fission = self.fission
        sections = [*fission.forward_sections(), *fission.backward_sections()]
        return [section for section in sections if section.targets]

    def _compile(self, section: Section) -> CompiledSection:
        program = schedule(section)
        widths = self.state_widths
        resets = Resets()
        if section is self.fission.forward:
            resets = Resets(entering=tuple((f"old:{k}", f"initial:{k}", f"state:{k}", w) for k, w in enumerate(widths)))
        elif section is self.fission.backward:
            resets = Resets(leaving=tuple((f"d_state:{k}", f"d_initial:{k}", w) for k, w in enumerate(widths)))
        return CompiledSection(program, signature_of(program, resets), resets, self.item_bytes)

    def _needed_values(self) -> dict[str, list[Node]]:
        needed: dict[str, dict[Node, None]] = {"forward": {}, "backward": {}}
        forward = {section.name for section in self.fission.forward_sections()}
        for name, section in self.sections.items():
            signature = section.signature
            nodes = [*signature.weights, *(node for node, _ in signature.biases), *signature.matrices]
            needed["forward" if name in forward else "backward"].update(dict.fromkeys(nodes))
        return {way: list(nodes) for way, nodes in needed.items()}

    def slots_of_all_steps(self, way: str) -> frozenset[str]:
        """Return the slots of one way, "forward" or "backward", that are read for all steps at once."""
        fission = self.fission
        is_forward = way == "forward"
        sections = [fission.before, fission.after] if is_forward else [fission.d_before, fission.d_after]
        found = {slot for s in sections if s.name in self.sections for slot in self.sections[s.name].signature.slots}
        return frozenset(found if is_forward else found | set(fission.sequences.values()))

    def weights(self, way: str, tensors: Sequence[Tensor]) -> BatchFree:
        """Evaluate what the sections of one way, "forward" or "backward", read of the weights."""
        nodes = self.batch_free[way]
        return BatchFree(self.dtype, dict(zip(nodes, self._weights[way].run(tensors, 0), strict=True)))

    def sum_gradients(
        self, tensors: Sequence[Tensor], sequences: Mapping[str, Tensor], layout: Layout
    ) -> list[Tensor | None]:
        """Return the gradients of the weights, summed over all rows of all steps; ``None`` for those that have none."""
        fission, graph = self.fission, self.graph
        values = [_over_all_rows(node, sequences[slot], layout.total) for node, slot in fission.sequences.items()]
        found = dict(zip(fission.sums, self._sums.run([*tensors, *values], layout.total), strict=True))
        given: set[int] = set()
        result: list[Tensor | None] = []
        for path in graph.weights:
            gradient = found[graph.d_weights[path]] if path in graph.d_weights else None
            if gradient is not None and id(gradient) in given:
                # the caller may change one of them in place
                gradient = gradient.clone()
            given.add(id(gradient))
            result.append(gradient)
        return result

    def run_flat(self, section: Section, arrays: Mapping[str, Tensor], batch_free: BatchFree, layout: Layout) -> None:
        """Run a section over all rows of a sequence, in any order."""
        compiled = self.sections.get(section.name)
        if compiled is None:
            return
        steps = layout.flat_steps
        compiled.run(
            lambda slot: (arrays[slot], steps.none),
            batch_free,
            steps,
            num_steps=1,
            num_rows=layout.total,
            pieces=layout.flat,
            threads=layout.threads,
        )

    def run_steps(
        self,
        section: Section,
        bind: Callable[[str], Binding],
        batch_free: BatchFree,
        layout: Layout,
        steps: Steps,
        reset: Tensor | None,
    ) -> None:
        """Run a section step by step."""
        compiled = self.sections[section.name]
        few = layout.batch_size < layout.threads
        large = compiled.matrix_bytes > _CACHE_BYTES and layout.batch_size < _FEW_ROWS * layout.threads
        is_together = layout.threads > 1 and (few or large)
        compiled.run(
            bind,
            batch_free,
            steps,
            num_steps=layout.num_steps,
            num_rows=layout.total,
            pieces=layout.shared if is_together else layout.pieces,
            threads=layout.threads,
            reset=reset,
            is_together=is_together,
        )


def _over_all_rows(node: Node, sequence: Tensor, total: int) -> Tensor:
    """Return a sequence (total, width) as the row value it holds, with the batch axis where the node has it."""
    axis = next(a for a, size in enumerate(node.shape) if isinstance(size, Rows))
    shape = node.row_shape
    if axis == 0:
        return sequence.view(total * shape[0], *shape[1:])
    rows_first = sequence.view(total, *shape)
    return rows_first.movedim(0, axis).reshape(*shape[:axis], total * shape[axis], *shape[axis + 1 :])


def _check_known(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if node.is_row and node.op in POINTWISE and not is_known(node.op):
            raise UnsupportedCellError(f"the native engine does not know the operation {node.op}, at {node.line}")
