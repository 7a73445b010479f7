"""What a tracer can get wrong in silence: blocks, hooks and draws inside a cell, and cells that change."""

import pytest
import torch

from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE, D, check_against_eager, check_never_wrong, run
from tests.loop.native.own_cells import Base, build_x, random_state


class WithNoGrad(Base):
    def forward(self, x, h):
        with torch.no_grad():
            gate = torch.sigmoid(h @ self.w)
        return torch.tanh(x @ self.u + gate * h + 0.3 * (h @ self.w.detach()))


class Straight(torch.autograd.Function):
    """Rounds forward, and says in backward that its slope is three: not what the forward's derivative would be."""

    @staticmethod
    def forward(a):
        return torch.floor(2 * a) / 2 + 0.1 * a

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, d):
        (a,) = ctx.saved_tensors
        return 3 * d * torch.cos(a)


class WithFunction(Base):
    def forward(self, x, h):
        return torch.tanh(Straight.apply(x @ self.u + h @ self.w + 0.123))


class WithTensorHook(Base):
    def forward(self, x, h):
        a = x @ self.u + h @ self.w
        if a.requires_grad:
            a.register_hook(lambda d: d * 0.25)
        return torch.tanh(a)


class WithModules(Base):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(4, 4).double()

    def forward(self, x, h):
        return torch.tanh(self.inner(x @ self.u + h @ self.w))


@pytest.mark.parametrize("kind", [WithNoGrad, WithFunction])
def test_gradients_that_the_cell_alters_are_those_of_eager(kind):
    cell = kind()

    found = check_against_eager(cell, build_x(requires_grad=True), random_state(cell, 4), lengths=[5, 2, 0, 4])

    # the weight that is only read where no gradient is recorded has none
    silent = {name for name, gradient in found.gradients.items() if not gradient.any()}
    assert silent == ({"weight w"} if kind is WithNoGrad else set())


def test_a_tensor_hook_inside_a_cell_acts_or_is_refused():
    check_never_wrong(WithTensorHook, build_x(requires_grad=True), "hook")


