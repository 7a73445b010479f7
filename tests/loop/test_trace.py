"""A traced step computes what the cell computes, and its derivative what autograd does."""

from __future__ import annotations

import functools
import os
import threading
import warnings
from contextlib import contextmanager
from unittest import mock

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from recurra.cells import ElmanCell, ElmanReLUCell, GRUCell, LSTMCell, ProjectedLSTMCell
from recurra.errors import UnsupportedCellError
from recurra.loop import trace as trace_module
from recurra.loop.fingerprint import fingerprint, tensors_of
from recurra.loop.graph import POINTWISE, PRODUCTS, REDUCTIONS, VIEWS, Node, Rows
from recurra.loop.interpret import draw, evaluate
from tests.oracles.traced import check_step, trace

IN, H = 3, 4
OPERATIONS = POINTWISE | VIEWS | REDUCTIONS | PRODUCTS | {"input", "full", "draw", "cat", "cumsum", "torch"}


@pytest.fixture(autouse=True)
def _double_precision():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def step_of(*widths, batch_size=5, input_size=IN):
    x = torch.randn(batch_size, input_size)
    states = tuple(torch.randn(batch_size, width) for width in widths)
    return x, states[0] if len(widths) == 1 else states


class Gate(nn.Module):
    """One state; ``compute(cell, x, h)`` is the step."""

    def __init__(self, compute, **tensors):
        super().__init__()
        self.compute = compute
        self.w, self.u = nn.Linear(IN, H), nn.Linear(H, H, bias=False)
        for name, tensor in tensors.items():
            setattr(self, name, tensor)

    def forward(self, x, h):
        return self.compute(self, x, h)


# --- the cells of the package, of torch, and of torchrecurrent


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize(
    ("build", "widths"),
    [
        (functools.partial(ElmanCell, IN, H), (H,)),
        (functools.partial(ElmanReLUCell, IN, H, bias=False), (H,)),
        (functools.partial(GRUCell, IN, H), (H,)),
        (functools.partial(LSTMCell, IN, H), (H, H)),
        (functools.partial(ProjectedLSTMCell, IN, H, proj_size=2), (2, H)),
        (functools.partial(nn.RNNCell, IN, H), (H,)),
        (functools.partial(nn.RNNCell, IN, H, nonlinearity="relu"), (H,)),
        (functools.partial(nn.GRUCell, IN, H), (H,)),
        (functools.partial(nn.LSTMCell, IN, H, bias=False), (H, H)),
    ],
)
def test_a_known_cell_is_traced_as_it_is(build, widths, batch_size):
    graph = check_step(build(), *step_of(*widths, batch_size=batch_size))

    assert {node.op for node in graph.nodes} <= OPERATIONS


def torchrecurrent_cells():
    package = pytest.importorskip("torchrecurrent")
    found = [getattr(package, name) for name in dir(package) if name.endswith("Cell")]
    return sorted((cls for cls in found if isinstance(cls, type)), key=lambda cls: cls.__name__)


def test_every_cell_of_torchrecurrent_is_traced():
    base = pytest.importorskip("torchrecurrent.base")
    # their output is no state, and they do not say so
    decoupled = (base.DecoupledSingleStateCellBase, base.DecoupledDoubleStateCellBase)
    failed = {}
    for cls in torchrecurrent_cells():
        cell = cls(H, H)
        for parameter in cell.parameters():
            nn.init.normal_(parameter, std=0.5)
        x = torch.randn(5, cell.input_size)
        result = cell(x)
        cell.returns_output = issubclass(cls, decoupled)
        shown = result[1] if cell.returns_output else result
        bare = isinstance(shown, torch.Tensor)
        state = torch.randn_like(shown) if bare else tuple(torch.randn_like(s) for s in shown)
        try:
            check_step(cell, x, state)
        except (AssertionError, UnsupportedCellError) as error:
            failed[cls.__name__] = str(error)

    assert len(torchrecurrent_cells()) == 41
    assert failed == {}


# --- the cells that people write


def layer_norm(cell, x, h):
    return torch.tanh(F.layer_norm(cell.w(x) + cell.u(h), (H,), cell.a, cell.b))


