"""The engine "torch" against the plain loop, and where it must stand aside."""

import pytest
import torch

from recurra.cells import ElmanCell, ElmanReLUCell, GRUCell, LSTMCell, ProjectedLSTMCell
from recurra.errors import EngineFallbackWarning, UnsupportedCellError
from recurra.loop import unroll

CELLS = [
    ElmanCell,
    ElmanReLUCell,
    LSTMCell,
    ProjectedLSTMCell,
    GRUCell,
    torch.nn.RNNCell,
    torch.nn.LSTMCell,
    torch.nn.GRUCell,
]
kinds = pytest.mark.parametrize("kind", CELLS, ids=lambda kind: f"{kind.__module__.split('.')[0]}-{kind.__name__}")


def build(kind, dtype=torch.float64, **options):
    torch.manual_seed(11)
    return kind(3, 6, **options).to(dtype)


def tensors(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def gradients(cell, x, leaves, engine, order=1, **options):
    state = leaves if len(leaves) > 1 else leaves[0]
    output, last = unroll(cell, x, state, engine=engine, **options)
    loss = (output * output.sin()).sum() + sum((s * s.cos()).sum() for s in tensors(last))
    needed = [x, *leaves, *cell.parameters()]
    found = torch.autograd.grad(loss, needed, create_graph=order > 1)
    if order > 1:
        total = sum((g * g).sum() for g in found)
        found = (*found, *torch.autograd.grad(total, needed))
    return output, last, found


def leaves_of(cell, dtype, batch=5):
    torch.manual_seed(12)
    x = torch.randn(7, batch, 3, dtype=dtype, requires_grad=True)
    _, last = unroll(cell, x[:1])
    return x, tuple(torch.randn_like(s).requires_grad_() for s in tensors(last))


@kinds
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "lengths", [None, [7, 1, 0, 4, 4], [4, 4, 4, 4, 4], [0, 0, 0, 0, 1]], ids=["full", "ragged", "equal", "one"]
)
def test_torchs_function_equals_the_loop(kind, reverse, bias, lengths):
    cell = build(kind, bias=bias)
    x, state = leaves_of(cell, torch.float64)
    call = {"reverse": reverse, "lengths": lengths}

    for found, wanted in zip(
        gradients(cell, x, state, "torch", **call), gradients(cell, x, state, "eager", **call), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@kinds
@pytest.mark.parametrize("lengths", [None, [7, 1, 0, 4, 4]], ids=["full", "ragged"])
def test_second_gradients_equal_the_loops(kind, lengths):
    cell = build(kind)
    x, state = leaves_of(cell, torch.float64)

    found = gradients(cell, x, state, "torch", order=2, lengths=lengths)[2]
    wanted = gradients(cell, x, state, "eager", order=2, lengths=lengths)[2]

    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@kinds
@pytest.mark.parametrize("training", [True, False])
def test_float32_equals_the_loop_within_rounding(kind, training):
    # torch takes another library for a float32 LSTM than for a float64 one
    cell = build(kind, torch.float32).train(training)
    x, state = leaves_of(cell, torch.float32)

    found, wanted = (gradients(cell, x, state, engine) for engine in ("torch", "eager"))

    torch.testing.assert_close(found, wanted, rtol=2e-4, atol=2e-5)


@kinds
def test_second_gradients_in_float32_equal_the_loops(kind):
    cell = build(kind, torch.float32)
    x, state = leaves_of(cell, torch.float32)

    found, wanted = (gradients(cell, x, state, engine, order=2)[2] for engine in ("torch", "eager"))

    torch.testing.assert_close(found, wanted, rtol=5e-3, atol=5e-4)


@kinds
def test_no_state_is_zeros(kind):
    cell = build(kind)
    x = torch.randn(7, 5, 3, dtype=torch.float64)

    torch.testing.assert_close(unroll(cell, x, engine="torch"), unroll(cell, x, engine="eager"))


def test_a_relu_cell_of_torch_is_not_taken_for_tanh():
    cell = build(torch.nn.RNNCell, nonlinearity="relu")
    x = 5 * torch.randn(7, 5, 3, dtype=torch.float64)

    output, _ = unroll(cell, x, engine="torch")

    assert output.max() > 1
    torch.testing.assert_close(output, unroll(cell, x, engine="eager")[0])


def count_steps(cell, x, **options):
    """How often the cell itself was called: never, if torch's function ran."""
    calls = []
    kind = type(cell)
    original = kind.__call__

    def counting(self, *args):
        calls.append(1)
        return original(self, *args)

    kind.__call__ = counting
    try:
        unroll(cell, x, **options)
    finally:
        if "__call__" in vars(kind):
            del kind.__call__
        assert kind.__call__ is original
    return len(calls)


X = torch.randn(4, 2, 3)


def test_the_engine_torch_runs_no_step_of_the_cell():
    assert count_steps(GRUCell(3, 5), X, engine="torch") == 0
    assert count_steps(torch.nn.LSTMCell(3, 5), X, engine="torch") == 0
    assert count_steps(LSTMCell(3, 5), X, engine="torch", lengths=[4, 1], reverse=True) == 0
    assert count_steps(GRUCell(3, 5), X, engine="eager") == 4


def refused(cell, x=X, state=None, **options):
    with pytest.raises(UnsupportedCellError) as caught:
        unroll(cell, x, state, engine="torch", **options)
    assert caught.value.hint == "use engine='auto' or 'eager'"
    name = type(cell).__name__
    prefix = f"engine 'torch' cannot run {name}: "
    assert caught.value.message.startswith(prefix)
    return caught.value.message.removeprefix(prefix)


def test_a_subclass_is_refused():
    class Mine(GRUCell):
        """The same equations, and yet another class."""

    assert refused(Mine(3, 5)) == "it is none of torch's own recurrences"


def test_an_unknown_nonlinearity_is_refused():
    cell = torch.nn.RNNCell(3, 5)
    cell.nonlinearity = "sine"

    assert refused(cell) == "it is none of torch's own recurrences"


def test_a_reset_is_refused():
    assert refused(GRUCell(3, 5), reset=torch.zeros(4, 2, dtype=torch.bool)) == "reset is given"


def test_a_tuple_is_refused():
    assert refused(GRUCell(3, 5), (X, X)) == "a step takes a tuple"


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_hooks_are_refused_and_run_under_auto(kind):
    cell, calls = GRUCell(3, 5), []
    getattr(cell, f"register_{kind}_hook")(lambda *args: calls.append(1))

    assert refused(cell) == "it has hooks"
    with pytest.warns(EngineFallbackWarning, match="GRUCell: it has hooks, which are called at every step only in the"):
        output, _ = unroll(cell, X.clone().requires_grad_())
    output.sum().backward()
    assert len(calls) == 4


def test_global_hooks_are_refused():
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *args: None)
    try:
        assert refused(GRUCell(3, 5)) == "there are global module hooks"
    finally:
        handle.remove()