@pytest.mark.parametrize("hook", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
@pytest.mark.parametrize("place", ["cell", "submodule"])
def test_a_module_hook_acts_or_is_refused(hook, place):
    acts = {
        "forward": lambda module, args, output: output * 0.5,
        "forward_pre": lambda module, args: (args[0] * 0.5, *args[1:]),
        "full_backward": lambda module, d_input, d_output: tuple(d if d is None else d * 0.5 for d in d_input),
        "full_backward_pre": lambda module, d_output: tuple(d * 0.5 for d in d_output),
    }

    def make_cell():
        cell = WithModules()
        target = cell if place == "cell" else cell.inner
        getattr(target, f"register_{hook}_hook")(acts[hook])
        return cell

    check_never_wrong(make_cell, build_x(requires_grad=True), "hook")


def test_a_hook_that_is_added_after_use_is_seen():
    cell, x = WithModules(), build_x()
    before = unroll(cell, x, engine=ENGINE)[0]

    handle = cell.inner.register_forward_hook(lambda module, args, output: output * 0.5)
    assert not torch.allclose(before, unroll(cell, x, engine="eager")[0])
    check_never_wrong(lambda: cell, build_x(requires_grad=True), "hook")

    handle.remove()
    torch.testing.assert_close(unroll(cell, x, engine=ENGINE)[0], before, rtol=0, atol=0)


# --- random draws: what was drawn is read from the output, and given to eager ---


class Dropped(Base):
    """Its output tells which units were dropped."""

    returns_output = True
    output_size = 4

    def forward(self, x, h):
        kept = torch.nn.functional.dropout(torch.ones_like(h), 0.4, self.training)
        h = torch.tanh(x @ self.u + (h * kept) @ self.w)
        return kept, h


class Given(Base):
    """The same with the mask from outside."""

    returns_output = True
    output_size = 4

    def forward(self, x, h):
        x, kept = x
        return kept, torch.tanh(x @ self.u + (h * kept) @ self.w)


def test_dropout_in_training_equals_eager_with_the_same_draws():
    cell, given = Dropped(), Given()
    x, h = build_x(20, 30, requires_grad=True), torch.randn(30, 4, dtype=D, requires_grad=True)
    torch.manual_seed(4)

    kept, last = unroll(cell, x, h, engine=ENGINE)
    kept = kept.detach()
    _, wanted = unroll(given, (x, kept), h, engine="eager")

    torch.testing.assert_close(last, wanted, rtol=1e-10, atol=1e-12)
    ours = torch.autograd.grad(last.sin().sum(), (x, h, *cell.parameters()))
    theirs = torch.autograd.grad(wanted.sin().sum(), (x, h, *given.parameters()))
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_dropout_draws_anew_for_every_step_row_and_call_and_repeats_with_the_seed():
    cell, x = Dropped(), build_x(20, 30)

    def draw(seed=None):
        if seed is not None:
            torch.manual_seed(seed)
        return unroll(cell, x, engine=ENGINE)[0].detach()

    first, second, again = draw(4), draw(), draw(4)

    kept = 1 / (1 - 0.4)
    assert {0.0, kept} == set(first.unique().tolist())
    # 2,400 draws: the standard deviation of the share is 0.01
    assert abs(float((first > 0).double().mean()) - 0.6) < 0.05
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert len(torch.unique(first.flatten(1), dim=0)) == 20
    assert len(torch.unique(first.transpose(0, 1).flatten(1), dim=0)) == 30


def test_dropout_ends_with_training():
    cell, x = Dropped(), build_x()
    assert not unroll(cell, x, engine=ENGINE)[0].all()

    cell.eval()

    assert torch.equal(unroll(cell, x, engine=ENGINE)[0], torch.ones(5, 4, 4, dtype=D))
    cell.train()
    assert not unroll(cell, x, engine=ENGINE)[0].all()


CALLS = []


class Noted(Base):
    def forward(self, x, h):
        CALLS.append(len(x))
        return torch.tanh(x @ self.u + h @ self.w)


def test_native_runs_no_python_of_the_cell_after_the_first_call():
    cell, x = Noted(), build_x(requires_grad=True)
    run(cell, x, engine=ENGINE)
    count = len(CALLS)

    run(cell, x, engine=ENGINE)
    run(cell, build_x(9, 6, requires_grad=True), engine=ENGINE)

    assert len(CALLS) == count


def test_tied_weights_get_the_sum_of_their_gradients():
    class Tied(Base):
        def __init__(self):
            super().__init__()
            self.other = self.w

        def forward(self, x, h):
            return torch.tanh(x @ self.u + torch.sigmoid(h @ self.w) @ self.other)

    check_against_eager(Tied(), build_x(requires_grad=True))


class Tie(Base):
    """Kinks at zero, where the first state stands: the slope there is torch's choice."""

    def forward(self, x, h):
        a, b = h * self.u[0], h @ self.w
        tied = torch.maximum(a, b) + torch.minimum(a, 2 * b) + torch.relu(a) + torch.abs(b)
        return tied + torch.clamp(a, 0, 1) + torch.where(a >= b, a, 3 * b) + 0.1 * torch.tanh(x @ self.u)


def test_at_a_kink_the_slope_is_torchs():
    cell = Tie()
    h = torch.zeros(4, 4, dtype=D, requires_grad=True)

    found = check_against_eager(cell, build_x(1, requires_grad=True), h)

    assert found.gradients["state[0]"].any()


def test_a_parameter_that_is_not_used_gets_no_gradient():
    class Without(Base):
        def forward(self, x, h):
            return torch.tanh(x @ self.u + h)

    cell = Without()
    output, _ = unroll(cell, build_x(), engine=ENGINE)

    assert torch.autograd.grad(output.sum(), (cell.w, cell.u), allow_unused=True)[0] is None


def test_a_state_that_is_the_input_is_run_without_gradients():
    class Remembering(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.randn(3, 3, dtype=D))

        def forward(self, x, state=None):
            h, previous = (x.new_zeros(len(x), 3),) * 2 if state is None else state
            return torch.tanh(previous @ self.w + h), x

    cell, x = Remembering(), build_x(requires_grad=True)

    with torch.no_grad():
        found = unroll(cell, x, engine=ENGINE)
        wanted = unroll(cell, x, tuple(torch.zeros(2, 4, 3, dtype=D)), engine="eager")

    torch.testing.assert_close(found, wanted)


class Split(Base):
    """Output, state and input hang together in few of the possible ways."""

    returns_output = True
    output_size = 4

    def __init__(self, output, new):
        super().__init__()
        self.output, self.new = output, new
        self.v = torch.nn.Parameter(torch.randn(4, 4, dtype=D) / 2)

    def forward(self, x, h):
        a = x @ self.u
        output = {"x": a, "h": h, "product": torch.tanh((h + a) @ self.w), "both": h * a, "x product": a @ self.w}
        new = {"x": torch.tanh(a), "h": 0.7 * h, "kept": h, "product": torch.tanh(a + h @ self.v)}
        return output[self.output], new[self.new]


@pytest.mark.parametrize("new", ["x", "h", "kept", "product"])
@pytest.mark.parametrize("output", ["x", "h", "product", "both", "x product"])
def test_gradients_take_every_way_between_input_state_and_output(output, new):
    cell = Split(output, new)
    x, h = build_x(requires_grad=True), torch.randn(4, 4, dtype=D, requires_grad=True)

    for lengths in (None, [5, 3, 0, 1]):
        check_against_eager(cell, x, h, lengths=lengths)
