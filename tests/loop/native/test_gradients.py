"""Autograd's other uses of the compiled loop: second derivatives, parts, repeats, changes in between, transforms."""

import copy
import warnings

import pytest
import torch

import recurra
from recurra.cells import cell_names, find_cell
from recurra.errors import UnsupportedCellError
from recurra.loop import unroll
from tests.loop.native.comparing import (
    ENGINE,
    D,
    as_tuple,
    check_against_eager,
    gradients_or_refusal,
    leaves_of,
    loss_of,
    run,
)
from tests.loop.native.own_cells import KINDS, Normed, ResetBefore, build, build_x, random_state

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.split('.')[0]}-{kind.__name__}")


def as_function(cell, state, **options):
    """Return a function of x, all weights and all states, and its arguments."""
    names = [name for name, _ in cell.named_parameters()]
    x = build_x(3, 2, requires_grad=True)
    weights = [p.detach().clone().requires_grad_() for p in cell.parameters()]
    parts = as_tuple(state)

    def function(x, *rest):
        given = rest[len(names) :]
        twin = copy.copy(cell)
        twin._parameters, twin._modules = dict(cell._parameters), dict(cell._modules)
        for name, weight in zip(names, rest, strict=False):
            place_tensor(twin, name, weight)
        output, last = unroll(twin, x, given if len(parts) > 1 else given[0], engine=ENGINE, **options)
        return output, *as_tuple(last)

    return function, (x, *weights, *parts)


def place_tensor(module, path, tensor):
    """Put a computed tensor where a parameter was, in copies of the modules on the way."""
    name, _, rest = path.partition(".")
    if rest:
        inner = copy.copy(module._modules[name])
        inner._parameters, inner._modules = dict(inner._parameters), dict(inner._modules)
        module._modules[name] = inner
        place_tensor(inner, rest, tensor)
    else:
        del module._parameters[name]
        module.__dict__[name] = tensor


@pytest.mark.parametrize("name", cell_names())
def test_gradcheck_passes_on_every_own_cell(name):
    torch.manual_seed(7)
    cell = find_cell(name)(3, 4, dtype=D)
    function, arguments = as_function(cell, random_state(cell, 2), lengths=[3, 2])

    assert torch.autograd.gradcheck(function, arguments)


@pytest.mark.parametrize("name", cell_names())
def test_gradgradcheck_passes_on_every_own_cell(name):
    torch.manual_seed(7)
    cell = find_cell(name)(3, 4, dtype=D)
    function, arguments = as_function(cell, random_state(cell, 2), lengths=[3, 2])

    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


@pytest.mark.parametrize("kind", [ResetBefore, Normed])
def test_gradcheck_and_gradgradcheck_pass_on_cells_of_users(kind):
    cell = build(kind)
    function, arguments = as_function(cell, random_state(cell, 2), reverse=True)

    assert torch.autograd.gradcheck(function, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


@kinds
def test_second_derivatives_equal_eager(kind):
    cell, x = build(kind), build_x(requires_grad=True)
    found = {}
    for engine in (ENGINE, "eager"):
        leaves = list(leaves_of(cell, x, None).values())
        first = torch.autograd.grad(loss_of(*unroll(cell, x, engine=engine)), leaves, create_graph=True)
        penalty = sum(g.square().sum() for g in first)
        found[engine] = torch.autograd.grad(penalty, leaves)

    torch.testing.assert_close(found[ENGINE], found["eager"], rtol=1e-8, atol=1e-10)


class Scaled(torch.nn.Module):
    state_size = 3

    def __init__(self):
        super().__init__()
        torch.manual_seed(6)
        self.w = torch.nn.Parameter(torch.randn(3, 3, dtype=D))
        self.scale = 0.5

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 3, dtype=D)

    def forward(self, x, h):
        return torch.tanh(self.scale * (x + h @ self.w))


CHANGES = {
    "attribute": lambda cell: setattr(cell, "scale", 3.0),
    "weight replaced": lambda cell: setattr(cell, "w", torch.nn.Parameter(2 * cell.w.detach())),
}


@pytest.mark.parametrize("create_graph", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("change", CHANGES)
def test_backward_is_that_of_the_cell_as_it_was_run(change, create_graph):
    cell, x = Scaled(), build_x(requires_grad=True)
    weight = cell.w
    wanted = torch.autograd.grad(loss_of(*unroll(cell, x, engine="eager")), (weight, x))
    total = loss_of(*unroll(cell, x, engine=ENGINE))

    CHANGES[change](cell)

    if create_graph:
        # second derivatives run the cell again: refusing is right, those of another cell are not
        found = gradients_or_refusal(total, (weight, x), "", create_graph=True)
    else:
        found = torch.autograd.grad(total, (weight, x))
    if found is not None:
        torch.testing.assert_close([g.detach() for g in found], list(wanted), rtol=1e-9, atol=1e-11)


@kinds
def test_gradients_of_some_tensors_equal_those_among_all(kind):
    cell, x = build(kind), build_x(requires_grad=True)
    state = random_state(cell, 4)
    everything = run(cell, x, state, engine=ENGINE).gradients

    for name, leaf in leaves_of(cell, x, state).items():
        (alone,) = torch.autograd.grad(loss_of(*unroll(cell, x, state, engine=ENGINE)), leaf)
        torch.testing.assert_close(alone, everything[name], rtol=1e-12, atol=1e-14)


@kinds
def test_frozen_weights_get_no_gradient_and_the_others_theirs(kind):
    cell, x = build(kind), build_x(requires_grad=True)
    wanted = run(cell, x, engine="eager").gradients
    names = [name for name, _ in cell.named_parameters()]

    for frozen in (names[:1], names[1:], names):
        for name, parameter in cell.named_parameters():
            parameter.requires_grad_(name not in frozen)
        found = run(cell, x, engine=ENGINE).gradients
        assert found.keys() == wanted.keys() - {f"weight {name}" for name in frozen}
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, wanted[name], rtol=1e-9, atol=1e-11)