def attention(cell, x, h):
    z = (cell.w(x) + cell.u(h)).view(-1, 2, 2)
    return (torch.softmax(z @ z.transpose(1, 2) / 2**0.5, -1) @ z).flatten(1)


def softmax_over_units(cell, x, h):
    return torch.softmax(cell.w(x), -1) * h + torch.log_softmax(cell.u(h), 1)


def grouped(cell, x, h):
    z = torch.einsum("bgk,gkn->bgn", h.view(-1, 2, 2), cell.a)
    return torch.tanh(z.flatten(1) + cell.w(x))


def many_groups(cell, x, h):
    z = torch.einsum("bgk,gkn->bgn", (cell.w(x) * h).repeat(1, 5).view(-1, 20, 1), cell.a)
    return z.view(-1, 5, H).sum(1)


def master_gates(cell, x, h):
    f = torch.softmax(cell.w(x) + cell.u(h), -1).cumsum(-1)
    return f * h + (1 - f) * torch.tanh(cell.w(x))


def without_gradient(cell, x, h):
    with torch.no_grad():
        scale = cell.u(h).exp()
    return torch.tanh(cell.w(x)) * scale + h.detach() * cell.a


def masked(cell, x, h):
    keep = (h > 0) & (x[:, :1] < 1)
    return torch.where(keep, torch.tanh(cell.u(h) * cell.a), h * 0.5) + (h > 0.3) * cell.w(x)


def sliced_weights(cell, x, h):
    return torch.tanh(h @ cell.a[:H] + x @ cell.a[H : H + IN] + cell.a[-1] + cell.a.t()[0, :H])


def tied_weights(cell, x, h):
    return torch.tanh(cell.u(h) + F.linear(h, cell.again.t()) + cell.w(x) + F.linear(torch.tanh(h), cell.u.weight))


def scalar(cell, x, h):
    return cell.a * h + (1 - torch.sigmoid(cell.a)) * torch.relu(cell.w(x)) ** 2 * cell.b


def tensors_in_containers(cell, x, h):
    return torch.tanh(cell.several[0] * h + cell.several[1]["shift"] + cell.w(x))


def constants(cell, x, h):
    ramp = torch.tensor([0.5, 1.0, 2.0, -1.0])
    start = torch.zeros_like(h) + h.new_ones(h.shape[0], 1) + torch.arange(H)
    return start * 0.1 + ramp * cell.u(h) + torch.full((x.size(0), H), 0.25)


def writes_into_its_own(cell, x, h):
    z = cell.w(x).clone()
    z.mul_(2).add_(cell.u(h))
    return z.tanh_()


def convolved(cell, x, h):
    padded = F.pad(h, (1, 1))
    return torch.tanh(padded[:, :-2] * 0.3 + padded[:, 1:-1] - padded[:, 2:] + h.roll(1, 1)) * cell.w(x)


P = nn.Parameter
USERS = {
    "layer_norm": lambda: Gate(layer_norm, a=P(torch.randn(H)), b=P(torch.randn(H))),
    "attention": lambda: Gate(attention),
    "softmax_over_units": lambda: Gate(softmax_over_units),
    "grouped": lambda: Gate(grouped, a=P(torch.randn(2, 2, 2))),
    "many_groups": lambda: Gate(many_groups, a=P(torch.randn(20, 1, 1))),
    "master_gates": lambda: Gate(master_gates),
    "without_gradient": lambda: Gate(without_gradient, a=P(torch.randn(H))),
    "masked": lambda: Gate(masked, a=torch.tensor([1.0, 0.0, 1.0, 1.0])),
    "sliced_weights": lambda: Gate(sliced_weights, a=P(torch.randn(H + IN + 1, H))),
    "scalar": lambda: Gate(scalar, a=P(torch.tensor(0.3)), b=P(torch.randn(1))),
    "tensors_in_containers": lambda: Gate(
        tensors_in_containers, several=[P(torch.randn(H)), {"shift": P(torch.randn(H))}]
    ),
    "constants": lambda: Gate(constants),
    "writes_into_its_own": lambda: Gate(writes_into_its_own),
    "convolved": lambda: Gate(convolved),
}


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("name", USERS)
def test_a_users_cell_is_traced_as_it_is(name, batch_size):
    graph = check_step(USERS[name](), *step_of(H, batch_size=batch_size))

    assert {node.op for node in graph.nodes} <= OPERATIONS


