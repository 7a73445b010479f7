"""Recurra's layers and cells against torch's, over the inputs with which torch tests its own modules."""

import copy
from functools import cache

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

import recurra
from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE

pytest.importorskip("expecttest", reason="torch's own test tools need expecttest")
common_modules = pytest.importorskip("torch.testing._internal.common_modules", reason="this torch has no test tools")

LAYERS = {"RNN": recurra.RNN, "GRU": recurra.GRU, "LSTM": recurra.LSTM}
CELLS = ("RNNCell", "GRUCell", "LSTMCell")
# torch's own, of a choice between two of its implementations
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

DTYPES = [torch.float64, torch.float32]
TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5}
"""Allowed difference, in units of the tensor's largest element or 1: the inputs reach 9, so sums cancel."""


@cache
def cases(name, dtype):
    """Return torch's module, and the inputs of each of its cases: what it is built with, and what it is called with."""
    info = next(info for info in common_modules.module_db if info.name == f"nn.{name}")
    torch.manual_seed(11)
    options = {"with_packed_sequence": True} if name in ("RNN", "GRU") else {}
    found = info.module_inputs_func(info, "cpu", dtype, requires_grad=True, training=True, **options)
    return info.module_cls, found


def flat(value):
    if value is None:
        return []
    if isinstance(value, PackedSequence):
        return [value.data]
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for part in value for tensor in flat(part)]


def fresh(value):
    """Copy the inputs of a case, so that each gradient has its own place."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.is_floating_point())
    if isinstance(value, PackedSequence):
        return value._replace(data=fresh(value.data))
    return tuple(fresh(part) for part in value) if isinstance(value, tuple | list) else value


def check_equal(ours, theirs, results, arguments, dtype):
    """Compare two modules by what they returned and by every gradient."""
    found, wanted = (flat(result) for result in results)
    assert [tensor.shape for tensor in found] == [tensor.shape for tensor in wanted]
    gradients = []
    for module, outcome, given in zip((ours, theirs), (found, wanted), arguments, strict=True):
        total = sum((tensor.sin() * (k + 1)).sum() for k, tensor in enumerate(outcome))
        leaves = [*module.parameters(), *(t for t in flat(given) if t.requires_grad)]
        gradients.append(torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True))
    for a, b in zip([*found, *gradients[0]], [*wanted, *gradients[1]], strict=True):
        scale = max(1.0, float(b.detach().abs().max()))
        torch.testing.assert_close(a, b, rtol=0, atol=scale * TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_equal_torch_s_on_all_of_torch_s_module_inputs(name, dtype):
    torch_class, inputs = cases(name, dtype)
    assert len(inputs) >= 16

    for case in inputs:
        built, called = case.constructor_input, case.forward_input
        torch.manual_seed(1)
        theirs = torch_class(*built.args, **built.kwargs).to(dtype)
        ours = LAYERS[name](*built.args, engine=ENGINE, **built.kwargs).to(dtype)
        ours.load_state_dict(theirs.state_dict())
        arguments = fresh(called.args), fresh(called.args)

        results = ours(*arguments[0], **called.kwargs), theirs(*arguments[1], **called.kwargs)

        check_equal(ours, theirs, results, arguments, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_cells_unrolled_for_a_step_equal_torch_s_on_all_of_torch_s_module_inputs(name, dtype):
    torch_class, inputs = cases(name, dtype)
    assert len(inputs) >= 1

    for case in inputs:
        built, called = case.constructor_input, case.forward_input
        torch.manual_seed(1)
        theirs = torch_class(*built.args, **built.kwargs).to(dtype)
        ours = copy.deepcopy(theirs)
        x, *rest = called.args
        if x.dim() == 1:
            # these cases are without a batch axis, which unroll asks for
            x, rest = (
                x.unsqueeze(0),
                [tuple(s.unsqueeze(0) for s in r) if isinstance(r, tuple) else r[None] for r in rest],
            )
        arguments = fresh((x, *rest)), fresh((x, *rest))

        step, *state = arguments[0]
        output, last = unroll(ours, step.unsqueeze(0), *state, engine=ENGINE)
        # of torch's LSTMCell the first state is the output too
        results = (output[0], *flat(last)), (flat(theirs(*arguments[1]))[0], *flat(theirs(*arguments[1])))

        check_equal(ours, theirs, results, arguments, dtype)
