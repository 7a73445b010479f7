"""The engine "native": compiled steps joined into one differentiable function, and what is compiled kept.

The forward pass runs what does not need the state over all steps at once, then the steps, then what no later step
needs; the backward pass the same from the last step to the first, and torch sums the gradients of the weights over all
steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.loop.copying import copy_cell
from recurra.loop.eager import run_eager
from recurra.loop.fingerprint import examine, tensors_of
from recurra.loop.fission import width as width_of
from recurra.loop.interpret import evaluate
from recurra.loop.obstacles import is_transformed, is_wrapped
from recurra.loop.plan import Plan
from recurra.loop.program import BatchFree, Binding, CompiledStep, rows
from recurra.loop.rows import Layout, build_layout, entering_rows


@dataclass
class Call:
    """One run of a compiled step.

    Attributes:
        step: The compiled step.
        plan: The checked arguments.
        weights: The cell's tensors, in the order of the graph's weights.
        key: The cell's fingerprint when it ran.
        layout: How the rows lie in memory.
        reset: Bytes by row of a sequence, or ``None``.
    """

    step: CompiledStep
    plan: Plan
    weights: tuple[Tensor, ...]
    key: Hashable
    layout: Layout
    reset: Tensor | None

    def inputs(self) -> tuple[Tensor, ...]:
        """Return all tensors that may be differentiated: weights, inputs, states, initial states."""
        return (*self.weights, *self.plan.x, *self.plan.state, *self.plan.initial)

    def without_inputs(self) -> Call:
        """Return the call without the tensors that autograd keeps, and lets go, by itself."""
        return dataclasses.replace(self, plan=dataclasses.replace(self.plan, x=(), state=(), initial=()), weights=())

    def with_inputs(self, inputs: Sequence[Tensor]) -> Call:
        """Return the call with such tensors, in the order of :meth:`inputs`."""
        graph = self.step.graph
        ends = (len(graph.weights), len(graph.x), len(graph.state))
        weights, x, state = (tuple(inputs[sum(ends[:k]) : sum(ends[: k + 1])]) for k in range(3))
        plan = dataclasses.replace(self.plan, x=x, state=state, initial=tuple(inputs[sum(ends) :]))
        return dataclasses.replace(self, plan=plan, weights=weights)


def run_compiled(
    step: CompiledStep, plan: Plan, weights: Sequence[Tensor], key: Hashable
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a compiled step over a sequence.

    Args:
        step: The step.
        plan: The call.
        weights: The cell's tensors, in the order of the graph's weights.
        key: The cell's fingerprint.

    Returns:
        The outputs (num_steps, B, H), zero where a row has ended, and the states after each row's last step.
    """
    layout = build_layout(
        plan.num_steps, plan.batch_size, plan.lengths, reverse=plan.reverse, threads=torch.get_num_threads()
    )
    reset = None if plan.reset is None else layout.pack(plan.reset.unsqueeze(-1)).to(torch.uint8)
    call = Call(step, plan, tuple(weights), key, layout, reset)
    if step.graph.d_output is None:
        with torch.no_grad():
            output, last, _ = _ForwardPass(call).run()
        return output, last
    output, *last = _Loop.apply(call, *call.inputs())
    return output, tuple(last)


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: Call, *inputs: Tensor) -> tuple[Tensor, ...]:
        forward = _ForwardPass(call)
        output, last, kept = forward.run()
        ctx.call = call.without_inputs()
        ctx.places = [tensor.data_ptr() for tensor in call.weights]
        ctx.names = list(kept)
        # the output is saved too, so that torch notices when it is changed in place: its memory may be a state's
        ctx.save_for_backward(*inputs, *kept.values(), output)
        return (output, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        count = len(saved) - len(ctx.names) - 1
        inputs = saved[:count]
        call: Call = ctx.call.with_inputs(inputs)
        if torch.is_grad_enabled() or is_transformed() or any(map(is_wrapped, gradients)):
            return (None, *_backward_of_plain_loop(call, ctx.places, gradients, ctx.needs_input_grad[1:]))
        kept = dict(zip(ctx.names, saved[count:-1], strict=True))
        return (None, *_BackwardPass(call, kept).run(ctx.needs_input_grad[1:], *gradients))


def _backward_of_plain_loop(
    call: Call, places: Sequence[int], gradients: Sequence[Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Run the plain loop again and let autograd differentiate it: for second derivatives, and transformed gradients."""
    plan = dataclasses.replace(call.plan, cell=_cell_as_it_ran(call, places))
    is_second = torch.is_grad_enabled()
    with torch.enable_grad():
        output, last = run_eager(plan)
        results = [(r, g) for r, g in zip((output, *last), gradients, strict=True) if r.requires_grad]
        found = iter(
            torch.autograd.grad(
                [result for result, _ in results],
                [source for source, want in zip(call.inputs(), wanted, strict=True) if want],
                [gradient for _, gradient in results],
                create_graph=is_second,
                allow_unused=True,
            )
        )
    return [next(found) if want else None for want in wanted]


def _cell_as_it_ran(call: Call, places: Sequence[int]) -> torch.nn.Module:
    """Return a copy of the cell around the tensors that it ran with.

    Raises:
        UnsupportedCellError: When it is no longer what it was, or draws random numbers, which the loop would draw anew.
    """
    who = f"{type(call.plan.cell).__name__} was expected"
    why = "as the derivatives asked for are taken from the plain loop"
    if call.step.fission.draws:
        raise UnsupportedCellError(
            f"{who} to draw no random numbers, {why}, whose draws are others",
            hint="use engine='eager' for second derivatives of such a cell",
        )
    live = tensors_of(call.plan.cell)
    paths = list(call.step.graph.weights)
    copy = None
    if live.keys() >= set(paths):
        copy = copy_cell(call.plan.cell, {id(live[p]): w for p, w in zip(paths, call.weights, strict=True)})
    is_moved = any(w.data_ptr() != place for w, place in zip(call.weights, places, strict=True))
    if copy is None or is_moved or examine(copy)[0] != call.key:
        raise UnsupportedCellError(
            f"{who} to be as it was when it ran, {why}, got other attributes or other data",
            hint="change a cell only after its gradients have been taken",
        )
    return copy


def _constant_inputs(plan: Plan, layout: Layout) -> dict[str, Tensor]:
    """Return by slot the rows (B, ·) of inputs that are the same at all steps, as masks of a sequence are."""
    return {
        f"x:{k}": layout.sort(x[0].detach()).contiguous()
        for k, x in enumerate(plan.x)
        if plan.num_steps > 1 and x.stride(0) == 0
    }


class _ForwardPass:
    def __init__(self, call: Call) -> None:
        self.call, self.step, self.layout, self.plan = call, call.step, call.layout, call.plan
        self.fission = self.step.fission
        self.dtype = self.step.dtype
        # slots over all steps, and inputs that are the same at all of them
        self.sequences: dict[str, Tensor] = {}
        self.constants = _constant_inputs(self.plan, self.layout)
        # the memory of each state, with room for the state before the first step
        self.memory: list[Tensor] = []

    def run(self) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
        """Return the outputs, the last states, and what the backward pass needs by slot."""
        fission, layout = self.fission, self.layout
        batch_free = self.step.weights("forward", self.call.weights)
        together = self.step.slots_of_all_steps("forward") if self.constants else frozenset()
        for k, x in enumerate(self.plan.x):
            if f"x:{k}" not in self.constants or f"x:{k}" in together:
                self.sequences[f"x:{k}"] = layout.pack(x.detach())
        if fission.draws:
            drawn = evaluate(fission.draws, {}, layout.total)
            for node, values in zip(fission.draws, drawn, strict=True):
                self.sequences[f"value:{node.name}"] = values.to(self.dtype).contiguous()
        for section in fission.forward_sections():
            for slot, node in section.targets.items():
                if not slot.startswith("new:"):
                    is_given_away = slot == "output"
                    self.sequences[slot] = rows(layout.total, width_of(node), self.dtype, is_given_away=is_given_away)
        self.step.run_flat(fission.before, self.sequences, batch_free, layout)
        self._run_steps(batch_free)
        if fission.after.targets:
            self.step.run_flat(fission.after, self.sequences | self._views(), batch_free, layout)
        return self._output(), self._last(), self._kept()

    # --- the loop

    def _is_whole(self, k: int) -> bool:
        """Whether a state is kept for all steps."""
        after = self.fission.after.inputs.values()
        needed = self.fission.kept | set(after)
        return self._output_state() == k or f"state:{k}" in needed or f"new:{k}" in needed

    def _output_state(self) -> int | None:
        graph = self.step.graph
        return graph.new_state.index(graph.output) if graph.output in graph.new_state else None

    def _run_steps(self, batch_free: BatchFree) -> None:
        layout, steps = self.layout, self.layout.forward
        slots: dict[str, Binding] = {slot: (held, steps.none) for slot, held in self.constants.items()}
        for k, (state, width) in enumerate(zip(self.plan.state, self.step.state_widths, strict=True)):
            whole = self._is_whole(k)
            size = layout.batch_size + (layout.total if whole else layout.batch_size)
            memory = rows(size, width, self.dtype, is_given_away=self._output_state() == k)
            first = layout.first if whole else slice(0, layout.batch_size)
            memory[first] = layout.sort(state.detach())
            self.memory.append(memory)
            old, new = (steps.old, steps.new) if whole else (steps.even, steps.odd)
            slots |= {f"old:{k}": (memory, old), f"state:{k}": (memory, old), f"new:{k}": (memory, new)}
            slots[f"initial:{k}"] = (memory, steps.none)
        self._enter_resets(slots)

        def bind(slot: str) -> Binding:
            return slots.get(slot) or (self.sequences[slot], steps.sequence)

        self.step.run_steps(self.fission.forward, bind, batch_free, layout, steps, self.call.reset)

    def _enter_resets(self, slots: dict[str, Binding]) -> None:
        """Give the states that enter the steps memory of their own: some are not those that left the step before."""
        if self.call.reset is None:
            return
        layout, steps = self.layout, self.layout.forward
        for k, (initial, width) in enumerate(zip(self.plan.initial, self.step.state_widths, strict=True)):
            self.sequences[f"state:{k}"] = rows(layout.total, width, self.dtype)
            slots[f"state:{k}"] = (self.sequences[f"state:{k}"], steps.sequence)
            slots[f"initial:{k}"] = (layout.sort(initial.detach()).contiguous(), steps.none)

    # --- results

    def _views(self) -> dict[str, Tensor]:
        """Return the states before and after all steps as sequences."""
        layout = self.layout
        views: dict[str, Tensor] = {}
        for k, memory in enumerate(self.memory):
            if not self._is_whole(k):
                continue
            views[f"new:{k}"] = memory[layout.leaving : layout.leaving + layout.total]
            if f"state:{k}" in self.sequences:
                continue
            if layout.entering is None:
                views[f"state:{k}"] = memory.index_select(0, entering_rows(layout))
            else:
                views[f"state:{k}"] = memory[layout.entering : layout.entering + layout.total]
        return views

    def _output(self) -> Tensor:
        place = self._output_state()
        if place is None:
            memory, start = self.sequences["output"], 0
        else:
            memory, start = self.memory[place], self.layout.leaving
        output = self.layout.unpack(memory[start : start + self.layout.total])
        if self.layout.index is not None:
            return output
        # a tensor of its own on the same memory: a view could not be changed in place by the caller
        alias = torch.empty(0, dtype=self.dtype)
        return alias.set_(memory.untyped_storage(), output.storage_offset(), output.shape, output.stride())

    def _last(self) -> tuple[Tensor, ...]:
        layout = self.layout
        last = []
        for k, memory in enumerate(self.memory):
            where = layout.last if self._is_whole(k) else layout.last_of_two
            last.append(layout.unsort(memory[where].clone() if isinstance(where, slice) else memory[where]))
        return tuple(last)

    def _kept(self) -> dict[str, Tensor]:
        known = self.sequences | self._views()
        # the backward pass has the inputs anyway
        return {slot: known[slot] for slot in sorted(self.fission.kept - self.constants.keys())}


class _BackwardPass:
    def __init__(self, call: Call, kept: dict[str, Tensor]) -> None:
        self.call, self.step, self.layout, self.plan = call, call.step, call.layout, call.plan
        self.fission, self.dtype = self.step.fission, self.step.dtype
        self.weights = call.weights
        self.sequences = dict(kept)
        self.constants = _constant_inputs(self.plan, self.layout)

    def run(self, wanted: Sequence[bool], d_output: Tensor, *d_last: Tensor) -> list[Tensor | None]:
        """Return the gradients of all inputs of the call, of the states only where they are wanted."""
        fission, layout, graph = self.fission, self.layout, self.step.graph
        batch_free = self.step.weights("backward", self.weights)
        self.sequences["d_output"] = layout.pack(d_output.resolve_neg())
        together = self.step.slots_of_all_steps("backward") if self.constants else frozenset()
        for k, x in enumerate(self.plan.x):
            if f"x:{k}" in self.constants and f"x:{k}" in together:
                self.sequences[f"x:{k}"] = layout.pack(x.detach())
        for section in fission.backward_sections():
            for slot, node in section.targets.items():
                if not slot.startswith("d_state:"):
                    is_given_away = slot.startswith("d_x:")
                    self.sequences[slot] = rows(layout.total, width_of(node), self.dtype, is_given_away=is_given_away)
        self.step.run_flat(fission.d_before, self.sequences, batch_free, layout)
        first = len(self.weights) + len(graph.x)
        wants_state = wanted[first : first + len(graph.state)]
        d_state, d_initial = self._run_steps(d_last, wants_state, batch_free)
        self.step.run_flat(fission.d_after, self.sequences, batch_free, layout)
        d_x = [None if node is None else layout.unpack(self.sequences[f"d_x:{k}"]) for k, node in enumerate(graph.d_x)]
        d_weights = self.step.sum_gradients(self.weights, self.sequences, layout)
        return [*d_weights, *d_x, *d_state, *d_initial]

    def _run_steps(
        self, d_last: Sequence[Tensor], wants_state: Sequence[bool], batch_free: BatchFree
    ) -> tuple[list[Tensor | None], list[Tensor]]:
        layout, steps = self.layout, self.layout.backward
        batch_size = layout.batch_size
        has_reset = self.call.reset is not None
        slots: dict[str, Binding] = {slot: (held, steps.none) for slot, held in self.constants.items()}
        carried, initial = [], []
        for k, (gradient, width) in enumerate(zip(d_last, self.step.state_widths, strict=True)):
            memory = rows(2 * batch_size, width, self.dtype)
            # both halves: a row that starts late finds its gradient in either
            memory.view(2, batch_size, width)[:] = layout.sort(gradient)
            carried.append(memory)
            slots |= {f"d_new:{k}": (memory, steps.even), f"d_state:{k}": (memory, steps.odd)}
            if has_reset:
                initial.append(torch.zeros(batch_size, width, dtype=self.dtype))
            slots[f"d_initial:{k}"] = (initial[k] if has_reset else memory, steps.none)

        def bind(slot: str) -> Binding:
            return slots.get(slot) or (self.sequences[slot], steps.sequence)

        self.step.run_steps(self.fission.backward, bind, batch_free, layout, steps, self.call.reset)
        final = int(steps.odd[-1])
        d_state = [
            layout.unsort(memory[final : final + batch_size].clone()) if want else None
            for memory, want in zip(carried, wants_state, strict=True)
        ]
        return d_state, [layout.unsort(gradient) for gradient in initial] if has_reset else []
