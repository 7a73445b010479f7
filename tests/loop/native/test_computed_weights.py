"""Weights that parametrisations compute, in every engine: what is read, who sees it, and how long it lives."""

import copy
import gc
import threading
import weakref

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import parametrizations, parametrize

from recurra.cells import GRUCell, LSTMCell
from recurra.errors import UnsupportedCellError
from recurra.loop import compiled, describe, unroll
from recurra.loop.computed_weights import computed_weights
from recurra.loop.copying import Copier

D = torch.float64
X = torch.randn(7, 5, 3, dtype=D, generator=torch.Generator().manual_seed(1))
ENGINES = ("eager", "torch", "native")


class Rule(torch.nn.Module):
    """Computes a weight by a function, and counts how often."""

    def __init__(self, function=lambda weight: 2 * weight):
        super().__init__()
        self.function = function
        self.calls = 0

    def forward(self, weight):
        self.calls += 1
        return self.function(weight)


def with_rule(function=lambda weight: 2 * weight, cell=None, *, name="weight_hh"):
    torch.manual_seed(0)
    cell = GRUCell(3, 4, dtype=D) if cell is None else cell
    parametrize.register_parametrization(cell, name, Rule(function), unsafe=True)
    return cell


def plain_twin(cell):
    """Return a cell without parametrisations around what those of ``cell`` compute now."""
    twin = GRUCell(3, 4, dtype=D)
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            parameter.copy_(getattr(cell, name))
    return twin


# --- what is read


