"""What is saved for the backward pass, how long, and what changing a tensor in place does to it."""

import warnings

import pytest
import torch

from recurra.loop import unroll
from recurra.loop.memory import pool
from tests.loop.native.comparing import ENGINE, D, as_tuple, gradients_or_refusal, loss_of
from tests.loop.native.own_cells import KINDS, ResetBefore, build, build_x, random_state

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.split('.')[0]}-{kind.__name__}")
IN_PLACE = "modified by an inplace operation"


@pytest.mark.parametrize("which", ["output", "last", "x", "weight", "state"])
@kinds
def test_an_in_place_change_before_backward_raises_or_leaves_the_gradients_right(kind, which):
    cell, state = build(kind), random_state(build(kind), 4)
    x = build_x().requires_grad_()
    leaves = [x, *as_tuple(state), *cell.parameters()]
    wanted = torch.autograd.grad(loss_of(*unroll(cell, x, state, engine="eager")), leaves)
    output, last = unroll(cell, x, state, engine=ENGINE)
    loss = loss_of(output, last)
    changed = {"output": output, "last": as_tuple(last)[-1], "x": x, "state": as_tuple(state)[0]}
    with torch.no_grad():
        changed.get(which, next(cell.parameters())).mul_(3)

    found = gradients_or_refusal(loss, leaves, IN_PLACE)
    if found is not None:
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@kinds
def test_an_output_changed_in_place_with_gradients_raises_or_is_differentiated(kind):
    cell, x = build(kind), build_x(requires_grad=True)
    leaves = (x, *cell.parameters())
    output, last = unroll(cell, x, engine=ENGINE)
    output.mul_(2)

    found = gradients_or_refusal(loss_of(output, last), leaves, IN_PLACE)
    if found is not None:
        output, last = unroll(cell, x, engine="eager")
        torch.testing.assert_close(found, torch.autograd.grad(loss_of(output * 2, last), leaves), rtol=1e-9, atol=1e-11)


@kinds
def test_changing_a_result_in_place_without_gradients_changes_no_other(kind):
    cell, x = build(kind), build_x()
    state = tuple(s.detach() for s in as_tuple(random_state(cell, 4)))
    before = [x.clone(), *(s.clone() for s in state), *(p.detach().clone() for p in cell.parameters())]
    with torch.no_grad():
        output, last = unroll(cell, x, state if len(state) > 1 else state[0], engine=ENGINE)
        kept = [s.clone() for s in as_tuple(last)]

        output.fill_(7)
        torch.testing.assert_close(list(as_tuple(last)), kept, rtol=0, atol=0)
        for s in as_tuple(last):
            s.fill_(3)

    assert torch.equal(output, torch.full_like(output, 7))
    torch.testing.assert_close([x, *state, *cell.parameters()], before, rtol=0, atol=0, check_stride=False)


@kinds
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_nothing_is_saved_and_the_values_are_the_same(kind, mode):
    cell, x = build(kind), build_x(requires_grad=True)
    wanted, wanted_last = unroll(cell, x, engine=ENGINE)
    saved = []

    def pack(tensor):
        saved.append(tensor)
        return tensor

    with mode(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output, last = unroll(cell, x, engine=ENGINE)

    assert not saved
    assert not output.requires_grad
    torch.testing.assert_close(output, wanted.detach(), rtol=0, atol=0)
    torch.testing.assert_close(last, torch.utils._pytree.tree_map(torch.Tensor.detach, wanted_last), rtol=0, atol=0)


class Twice(torch.nn.Module):
    """A derivative that needs the product's result, which is in no output."""

    state_size = 64

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(64, 64, dtype=D) / 8)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 64, dtype=D)

    def forward(self, x, h):
        return torch.tanh(torch.sin(h @ self.w) + x)


def allocated_bytes(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            function()
    return sum(max(event.self_cpu_memory_usage, 0) for event in profile.events())


def test_without_gradients_no_memory_is_taken_for_a_backward_pass():
    cell, x = Twice(), build_x(100, 8, 64)
    one_sequence = x.numel() * x.element_size()

    def without():
        pool.clear()
        with torch.no_grad():
            unroll(cell, x, engine=ENGINE)

    unroll(cell, x, engine=ENGINE)
    without()
    pool.clear()
    with_gradients = allocated_bytes(lambda: unroll(cell, x, engine=ENGINE))

    assert with_gradients - allocated_bytes(without) > 0.9 * one_sequence


def test_what_is_saved_is_freed_after_backward():
    cell, x = build(ResetBefore), build_x(requires_grad=True)
    alive = []

    class Handle:
        def __init__(self, tensor):
            self.tensor = tensor
            alive.append(1)

        def __del__(self):
            alive.pop()

    with torch.autograd.graph.saved_tensors_hooks(Handle, lambda handle: handle.tensor):
        loss = unroll(cell, x, engine=ENGINE)[0].sum()
    assert alive

    loss.backward()

    assert not alive
