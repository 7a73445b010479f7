"""Compiled sections read and write nothing outside their arrays: each borders on memory that ends the process."""

from __future__ import annotations

import dataclasses
import faulthandler
import os
import signal

import pytest
import torch

from recurra.cells import LSTMCell
from recurra.loop import program, unroll
from recurra.loop.program import CompiledSection
from tests.loop.native.comparing import ENGINE, assert_same, check_against_eager, run
from tests.loop.native.own_cells import Normed, ResetBefore, build, random_state
from tests.support.guarded import guarded, guarded_copy

SIZES = (1, 7, 15, 16, 17, 33)
SIDES = ("end", "start")
STEPS, ROWS = 4, 26
"""More rows of all steps than one piece of a section holds."""


class Patchwork(torch.nn.Module):
    """Three widths, running sums, largest numbers, strided columns and pieces; an output of another width."""

    returns_output = True

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.state_size = (hidden_size, 1, hidden_size + 3)
        self.output_size = hidden_size + 1
        self.mix = torch.nn.Parameter(torch.randn(2 * hidden_size + 3, hidden_size) / (2 * hidden_size + 3) ** 0.5)
        self.take = torch.nn.Parameter(torch.randn(input_size, hidden_size))

    def forward(self, x, state):
        h, m, w = state
        a = torch.tanh(torch.cat((h.flip(1), w), 1) @ self.mix + x @ self.take)
        m = 0.5 * m + (a - h).amax(1, keepdim=True)
        parts = (a[:, ::2], w[:, 1:4], a[:, 1::2])
        w = torch.cumsum(torch.cat(parts, 1), 1) / w.shape[1]
        return torch.cat((m, torch.softmax(a, 1) * x[:, :1]), 1), (a, m, w)


KINDS = (LSTMCell, ResetBefore, Normed, Patchwork)
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
sizes = pytest.mark.parametrize("size", SIZES)
dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


class Fence:
    """Gives every section guarded copies of its arrays, and copies back what it wrote."""

    def __init__(self, side, shift=0):
        self.side, self.shift = side, shift
        self.sections = set()

    def set_up(self, patch):
        plain = CompiledSection.run

        def run_fenced(section, bind, batch_free, steps, *, pieces, reset=None, **rest):
            arrays, kept = {}, []

            def bind_copy(slot):
                array, offsets = bind(slot)
                key = array.data_ptr(), array.shape
                # a state before and after a step is one array
                arrays.setdefault(key, (array, self.copy(array)))
                # callers take the address only
                kept.append(self.copy(offsets + self.shift))
                return arrays[key][1], kept[-1]

            plain(
                section,
                bind_copy,
                FencedWeights(batch_free, self.side),
                dataclasses.replace(steps, active=self.copy(steps.active), sequence=self.copy(steps.sequence)),
                pieces=dataclasses.replace(pieces, cuts=self.copy(pieces.cuts)),
                reset=None if reset is None else self.copy(reset),
                **rest,
            )
            for array, copy in arrays.values():
                array.copy_(copy)
            self.sections.add(section.program.section.name)

        patch.setattr(CompiledSection, "run", run_fenced)
        patch.setattr(program, "allocate", lambda size, dtype: guarded((max(size, 1),), dtype, self.side))

    def copy(self, tensor):
        return guarded_copy(tensor, self.side)


class FencedWeights:
    def __init__(self, batch_free, side):
        self.given, self.side, self.dtype, self.kept = batch_free, side, batch_free.dtype, []

    def _keep(self, tensor):
        self.kept.append(guarded_copy(tensor, self.side))
        return self.kept[-1]

    def dense(self, node):
        return self._keep(self.given.dense(node))

    def bias(self, node, columns):
        return self._keep(self.given.bias(node, columns))

    def panels(self, node, threads):
        return self._keep(self.given.panels(node, threads))