@pytest.mark.parametrize("engine", ENGINES)
def test_a_computed_weight_that_is_a_view_which_negates_is_read_with_its_sign(engine):
    cell = with_rule(lambda weight: torch.complex(torch.zeros_like(weight), weight).conj().imag)

    output, _ = unroll(cell, X, engine=engine)

    torch.testing.assert_close(output, unroll(plain_twin(cell), X, engine="eager")[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("function", [lambda w: w[:1].expand(12, 4), lambda w: w.flip(0).t().contiguous().t()])
def test_a_computed_weight_may_lie_in_memory_in_any_way(engine, function):
    cell = with_rule(function)

    output, _ = unroll(cell, X, engine=engine)

    torch.testing.assert_close(output, unroll(plain_twin(cell), X, engine="eager")[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ["torch", "native"])
def test_computed_weights_of_another_type_are_refused(engine):
    cell = with_rule(lambda weight: weight.float())

    with pytest.raises(UnsupportedCellError, match=r"are not of one floating-point type, but of .*float32, .*float64"):
        unroll(cell, X, engine=engine)


class Own(torch.Tensor):
    pass


@pytest.mark.parametrize("engine", ["torch", "native"])
def test_computed_weights_of_a_subclass_are_refused(engine):
    cell = with_rule(lambda weight: weight.as_subclass(Own))

    with pytest.raises(UnsupportedCellError, match="a tensor is of a subclass"):
        unroll(cell, X, engine=engine)


def test_parameters_of_another_type_than_the_weight_they_become_are_taken():
    cell = with_rule(lambda weight: weight.double(), GRUCell(3, 4, dtype=D))
    rules = cell.parametrizations.weight_hh
    rules.original = torch.nn.Parameter(rules.original.detach().float())

    output, _ = unroll(cell, X, engine="native")

    torch.testing.assert_close(output, unroll(cell, X, engine="eager")[0], rtol=1e-10, atol=1e-12)


class Scaled(GRUCell):
    """Reads what its weight is computed from."""

    def forward(self, x, h):
        return super().forward(x, h) * self.strength()

    def strength(self):
        return self.parametrizations.weight_hh.original.mean() + len(list(self.children()))


class ScaledTwice(Scaled):
    def forward(self, x, h):
        return 2 * super().forward(x, h)


class ScaledByProperty(GRUCell):
    def forward(self, x, h):
        return super().forward(x, h) * self.strength

    @property
    def strength(self):
        return sum(p.sum() for p in self.parameters())


@pytest.mark.parametrize("kind", [Scaled, ScaledTwice, ScaledByProperty])
def test_a_cell_may_read_its_own_parametrisations(kind):
    cell = with_rule(cell=kind(3, 4, dtype=D))
    found = []
    for engine in ("eager", "native"):
        output, last = unroll(cell, X, engine=engine)
        found.append([output, last, *torch.autograd.grad(output.square().sum(), list(cell.parameters()))])

    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-11)


def test_what_changes_in_a_parametrisation_compiles_nothing_anew():
    cell = with_rule()
    compiled.clear()

    for _ in range(3):
        unroll(cell, X, engine="native")

    assert cell.parametrizations.weight_hh[0].calls >= 3
    assert len(compiled._cache) == 1


@pytest.mark.parametrize("engine", ["torch", "native"])
def test_hooks_of_a_parametrisation_are_called_once_a_call(engine):
    cell = with_rule()
    calls = []
    cell.parametrizations.weight_hh[0].register_forward_hook(lambda *_: calls.append(1))

    unroll(cell, X, engine=engine)

    assert calls == [1]


def test_hooks_of_the_cell_still_keep_it_in_the_plain_loop():
    cell = with_rule()
    cell.register_forward_hook(lambda *_: None)

    with pytest.raises(UnsupportedCellError, match="it has hooks, which are called at every step only in the plain"):
        unroll(cell, X, engine="native")


def test_a_step_of_the_plain_loop_runs_the_cell_itself():
    class Remembering(GRUCell):
        def forward(self, x, h):
            self.last = x
            return super().forward(x, h)

    cell = with_rule(cell=Remembering(3, 4, dtype=D))
    seen = []
    cell.register_forward_hook(lambda module, *_: seen.append(module is cell))

    unroll(cell, X, engine="eager")

    assert torch.equal(cell.last, X[-1])
    assert seen == [True] * len(X)


# --- threads


PAUSES = []


class Waiting(GRUCell):
    """Waits, in the thread that is told to, between the computation of its weights and its steps."""

    def initial_state(self, batch_size):
        for pause in PAUSES:
            pause()
        return super().initial_state(batch_size)


def run_while_another_waits(waiting, inside):
    """Run ``inside`` in this thread while another is in the middle of a call, ``waiting``."""
    entered, done = threading.Event(), threading.Event()

    def wait():
        if threading.current_thread() is other:
            entered.set()
            assert done.wait(30)

    PAUSES[:] = [wait]
    found = []
    other = threading.Thread(target=lambda: found.append(waiting()))
    other.start()
    assert entered.wait(30)
    try:
        result = inside()
    finally:
        done.set()
        other.join()
        PAUSES.clear()
    return found[0], result


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_a_thread_that_trains_takes_nothing_of_one_that_evaluates(engine):
    cell = with_rule(cell=Waiting(3, 4, dtype=D))
    wanted = torch.autograd.grad(unroll(cell, X, engine="eager")[0].square().sum(), list(cell.parameters()))

    def evaluate():
        with torch.no_grad():
            return unroll(cell, X, engine=engine)[0]

    def train():
        return torch.autograd.grad(unroll(cell, X, engine=engine)[0].square().sum(), list(cell.parameters()))

    output, gradients = run_while_another_waits(evaluate, train)
    late_gradients, late_output = run_while_another_waits(train, evaluate)

    torch.testing.assert_close([gradients, late_gradients], [wanted, wanted], rtol=1e-9, atol=1e-11)
    assert torch.equal(output, late_output)
    assert not output.requires_grad


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_two_threads_that_train_have_a_graph_each(engine):
    cell = with_rule(cell=Waiting(3, 4, dtype=D))

    def train():
        return torch.autograd.grad(unroll(cell, X, engine=engine)[0].square().sum(), list(cell.parameters()))

    first, second = run_while_another_waits(train, train)

    torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_torch_has_cached_is_neither_read_nor_changed(engine):
    cell = with_rule()

    with parametrize.cached():
        cached = cell.weight_hh
        unroll(cell, X, engine=engine)[0].sum().backward()

        assert cell.weight_hh is cached
        assert list(parametrize._cache.values()) == [cached]


def test_copies_of_a_module_have_their_own_weights():
    cell = with_rule()
    unroll(cell, X)
    twin = copy.deepcopy(cell)
    with torch.no_grad():
        twin.parametrizations.weight_hh.original.mul_(-1)

    for engine in ENGINES:
        torch.testing.assert_close(unroll(twin, X, engine=engine), unroll(plain_twin(twin), X, engine="eager"))


class Around(torch.nn.Module):
    """Runs a cell over pieces of its own, in every step, with weights that the call around has computed."""

    returns_output = False

    def __init__(self):
        super().__init__()
        self.inner = with_rule()

    def forward(self, x, h):
        return unroll(self.inner, x.unsqueeze(0), h, engine="eager")[1]

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 4, dtype=D)


def test_a_call_inside_a_call_takes_what_that_has_computed():
    cell = Around()
    cell.inner.parametrizations.weight_hh[0].calls = 0

    output, _ = unroll(cell, X, engine="eager")

    assert cell.inner.parametrizations.weight_hh[0].calls == 1
    torch.testing.assert_close(output, unroll(cell.inner, X, engine="eager")[0])


def test_the_weights_are_computed_anew_after_a_call_also_one_that_failed():
    cell = with_rule()
    unroll(cell, X)
    with pytest.raises(RuntimeError):
        unroll(cell, X, torch.zeros(5, 4), engine="eager")
    cell.parametrizations.weight_hh[0].calls = 0

    cell(X[0], torch.zeros(5, 4, dtype=D))
    cell(X[0], torch.zeros(5, 4, dtype=D))

    assert cell.parametrizations.weight_hh[0].calls > 1


def test_parametrisations_that_are_removed_leave_a_plain_cell():
    cell = with_rule()
    wanted, _ = unroll(cell, X)

    parametrize.remove_parametrizations(cell, "weight_hh")

    assert type(cell) is GRUCell
    torch.testing.assert_close(unroll(cell, X, engine="native")[0], wanted)


@pytest.mark.parametrize("is_seen", [False, True])
def test_torch_compile_takes_computed_weights_in_one_graph(is_seen):
    cell = with_rule(lambda weight: torch.nn.functional.dropout(weight, 0.5))
    if is_seen:
        unroll(cell, X)
    torch.compiler.reset()
    run = torch.compile(lambda x: unroll(cell, x)[0], backend="eager", fullgraph=True)

    torch.manual_seed(3)
    output = run(X)

    torch.manual_seed(3)
    torch.testing.assert_close(output, unroll(cell, X, engine="eager")[0], rtol=1e-10, atol=1e-12)


# --- autocast


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_weights_are_computed_in_the_type_of_their_parameters_on_any_device(device):
    seen = []

    def note(weight):
        seen.append((weight.device.type, torch.is_autocast_enabled(device)))
        return weight

    with FakeTensorMode():
        cell = torch.nn.Module()
        cell.weight = torch.nn.Parameter(torch.empty(3, 4, device=device))
        with_rule(note, cell, name="weight")
        seen.clear()
        torch.set_autocast_enabled(device, True)
        try:
            with computed_weights(cell):
                assert torch.is_autocast_enabled(device)
        finally:
            torch.set_autocast_enabled(device, False)

    assert seen == [(device, False)]


# --- how long things live


@pytest.mark.parametrize("engine", ENGINES)
def test_a_computed_weight_goes_with_the_backward_pass(engine):
    made = []

    def note(weight):
        computed = weight * 2
        made.append(weakref.ref(computed))
        return computed

    cell = with_rule(note)
    made.clear()

    output, _ = unroll(cell, X, engine=engine)
    output.square().sum().backward()
    gc.collect()

    assert [reference() for reference in made] == [None]
    assert output.grad_fn is not None


def test_second_derivatives_are_there_where_two_weights_are_one_tensor():
    cell = with_rule(lambda weight: weight.sin())
    shared = []

    def same(weight):
        shared[:] = shared or [weight.cos()]
        return shared[0]

    with_rule(same, cell, name="bias_ih")
    with_rule(lambda weight: same(weight), cell, name="bias_hh")
    found = []
    for engine in ("eager", "native"):
        shared.clear()
        output, _ = unroll(cell, X, engine=engine)
        (first,) = torch.autograd.grad(output.square().sum(), [cell.weight_ih], create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), list(cell.parameters()), allow_unused=True))

    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-11)


