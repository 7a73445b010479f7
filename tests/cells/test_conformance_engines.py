"""Every registered cell on every engine: outputs, states and all gradients, first and second ones."""

import pytest
import torch

from recurra.cells import cell_names
from recurra.loop import unroll
from tests.loop.native.comparing import assert_same, run
from tests.support.conformance import BATCH, TIME, D, build, in_form, random_input, random_state, tensors

every_cell = pytest.mark.parametrize("name", cell_names())


def pieces(name):
    """A cell, its input, a state, and the state that a reset returns to, all of which want gradients."""
    cell, x = build(name), random_input().requires_grad_()
    state, initial = (tuple(s.requires_grad_() for s in tensors(random_state(cell))) for _ in range(2))
    return cell, x, in_form(cell, state), in_form(cell, initial)


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_native_equals_eager_with_lengths_and_resets(name, reverse):
    cell, x, state, initial = pieces(name)
    options = {
        "lengths": torch.tensor([TIME, 2, 0, 4]),
        "reset": torch.rand(TIME, BATCH) < 0.3,
        "reverse": reverse,
        "initial_state": initial,
    }

    found = run(cell, x, state, engine="native", **options)

    assert_same(found, run(cell, x, state, engine="eager", **options))


@every_cell
def test_native_equals_eager_from_the_first_state_and_without_biases(name):
    cell, x = build(name, bias=False), random_input().requires_grad_()

    found = run(cell, x, engine="native")

    assert_same(found, run(cell, x, engine="eager"))


@every_cell
def test_native_equals_eager_in_single_precision(name):
    cell, x = build(name).float(), random_input().float().requires_grad_()

    found = run(cell, x, engine="native")

    wanted = run(build(name), x.detach().double().requires_grad_(), engine="eager")
    for kind in ("values", "gradients"):
        for key, expected in getattr(wanted, kind).items():
            scale = float(expected.abs().max())
            torch.testing.assert_close(
                getattr(found, kind)[key].double(), expected, rtol=2e-4, atol=2e-4 * max(scale, 1), msg=key
            )


@every_cell
def test_gradcheck_and_gradgradcheck_pass(name):
    cell = build(name)
    keys = list(dict(cell.named_parameters()))
    # three steps, so that Jacobians that do not commute are multiplied
    x = random_input(time=3, batch_size=2).requires_grad_()
    state = tuple(s.requires_grad_() for s in tensors(random_state(cell, 2)))
    count = len(keys)

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x, *given):
            output, last = unroll(self.cell, x, in_form(self.cell, given), engine="eager")
            return output, *tensors(last)

    whole = Whole()

    def step_through(x, *rest):
        weights = {f"cell.{key}": value for key, value in zip(keys, rest, strict=False)}
        return torch.func.functional_call(whole, weights, (x, *rest[count:]))

    inputs = (x, *(p.detach().clone().requires_grad_() for p in cell.parameters()), *state)
    assert torch.autograd.gradcheck(step_through, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(step_through, inputs, fast_mode=True)


@every_cell
def test_native_forgets_nothing_of_a_long_run_in_pieces(name):
    cell, x = build(name), random_input(time=9)
    state = random_state(cell)

    whole, last = unroll(cell, x, state, engine="native")
    first, middle = unroll(cell, x[:5], state, engine="native")
    second, end = unroll(cell, x[5:], middle, engine="native")

    torch.testing.assert_close(torch.cat((first, second)), whole, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(end, last, rtol=1e-10, atol=1e-12)
    assert whole.dtype == D