def arguments(kind, size, dtype):
    cell = build(kind, input_size=3, hidden_size=size).to(dtype)
    torch.manual_seed(4)
    x = torch.randn(STEPS, ROWS, 3, dtype=dtype, requires_grad=True)
    if kind is Patchwork:
        return cell, x, tuple(torch.randn(ROWS, n, dtype=dtype).requires_grad_() for n in cell.state_size)
    state = random_state(cell, ROWS)
    parts = state if isinstance(state, tuple) else (state,)
    parts = tuple(part.detach().to(dtype).requires_grad_() for part in parts)
    return cell, x, parts if len(parts) > 1 else parts[0]


def options_of(cell, dtype):
    """Return three kinds of calls: plain; ragged with resets; the same from the last step to the first."""
    torch.manual_seed(6)
    lengths = torch.randint(0, STEPS + 1, (ROWS,))
    lengths[0] = STEPS
    sizes = (cell.state_size,) if isinstance(cell.state_size, int) else cell.state_size
    initial = tuple(torch.full((ROWS, n), 0.25, dtype=dtype) for n in sizes)
    ragged = {"lengths": lengths, "reset": torch.rand(STEPS, ROWS) < 0.3}
    ragged["initial_state"] = initial if len(initial) > 1 else initial[0]
    return {}, ragged, {**ragged, "reverse": True}


@kinds
@sizes
@dtypes
def test_nothing_outside_the_arrays_is_touched(kind, size, dtype):
    cell, x, state = arguments(kind, size, dtype)

    for options in options_of(cell, dtype):
        wanted = run(cell, x, state, engine=ENGINE, **options)
        for side in SIDES:
            fence = Fence(side)
            with pytest.MonkeyPatch.context() as patch:
                fence.set_up(patch)
                found = run(cell, x, state, engine=ENGINE, **options)

            # to the last bit: it is the same code
            assert_same(found, wanted, rtol=0, atol=0)
            assert {"forward", "backward"} <= fence.sections


def test_the_patchwork_cell_equals_eager():
    cell, x, state = arguments(Patchwork, 17, torch.float64)

    for options in options_of(cell, torch.float64):
        check_against_eager(cell, x, state, **options)


@pytest.mark.parametrize("together", [False, True], ids=["piece by piece", "together"])
@pytest.mark.parametrize("side", SIDES)
@kinds
def test_threads_share_memory_without_leaving_it(kind, side, together):
    cell, x, state = arguments(kind, 33, torch.float64)
    options = options_of(cell, torch.float64)[2]
    wanted = run(cell, x, state, engine=ENGINE, **options)
    before = torch.get_num_threads()

    with pytest.MonkeyPatch.context() as patch:
        Fence(side).set_up(patch)
        patch.setattr(program, "_SERIAL_WORK", 0)
        patch.setattr(program, "_CACHE_BYTES", 0 if together else 1 << 40)
        patch.setattr(program, "_FEW_ROWS", ROWS if together else 0)
        try:
            torch.set_num_threads(3)
            found = run(cell, x, state, engine=ENGINE, **options)
        finally:
            torch.set_num_threads(before)

    assert found.values.keys() == wanted.values.keys()
    for name, value in wanted.values.items():
        assert torch.equal(found.values[name], value)
    # how the sums of the weights' gradients are rounded depends on the threads
    assert_same(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_section_that_is_one_row_off_ends_the_process(side, monkeypatch):
    # so that the tests above can fail
    cell = build(ResetBefore)
    x = torch.randn(STEPS, ROWS, 3, dtype=torch.float64)
    with torch.no_grad():
        unroll(cell, x, engine=ENGINE)
        Fence(side, shift=1 if side == "end" else -1).set_up(monkeypatch)
        child = os.fork()
        if child == 0:
            faulthandler.disable()
            unroll(cell, x, engine=ENGINE)
            os._exit(0)
        _, status = os.waitpid(child, 0)

    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) in (signal.SIGSEGV, signal.SIGBUS)