def test_a_replaced_forward_is_refused_and_runs_under_auto():
    cell = GRUCell(3, 5)
    cell.forward = lambda x, h: h + 1

    assert refused(cell) == "its forward was replaced"
    assert unroll(cell, X)[0][-1].unique().tolist() == [4]


def test_one_bias_of_two_is_refused():
    cell = torch.nn.GRUCell(3, 5)
    cell.bias_hh = None

    assert refused(cell) == "it has one bias of two"


def test_another_type_than_the_weights_is_refused():
    message = "x, state and weights are not of one floating-point type, but of torch.float32, torch.float64"

    assert refused(GRUCell(3, 5), X.double()) == message


def test_a_tensor_subclass_is_refused():
    class Marked(torch.Tensor):
        pass

    assert refused(GRUCell(3, 5), X.as_subclass(Marked)) == "a tensor is of a subclass"


def test_meta_tensors_are_refused_and_run_under_auto():
    cell = GRUCell(3, 5, device="meta")

    assert refused(cell, X.to("meta")) == "x, state and weights are not on one device that holds data"
    assert unroll(cell, X.to("meta"))[0].shape == (4, 2, 5)


def test_an_empty_batch_is_refused():
    assert refused(GRUCell(3, 5), X[:, :0]) == "the batch is empty"


def test_transforms_are_refused():
    cell = GRUCell(3, 5)

    def run(x):
        assert refused(cell, x) in {"a tensor is of a subclass", "torch.func or forward-mode differentiation is active"}
        return x

    torch.func.vmap(run)(torch.stack((X, X)))
    with torch.autograd.forward_ad.dual_level():
        assert refused(cell) == "torch.func or forward-mode differentiation is active"


def test_autocast_on_the_cpu_is_refused_and_runs_under_auto():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert refused(GRUCell(3, 5)) == "autocast is on, which torch's functions do not follow on the CPU"
        output, _ = unroll(GRUCell(3, 5), X)
    assert output.shape == (4, 2, 5)
