"""What lies around a call: masks that are used again, weights lent to a cell, modes, numbers that its code reads."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.func import functional_call

import recurra
import recurra.cells
import recurra.errors
from recurra.errors import EngineFallbackWarning
from recurra.loop import unroll

D = torch.float64
SCALE = 1.0


class Tanh(torch.nn.Module):
    state_size = 4

    def __init__(self, input_size=3, hidden_size=4, dtype=None):
        super().__init__()
        torch.manual_seed(0)
        self.w = torch.nn.Parameter(torch.randn(3, 4, dtype=D))
        self.v = torch.nn.Parameter(torch.randn(4, 4, dtype=D))

    def initial_state(self, batch_size):
        return self.w.new_zeros(batch_size, 4)

    def forward(self, x, h):
        return torch.tanh(x @ self.w + h @ self.v)


class Scaled(torch.nn.Module):
    def forward(self, x, h):
        return torch.tanh(x + h) * SCALE


def build_x(num_steps=12, batch_size=4, width=3):
    torch.manual_seed(1)
    return torch.randn(num_steps, batch_size, width, dtype=D, requires_grad=True)


@pytest.mark.parametrize("create_graph", [False, True])
def test_masks_and_lengths_may_be_written_over_before_the_backward_pass(create_graph):
    x, reset, lengths = build_x(), torch.rand(12, 4) < 0.4, torch.tensor([12, 5, 3, 9])
    wanted = torch.autograd.grad(unroll(Tanh(), x, reset=reset, lengths=lengths, engine="eager")[0].sin().sum(), x)

    output, _ = unroll(Tanh(), x, reset=reset, lengths=lengths, engine="native")
    reset.logical_not_()
    lengths.fill_(1)
    found = torch.autograd.grad(output.sin().sum(), x, create_graph=create_graph)

    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("lend", [torch.nn.Parameter, lambda t: t.requires_grad_()], ids=["parameters", "tensors"])
def test_second_derivatives_are_those_of_the_weights_that_a_functional_call_lent(lend):
    x, found = build_x(), []

    for engine in ("native", "eager"):
        layer = recurra.Recurrent(Tanh, 3, 4, engine=engine)
        weights = {name: lend(2 * p.detach()) for name, p in layer.named_parameters()}
        loss = functional_call(layer, weights, (x,))[0].sin().sum()
        first = torch.autograd.grad(loss, [x, *weights.values()], create_graph=True)
        found.append((*first, *torch.autograd.grad(sum(g.square().sum() for g in first), [x, *weights.values()])))

    torch.testing.assert_close(*found)


def test_second_derivatives_of_a_weight_whose_data_was_replaced_are_an_error():
    cell, x = Tanh(), build_x()
    output, _ = unroll(cell, x, engine="native")
    cell.w.data = 2 * cell.w.data

    with pytest.raises(recurra.errors.UnsupportedCellError, match="to be as it was when it ran"):
        torch.autograd.grad(output.sum(), x, create_graph=True)


def test_a_batch_of_gradients_goes_through_the_plain_loop():
    x, found = build_x(), []

    for engine in ("native", "eager"):
        output, _ = unroll(Tanh(), x, engine=engine)
        torch.manual_seed(2)
        batch = torch.randn(5, *output.shape, dtype=D)
        found.append(torch.autograd.grad(output, x, batch, is_grads_batched=True))

    torch.testing.assert_close(*found)


def test_a_cell_that_cannot_be_compiled_falls_back_under_autocast_too():
    class Sorted(Tanh):
        def forward(self, x, h):
            return super().forward(x, h).sort(1)[0]

    with torch.autocast("cpu", torch.bfloat16), pytest.warns(EngineFallbackWarning, match="sort"):
        output, _ = unroll(Sorted().float(), torch.randn(5, 2, 3))
    assert output.shape == (5, 2, 4)


def test_a_number_of_the_module_that_changes_is_seen(monkeypatch):
    x, h = torch.randn(5, 2, 3), torch.zeros(2, 3)
    cell = Scaled()
    before, _ = unroll(cell, x, h, engine="native")

    monkeypatch.setitem(globals(), "SCALE", 2.0)

    after, _ = unroll(cell, x, h, engine="native")
    torch.testing.assert_close(after, unroll(cell, x, h, engine="eager")[0])
    assert not torch.allclose(before, after)


def test_a_number_of_an_enclosing_function_that_changes_is_seen():
    scale = 1.0

    class Enclosed(torch.nn.Module):
        def forward(self, x, h):
            return torch.tanh(x + h) * scale

    x, h = torch.randn(5, 2, 3), torch.zeros(2, 3)
    for scale in (1.0, 3.0):  # noqa: B007  # the class reads it
        torch.testing.assert_close(
            unroll(Enclosed(), x, h, engine="native")[0], unroll(Enclosed(), x, h, engine="eager")[0]
        )


def test_inputs_of_no_width_run():
    class Sums(torch.nn.Module):
        def forward(self, x, h):
            return torch.tanh(h + x.sum(1, keepdim=True))

    assert unroll(Sums(), torch.randn(5, 2, 0), torch.zeros(2, 4), engine="native")[0].shape == (5, 2, 4)


def test_the_cpu_as_the_default_device_keeps_nothing_from_running():
    with torch.device("cpu"):
        output, _ = unroll(Tanh(), build_x(), engine="native")
    assert output.shape == (12, 4, 4)


def test_negated_views_are_refused_and_run_under_auto():
    x = torch._neg_view(build_x().detach())

    with pytest.raises(recurra.errors.UnsupportedCellError, match="a view that negates"):
        unroll(Tanh(), x, engine="native")
    with pytest.warns(EngineFallbackWarning):
        output, _ = unroll(Tanh(), x)
    torch.testing.assert_close(output, unroll(Tanh(), x, engine="eager")[0])


def test_the_backward_pass_lets_go_of_the_inputs():
    x = build_x() * 2
    alive = weakref.ref(x)
    output, _ = unroll(Tanh(), x, engine="native")
    del x

    output.sum().backward()

    assert alive() is None


def test_no_two_gradients_are_one_tensor():
    cell = recurra.cells.LSTMCell(3, 4, dtype=D)

    gradients = torch.autograd.grad(unroll(cell, build_x(), engine="native")[0].sum(), list(cell.parameters()))

    assert len({g.data_ptr() for g in gradients}) == len(gradients)


def test_a_cell_whose_output_is_no_state_needs_no_steps_to_show_its_width():
    class Echo(torch.nn.Module):
        returns_output = True

        def forward(self, x, h):
            return x, h

    assert unroll(Echo(), torch.randn(2, 1, 3), torch.zeros(1, 5), lengths=[0])[0].shape == (2, 1, 3)