def test_a_call_makes_no_class():
    cell = parametrizations.weight_norm(LSTMCell(3, 4, dtype=D), "weight_hh")
    unroll(cell, X, engine="native")
    gc.collect()
    before = set(map(id, type.__subclasses__(LSTMCell)))

    gc.disable()
    try:
        for _ in range(5):
            unroll(cell, X, engine="native")[0].sum().backward()
        after = set(map(id, type.__subclasses__(LSTMCell)))
    finally:
        gc.enable()

    assert after == before


def test_a_copy_reaches_its_computed_weights_through_bound_methods():
    cell = with_rule()
    cell.helper = cell.from_state
    with computed_weights(cell):
        weight = cell.weight_hh
        copy = Copier({}, computed={(id(cell), "weight_hh"): weight}, has_parametrizations=False).copy(cell)

    assert type(copy) is GRUCell
    assert copy.weight_hh is weight
    assert copy.helper.__self__ is copy
    assert not hasattr(copy, "parametrizations")


# --- describe


def test_describe_leaves_the_random_numbers_to_come_as_they_are(capsys):
    cell = with_rule(lambda weight: torch.nn.functional.dropout(weight, 0.5))
    cell.parametrizations.weight_hh[0].calls = 0
    before = torch.get_rng_state()

    describe(cell, llvm=False)

    assert torch.equal(torch.get_rng_state(), before)
    assert cell.parametrizations.weight_hh[0].calls == 1
    assert capsys.readouterr().out.startswith("ParametrizedGRUCell: input (B, 3)")
