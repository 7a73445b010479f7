"""What became of a cell: the step that was traced, where each part of it runs, what it costs, and the emitted code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

import torch
from torch import Tensor

from recurra.cells import State
from recurra.errors import ArgumentError
from recurra.loop.checks import check_cell
from recurra.loop.computed_weights import computed_weights, with_computed_weights
from recurra.loop.fission import width
from recurra.loop.graph import POINTWISE, ancestors
from recurra.loop.plan import Plan, build_plan
from recurra.loop.probing import like_weights
from recurra.loop.schedule import Pointwise, Product, Reduce, Scan

if TYPE_CHECKING:
    from recurra.loop.program import CompiledSection, CompiledStep

_PLACES = {
    "before": "before the loop, over all steps at once",
    "forward": "inside the loop",
    "after": "after the loop, over all steps at once",
    "gradient before": "backward: before the loop, over all steps at once",
    "backward": "backward: inside the loop, from the last step to the first",
    "gradient after": "backward: after the loop, over all steps at once",
}


def describe(
    cell: torch.nn.Module,
    x: Tensor | tuple[Tensor, ...] | None = None,
    state: State | None = None,
    *,
    llvm: bool = True,
    file: TextIO | None = None,
) -> None:
    """Print how the native engine runs a cell.

    What was traced, what runs before, inside and after the loop, forward and backward; numbers read and written,
    floating-point operations and memory for each row and step; and the LLVM text of each function.

    Args:
        cell: A cell.
        x: One step's input (B, I), or a tuple of such tensors; left out, it is zeros of the cell's ``input_size``.
        state: One step's state; left out, it is the initial one.
        llvm: Whether to print the LLVM text, after LLVM's own passes.
        file: Where to print; standard output if left out.

    Raises:
        ArgumentError: When ``x`` is left out and the cell has no ``input_size``.
        UnsupportedCellError: When the cell cannot be compiled.
    """
    from recurra.loop.compiled import find_compiled  # LLVM is loaded by who uses it

    check_cell("describe", cell)
    steps = _one_step(cell, x)
    devices = [p.device for p in cell.parameters() if p.is_cuda][:1]
    # what it draws, as a call does, is not taken from the calls to come
    with torch.random.fork_rng(devices), computed_weights(cell):
        plan = build_plan(cell, steps, state, lengths=None, reset=None, reverse=False, initial_state=None)
        step, _, _ = find_compiled(with_computed_weights(plan)[0])
    for line in _lines(cell, plan, step, llvm=llvm):
        print(line, file=file or sys.stdout)


def _one_step(cell: torch.nn.Module, x: Any) -> Any:
    if x is None:
        size = getattr(cell, "input_size", None)
        if not isinstance(size, int):
            raise ArgumentError(
                f"describe expected {type(cell).__name__} to have an input_size, got none",
                hint="pass x, the input of one step",
            )
        x = like_weights(cell).new_zeros(2, size)
    return tuple(t.unsqueeze(0) for t in x) if isinstance(x, tuple) else x.unsqueeze(0)


def _lines(cell: torch.nn.Module, plan: Plan, step: CompiledStep, *, llvm: bool) -> Iterator[str]:
    graph = step.graph
    inputs = ", ".join(f"(B, {x.shape[-1]})" for x in plan.x)
    states = ", ".join(f"(B, {size})" for size in step.state_widths)
    yield f"{type(cell).__name__}: input {inputs}, state {states}, {str(step.dtype).removeprefix('torch.')}"
    yield ""
    yield "the step, as traced"
    forward = ancestors([graph.output, *graph.new_state])
    for node in graph.nodes:
        if node.op != "input" and node in forward:
            yield f"  {node!r:60} {node.line}".rstrip()
    yield ""
    yield "weights, by torch once a call"
    for node in dict.fromkeys([*step.batch_free["forward"], *step.batch_free["backward"]]):
        yield f"  {node!r}"
    for name, section in step.sections.items():
        yield ""
        yield _PLACES[name]
        yield from _work(section)
    if step.fission.sums:
        yield ""
        yield "gradients of weights, by torch over all steps at once"
        yield from (f"  {path}: {node!r}" for path, node in graph.d_weights.items())
    yield ""
    yield from _costs(step)
    if llvm:
        for name, section in step.sections.items():
            yield ""
            yield f"; {_PLACES[name]}"
            yield section.llvm_text()


def _work(section: CompiledSection) -> Iterator[str]:
    for work in section.program.work:
        if isinstance(work, Product):
            yield f"  product  {work.slot} = {work.source} @ {work.matrix.name}  ({work.inner}, {work.columns})"
        elif isinstance(work, Pointwise):
            stores = ", ".join(f"{s.slot} = {s.node.name}" for s in work.stores)
            yield f"  loop     over {_sizes(work.domain)}: {stores}"
        elif isinstance(work, Reduce):
            results = ", ".join(f"{s.slot} = {kind} of {source.name}" for s, kind, source, _ in work.results)
            yield f"  sum      over {_sizes(work.reduced)}: {results}"
        elif isinstance(work, Scan):
            yield f"  scan     over {work.length}: {work.store.slot} = cumsum of {work.source.name}"


def _sizes(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes)) or "1"


def _costs(step: CompiledStep) -> Iterator[str]:
    yield "for each row and step"
    for way, sections in (
        ("forward", step.fission.forward_sections()),
        ("backward", step.fission.backward_sections()),
    ):
        programs = [step.sections[s.name].program for s in sections if s.name in step.sections]
        works = [work for program in programs for work in program.work]
        products = sum(2 * w.inner * w.columns * w.multiple for w in works if isinstance(w, Product))
        if not programs:
            continue
        written = sum(width(node) for p in programs for node in p.section.targets.values())
        read = sum(width(node) for p in programs for node in p.section.inputs)
        yield f"  {way:9} {products} floating-point operations in products; " + (
            f"{read * step.item_bytes} bytes read, {written * step.item_bytes} written"
        )
    pointwise = sum(width(node) for node in step.graph.nodes if node.is_row and node.op in POINTWISE)
    yield f"  pointwise {pointwise} elements, both ways"
    kept = {slot: _kept_width(step, slot) for slot in step.fission.kept}
    yield f"  kept for the backward pass: {sum(kept.values()) * step.item_bytes} bytes ({', '.join(sorted(kept))})"


def _kept_width(step: CompiledStep, slot: str) -> int:
    for section in step.sections.values():
        if slot in section.program.widths:
            return section.program.widths[slot]
    return next((width(node) for node, name in step.fission.sequences.items() if name == slot), 0)