def test_tied_weights_are_one_input():
    cell = Gate(tied_weights)
    cell.again = cell.u.weight

    graph = check_step(cell, *step_of(H))

    assert list(graph.weights) == ["again", "w.weight", "w.bias"]
    assert set(graph.d_weights) == set(graph.weights)


class Several(nn.Module):
    """Two inputs, three states of different widths, an output that is none of them."""

    returns_output = True

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.out = (nn.Linear(*s) for s in ((IN + 2, 2), (2, H), (H, 1), (H + 2, 6)))

    def forward(self, x, state):
        values, time = x
        p, q, r = state
        p = torch.tanh(self.a(torch.cat([values, p], 1))) * time
        q = torch.sigmoid(self.b(p)) * q + r
        return self.out(torch.cat([p, q], 1)), (p, q, self.c(q))


def test_several_inputs_states_and_an_output_of_its_own():
    x = torch.randn(5, IN), torch.rand(5, 1)

    graph = check_step(Several(), x, (torch.randn(5, 2), torch.randn(5, H), torch.randn(5, 1)))

    assert graph.output.shape == (Rows(1), 6)
    assert [node.row_shape[1] for node in graph.new_state] == [2, H, 1]


def test_a_state_that_is_passed_on_and_one_that_is_the_input():
    class Passing(nn.Module):
        def forward(self, x, state):
            return x, state[0]

    graph = check_step(Passing(), *step_of(IN, IN))

    assert graph.new_state == [graph.x[0], graph.state[0]]
    assert graph.d_state[1] is None


class Halved(torch.autograd.Function):
    """The square, with a derivative of its own."""

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0] * 0.5


def test_the_derivative_of_an_autograd_function_is_its_own():
    check_step(Gate(lambda cell, x, h: Halved.apply(cell.w(x) + cell.u(h))), *step_of(H))


def test_hooks_of_modules_and_of_gradients_are_traced():
    def clipped(cell, x, h):
        z = cell.u(h) * 3
        if z.requires_grad:
            z.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
        return torch.tanh(z + cell.w(x))

    cell = Gate(clipped)
    cell.w.register_forward_hook(lambda module, args, output: output * 2)
    cell.u.register_forward_pre_hook(lambda module, args: (args[0] + 1,))

    check_step(cell, *step_of(H))


# --- weights that are computed