def test_nothing_that_wants_a_gradient_gives_an_output_that_has_none():
    cell = build(ResetBefore).requires_grad_(False)

    output, last = unroll(cell, build_x(), engine=ENGINE)

    assert not output.requires_grad
    assert not last.requires_grad


@kinds
def test_gradients_accumulate_over_two_backward_passes(kind):
    cell, x = build(kind), build_x(requires_grad=True)
    wanted = run(cell, x, engine="eager").gradients

    for _ in range(2):
        loss_of(*unroll(cell, x, engine=ENGINE)).backward()
    loss = loss_of(*unroll(cell, x, engine=ENGINE))
    loss.backward(retain_graph=True)
    loss.backward()

    for name, leaf in leaves_of(cell, x, None).items():
        torch.testing.assert_close(leaf.grad, 4 * wanted[name], rtol=1e-9, atol=1e-11)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


def test_a_graph_over_two_windows_with_the_carried_state_equals_one_window():
    cell, x = build(Normed), build_x(6, requires_grad=True)

    first, state = unroll(cell, x[:4], engine=ENGINE)
    second, last = unroll(cell, x[4:], state, engine=ENGINE)
    found = torch.autograd.grad(loss_of(torch.cat((first, second)), last), (x, *cell.parameters()))

    wanted = torch.autograd.grad(loss_of(*unroll(cell, x, engine="eager")), (x, *cell.parameters()))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


def test_torch_func_takes_the_plain_loop_under_auto_and_is_refused_by_native():
    cell, x = build(ResetBefore), build_x()
    weights = {name: p.detach() for name, p in cell.named_parameters()}

    class Wrapped(torch.nn.Module):
        def __init__(self, engine):
            super().__init__()
            self.cell, self.engine = cell, engine

        def forward(self, x):
            return unroll(self.cell, x, engine=self.engine)[0].sin().sum()

    def loss(weights, x, engine="auto"):
        named = {f"cell.{name}": weight for name, weight in weights.items()}
        return torch.func.functional_call(Wrapped(engine), named, (x,))

    gradients = torch.func.grad(loss)(weights, x)
    many = torch.func.vmap(lambda x: unroll(cell, x, engine="auto")[0])(torch.stack((x, 2 * x)))

    output, _ = unroll(cell, x, engine="eager")
    wanted = torch.autograd.grad(output.sin().sum(), list(cell.parameters()))
    torch.testing.assert_close(list(gradients.values()), list(wanted), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(many[1], unroll(cell, 2 * x, engine="eager")[0])
    with pytest.raises(UnsupportedCellError, match=r"ResetBefore.*torch\.func"):
        torch.func.grad(lambda weights: loss(weights, x, ENGINE))(weights)


def test_a_layer_called_with_other_weights_uses_and_differentiates_them():
    layer = recurra.GRU(3, 4, num_layers=2, engine=ENGINE).double()
    x = build_x()
    weights = {name: (2 * p.detach()).requires_grad_() for name, p in layer.named_parameters()}

    output, _ = torch.func.functional_call(layer, weights, (x,))
    found = torch.autograd.grad(output.sin().sum(), list(weights.values()))

    other = torch.nn.GRU(3, 4, num_layers=2).double()
    other.load_state_dict(weights)
    wanted = torch.autograd.grad(other(x)[0].sin().sum(), list(other.parameters()))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_module_under_torch_compile_equals_itself(backend):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layer = recurra.Recurrent(ResetBefore, 3, 4)
            self.head = torch.nn.Linear(4, 2).double()

        def forward(self, x):
            return self.head(self.layer(x)[0]).sin()

    model, x = Model(), build_x(requires_grad=True)
    wanted = torch.autograd.grad(model(x).sum(), (x, *model.parameters()))

    with warnings.catch_warnings():
        # torch's own, from inside its compiler
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        compiled = torch.compile(model, backend=backend)
        found = torch.autograd.grad(compiled(x).sum(), (x, *model.parameters()))
        torch.testing.assert_close(compiled(2 * x), model(2 * x))
    torch._dynamo.reset()

    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_under_autocast_native_runs_in_the_type_of_the_cell(dtype):
    cell, x = build(ResetBefore).float(), build_x().float().to(dtype).requires_grad_()
    wanted, _ = unroll(cell, x.float(), engine=ENGINE)

    with torch.autocast("cpu", torch.bfloat16):
        output, last = unroll(cell, x, engine=ENGINE)
    output.sum().backward()

    assert output.dtype == last.dtype == torch.float32
    torch.testing.assert_close(output, wanted, rtol=0, atol=0)
    assert x.grad.dtype == dtype
    assert all(parameter.grad.any() for parameter in cell.parameters())


def test_inputs_that_want_no_gradient_get_none_and_the_weights_theirs():
    cell = build(Normed)

    found = check_against_eager(cell, build_x(), tuple(s.detach() for s in random_state(cell, 4)))

    assert all(name.startswith("weight") for name in found.gradients)
