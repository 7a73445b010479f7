"""Sections for other machines: LLVM accepts them all, and those that this machine can run give the same results."""

from __future__ import annotations

import functools
import re

import pytest
import torch

from recurra.cells import LSTMCell
from recurra.loop import compiled
from recurra.loop.compiled import find_compiled
from recurra.loop.llvm import products, section
from recurra.loop.llvm.jit import TARGETS, assembly, compile_module
from recurra.loop.llvm.products import build_kernels
from recurra.loop.llvm.section import build_module
from recurra.loop.plan import build_plan
from tests.loop.native.comparing import ENGINE, assert_same, run
from tests.loop.native.own_cells import Normed, ResetBefore, build, random_state
from tests.support.emitted import WIDTHS, target_of

KINDS = (LSTMCell, ResetBefore, Normed)
REGISTERS = {"avx512": r"%zmm\d", "avx2": r"%ymm\d", "plain": r"%xmm\d", "neon": r"\bv\d+\.(4s|2d)"}

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def arguments(kind, dtype, size=17):
    cell = build(kind, hidden_size=size).to(dtype)
    torch.manual_seed(4)
    x = torch.randn(4, 9, 3, dtype=dtype, requires_grad=True)
    state = random_state(cell, 9)
    parts = tuple(
        part.detach().to(dtype).requires_grad_() for part in (state if isinstance(state, tuple) else (state,))
    )
    return cell, x, parts if len(parts) > 1 else parts[0]


@functools.cache
def kernels_of(name, item_bytes):
    return build_kernels(item_bytes, target_of(name))


@pytest.fixture
def on_target(monkeypatch):
    """Have sections and products compiled for another target; what was compiled so is forgotten afterwards."""

    def choose(name):
        target = target_of(name)
        compiled.clear()
        for module in (section, products):
            monkeypatch.setattr(module, "host_target", lambda: target)
        monkeypatch.setattr(section, "compile_module", lambda module: compile_module(module, target))
        monkeypatch.setattr(products, "_kernels", lambda item_bytes: kernels_of(name, item_bytes))
        return target

    yield choose
    monkeypatch.undo()
    compiled.clear()


@kinds
@dtypes
@pytest.mark.parametrize("name", TARGETS)
def test_sections_are_valid_for_every_target(kind, dtype, name):
    cell, x, state = arguments(kind, dtype)
    plan = build_plan(cell, x, state, lengths=None, reset=None, reverse=False, initial_state=None)
    step, _, _ = find_compiled(plan)

    for place in ("forward", "backward"):
        part = step.sections[place]
        text = assembly(build_module(part.program, part.resets, TARGETS[name], step.item_bytes), TARGETS[name])

        assert re.search(REGISTERS[name], text)
        assert re.search(r"^section:", text, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in WIDTHS if target_of(name).vector_bytes < 64])
@kinds
@dtypes
def test_sections_for_narrower_machines_give_the_results_of_eager(kind, dtype, name, on_target):
    cell, x, state = arguments(kind, dtype)
    target = on_target(name)
    calls = [{}, {"lengths": torch.tensor([4, 0, 2, 3, 1, 4, 4, 2, 3]), "reverse": True}]
    bounds = {} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}

    for options in calls:
        found = run(cell, x, state, engine=ENGINE, **options)

        assert_same(found, run(cell, x, state, engine="eager", **options), **bounds)
    # the panels of another width would have been read wrongly, had the products been the host's
    assert products.host_target() == section.host_target() == target