def normed(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(module)


@pytest.mark.parametrize(
    "reparametrize", [parametrizations.weight_norm, parametrizations.orthogonal, parametrizations.spectral_norm, normed]
)
def test_a_parametrised_weight_is_traced_with_its_gradient(reparametrize):
    cell = Gate(lambda cell, x, h: torch.tanh(cell.w(x) + cell.u(h)))
    reparametrize(cell.u)
    cell.eval()

    check_step(cell, *step_of(H))


def test_a_cell_made_of_plain_tensors_is_traced():
    weights = {name: p.detach() * 1.0 for name, p in GRUCell(IN, H).named_parameters()}

    graph = check_step(GRUCell.from_weights(**{k: w.requires_grad_() for k, w in weights.items()}), *step_of(H))

    assert set(graph.d_weights) == set(weights)


# --- random values


@contextmanager
def _dropout_by(draws):
    with mock.patch.object(F, "dropout", lambda x, p, training, inplace: x * draws.pop(0) / (1 - p)):
        yield
    assert draws == []


def test_dropout_is_a_draw_of_zeros_and_ones():
    class Dropping(Gate):
        def __init__(self):
            super().__init__(None)
            self.first, self.second = nn.Dropout(0.3), nn.Dropout(0.6)

        def forward(self, x, h):
            return torch.tanh(self.first(self.w(x)) + self.second(self.u(h)))

    graph = check_step(Dropping(), *step_of(H), same_draws=_dropout_by)

    draws = [node for node in graph.nodes if node.op == "draw"]
    assert [node.args for node in draws] == [("bernoulli", 0.7), ("bernoulli", pytest.approx(0.4))]
    assert not [node for node in trace(Dropping().eval(), *step_of(H)).nodes if node.op == "draw"]


@pytest.mark.parametrize(("name", "kind"), [("rand_like", "uniform"), ("randn_like", "normal")])
def test_random_values_are_drawn_for_each_row(name, kind):
    @contextmanager
    def same(draws):
        with mock.patch.object(torch, name, side_effect=lambda like: draws.pop(0)):
            yield

    cell = Gate(lambda cell, x, h: torch.tanh(cell.u(h) + getattr(torch, name)(h) * cell.w(x)))

    graph = check_step(cell, *step_of(H), same_draws=same)

    assert [node.args for node in graph.nodes if node.op == "draw"] == [(kind,)]


def test_equal_draws_stay_two():
    graph = trace(Gate(lambda cell, x, h: torch.rand_like(h) - torch.rand_like(h)), *step_of(H))

    assert sum(node.op == "draw" for node in graph.nodes) == 2


@pytest.mark.parametrize(
    ("args", "mean", "variance"), [(("uniform",), 0.5, 1 / 12), (("normal",), 0, 1), (("bernoulli", 0.3), 0.3, 0.21)]
)
def test_one_call_draws_all_steps(args, mean, variance):
    drawn = draw(Node("draw", args, (Rows(1), H), torch.float64, "draw"), 50, 100)

    assert drawn.shape == (100, 50, H)
    assert drawn.mean() == pytest.approx(mean, abs=0.03)
    assert drawn.var() == pytest.approx(variance, abs=0.03)


# --- the graph


def test_an_lstm_has_no_product_and_no_value_twice():
    graph = trace(LSTMCell(IN, H), *step_of(H, H))

    counts = {op: sum(node.op == op for node in graph.nodes) for op in ("addmm", "mm", "tanh", "sigmoid")}
    assert counts == {"addmm": 2, "mm": 2, "tanh": 2, "sigmoid": 3}
    sums = [node for node in graph.nodes if node.op == "torch"]
    assert [str(node.args[0]) for node in sums].count("aten.mm.default") == 2
    assert len(sums) == 3  # the two biases have one gradient
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)


def test_nodes_come_after_their_operands_and_all_are_needed():
    graph = trace(USERS["attention"](), *step_of(H))

    seen = set()
    for node in graph.nodes:
        assert set(node.operands()) <= seen
        seen.add(node)
    used = {operand for node in graph.nodes for operand in node.operands()}
    results = {graph.output, *graph.new_state, *graph.d_state, *graph.d_x, *graph.d_weights.values()}
    assert {node for node in graph.nodes if node.op != "input"} <= used | results


def test_gradients_that_nobody_wants_are_not_there():
    cell = LSTMCell(IN, H)

    graph = trace(cell, *step_of(H, H), wanted=frozenset(["weight_hh"]), wants_x=(False,), wants_state=True)

    assert list(graph.d_weights) == ["weight_hh"]
    assert graph.d_x == [None]
    assert None not in graph.d_state


def test_without_a_derivative_there_is_the_step_alone():
    cell = USERS["layer_norm"]()
    x, h = step_of(H)

    graph = trace(cell, x, h, derivative=False)

    assert graph.d_output is None
    assert (graph.d_new_state, graph.d_x, graph.d_state, graph.d_weights) == ([], [], [], {})
    values = {graph.weights[path]: tensor for path, tensor in tensors_of(cell).items()}
    output = evaluate([graph.output], values | {graph.x[0]: x, graph.state[0]: h}, 5)[0]
    torch.testing.assert_close(output, cell(x, h))


def test_a_node_shows_its_operands_by_name_only():
    graph = trace(LSTMCell(IN, H), *step_of(H, H))

    node = graph.new_state[1]
    assert repr(node) == f"{node.name} (B, 4) = add({node.args[0].name}, {node.args[1].name})"
    assert max(len(repr(node)) for node in graph.nodes) < 200


def test_nodes_know_their_line():
    graph = trace(GRUCell(IN, H), *step_of(H))

    lines = {node.op: node.line for node in graph.nodes if node in (graph.output, graph.weights["bias_hh"])}
    path, number, text = lines["add"].split(":", 2)
    assert path.endswith("cells/gru.py")
    assert int(number) > 0
    assert text.strip().startswith("return (1 - z) * n + z * h")
    assert lines["input"] == ""


def test_sums_over_the_batch_are_sums_over_the_steps_too():
    cell, (x, h) = USERS["layer_norm"](), step_of(H, batch_size=6)
    graph = trace(cell, x, h)
    weights = {graph.weights[path]: tensor.detach() for path, tensor in tensors_of(cell).items()}
    rows = dict(zip((graph.x[0], graph.state[0], graph.d_output, graph.d_new_state[0]), (x, h, h, h), strict=True))
    wanted = list(graph.d_weights.values())

    at_once = evaluate(wanted, weights | rows, 6)
    halves = [
        evaluate(wanted, weights | {node: value[part] for node, value in rows.items()}, 3)
        for part in (slice(0, 3), slice(3, 6))
    ]

    for whole, first, second in zip(at_once, *halves, strict=True):
        torch.testing.assert_close(whole, first + second)


def test_an_input_without_a_value_is_an_error():
    graph = trace(GRUCell(IN, H), *step_of(H))

    with pytest.raises(KeyError, match="the value of input bias_ih"):
        evaluate([graph.output], {}, 5)


# --- what tracing leaves alone


def test_the_cell_and_the_random_state_stay_as_they_are():
    cell = USERS["tensors_in_containers"]()
    cell.w.register_forward_hook(lambda module, args, output: output)
    before = fingerprint(cell), {path: (id(t), t._version) for path, t in tensors_of(cell).items()}
    attributes = {name: dict(module.__dict__) for name, module in cell.named_modules()}
    random_state = torch.get_rng_state()

    trace(cell, X_FIXED, H_FIXED)

    assert (fingerprint(cell), {path: (id(t), t._version) for path, t in tensors_of(cell).items()}) == before
    assert {name: dict(module.__dict__) for name, module in cell.named_modules()} == attributes
    assert all(p.grad is None for p in cell.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


X_FIXED, H_FIXED = torch.zeros(2, IN, dtype=torch.float64), torch.zeros(2, H, dtype=torch.float64)


def test_two_threads_trace_at_once():
    cells = [LSTMCell(IN, H), GRUCell(IN, H)]
    steps = [step_of(H, H), step_of(H)]
    alone = [[repr(node) for node in trace(cell, *step).nodes] for cell, step in zip(cells, steps, strict=True)]
    found = [[], []]

    def work(k):
        for _ in range(3):
            found[k].append([repr(node) for node in trace(cells[k], *steps[k]).nodes])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [[alone[0]] * 3, [alone[1]] * 3]


def test_a_forked_child_traces_although_a_thread_of_its_parent_was_at_it():
    with trace_module._LOCK:
        child = os.fork()
        if child == 0:
            # another thread's lock: taking it must not wait for a thread that is not there
            taken = []
            thread = threading.Thread(target=lambda: taken.append(trace_module._LOCK.acquire(timeout=5)))
            thread.start()
            thread.join()
            os._exit(0 if taken == [True] else 1)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu")])
def test_the_callers_modes_do_not_reach_the_trace(mode):
    cell, step = GRUCell(IN, H), step_of(H)
    plain = [repr(node) for node in trace(cell, *step).nodes]

    with mode():
        inside = [repr(node) for node in trace(cell, *step).nodes]

    assert inside == plain


def test_single_precision_stays_single():
    cell = LSTMCell(IN, H, dtype=torch.float32)
    x, state = torch.randn(5, IN, dtype=torch.float32), tuple(torch.randn(2, 5, H, dtype=torch.float32))

    graph = check_step(cell, x, state, rtol=1e-4, atol=1e-5)

    assert {node.dtype for node in graph.nodes} == {torch.float32}
