"""Rows are independent to the last bit, whatever else is in the batch and at any thread count; sizes of every kind."""

import math

import pytest
import torch

from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE, D, as_tuple, assert_same_bits, check_against_eager, leaves_of, run
from tests.loop.native.own_cells import KINDS, Normed, ResetBefore, build, build_x, random_state

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.split('.')[0]}-{kind.__name__}")


@pytest.fixture
def threads():
    """Set the number of threads, and put it back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def outcome_of_rows(cell, x, state, rows, **options):
    """Return outputs, states and input gradients of ``rows``, of a loss that weighs all rows alike."""
    x = x.detach().clone().requires_grad_()
    state = tuple(s.detach().clone().requires_grad_() for s in as_tuple(state))
    output, last = unroll(cell, x, state if len(state) > 1 else state[0], engine=ENGINE, **options)
    weigh = torch.linspace(0.3, 1.1, output.shape[-1], dtype=output.dtype)
    total = (output.sin() * weigh).sum() + sum(s.cos().sum() for s in as_tuple(last))
    total.backward()
    found = [output[:, rows], *(s[rows] for s in as_tuple(last)), x.grad[:, rows], *(s.grad[rows] for s in state)]
    return [tensor.detach() for tensor in found]


@kinds
@pytest.mark.parametrize("filler", ["other rows", "nan", "inf"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_row_has_the_same_bits_alone_and_among_seventeen(kind, filler, dtype):
    cell = build(kind, hidden_size=9).to(dtype)
    x, state = build_x(6, 17).to(dtype), random_state(cell, 17)
    state = tuple(s.detach().to(dtype) for s in as_tuple(state))
    others = [k for k in range(17) if k != 11]
    if filler != "other rows":
        x[:, others] = math.nan if filler == "nan" else math.inf

    alone = outcome_of_rows(cell, x[:, 11:12], tuple(s[11:12] for s in state), [0])
    among = outcome_of_rows(cell, x, state, [11])

    assert all(tensor.isfinite().all() for tensor in alone)
    assert_same_bits(alone, among)


@kinds
def test_rows_have_the_same_bits_at_one_and_two_threads(kind, threads):
    cell, x = build(kind, hidden_size=16), build_x(8, 13)
    state = random_state(cell, 13)
    found = []

    for count in (1, 2, 1):
        threads(count)
        found.append(outcome_of_rows(cell, x, state, slice(None), lengths=[8, 3, 0, *[7, 5] * 5]))

    assert_same_bits(found[0], found[1])
    assert_same_bits(found[0], found[2])


@kinds
def test_a_padded_row_has_the_bits_of_the_row_by_itself(kind):
    cell, x = build(kind), build_x(6, 4)
    state = random_state(cell, 4)
    lengths = [6, 2, 5, 1]

    for reverse in (False, True):
        whole = outcome_of_rows(cell, x, state, slice(None), lengths=lengths, reverse=reverse)
        for row, length in enumerate(lengths):
            own = tuple(s[row : row + 1] for s in as_tuple(state))
            alone = outcome_of_rows(cell, x[:length, row : row + 1], own, slice(None), reverse=reverse)
            cut = [t[:length, row : row + 1] if t.dim() == 3 else t[row : row + 1] for t in whole]
            assert_same_bits(alone, cut)


@kinds
@pytest.mark.parametrize("count", [1, 2])
def test_weight_gradients_repeat(kind, count, threads):
    threads(count)
    cell, x = build(kind, hidden_size=12), build_x(9, 10, requires_grad=True)

    first, second = (run(cell, x, engine=ENGINE).gradients for _ in range(2))

    assert len(first) == len(leaves_of(cell, x, None))
    assert_same_bits(list(first.values()), list(second.values()))


def test_nan_in_a_row_comes_out_of_that_row_only():
    cell, x = build(ResetBefore), build_x()
    x[2, 1, 0] = math.nan

    output, last = unroll(cell, x, engine=ENGINE)

    assert output[:2].isfinite().all()
    assert output[2:, 1].isnan().all()
    assert output[:, [0, 2, 3]].isfinite().all()
    assert last[1].isnan().all()


@pytest.mark.parametrize("hidden_size", [1, 7, 100, 650])
@pytest.mark.parametrize("kind", [torch.nn.LSTMCell, ResetBefore, Normed])
def test_any_hidden_size_equals_eager(kind, hidden_size):
    cell = build(kind, hidden_size=hidden_size)

    for num_steps, batch_size in ((2, 5), (1, 1)):
        x = build_x(num_steps, batch_size, requires_grad=True)
        check_against_eager(cell, x, random_state(cell, batch_size))


@kinds
@pytest.mark.parametrize("num_steps", [0, 1, 3])
@pytest.mark.parametrize("batch_size", [0, 1, 2, 33])
def test_any_number_of_steps_and_rows_equals_eager(kind, num_steps, batch_size):
    cell, x = build(kind), build_x(num_steps, batch_size, requires_grad=True)

    found = check_against_eager(cell, x, random_state(cell, batch_size))

    assert found.values["output"].shape[:2] == (num_steps, batch_size)


STRIDED = {
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "units first": lambda x: x.permute(2, 1, 0).contiguous().permute(2, 1, 0),
    "every second": lambda x: x.repeat_interleave(2, 2)[..., ::2],
    "rows of a larger one": lambda x: torch.cat((x, x), 1)[:, : x.shape[1]],
    "one step expanded": lambda x: x[:1].expand_as(x),
    "one row expanded": lambda x: x[:, :1].expand_as(x),
    "one unit expanded": lambda x: x[..., :1].expand_as(x),
    "offset": lambda x: torch.cat((x.flatten()[:1], x.flatten()))[1:].view(x.shape),
    "flipped": lambda x: x.flip(0),
}


@pytest.mark.parametrize("form", STRIDED)
@pytest.mark.parametrize("kind", [torch.nn.GRUCell, Normed])
def test_tensors_of_any_strides_equal_eager(kind, form):
    cell = build(kind)
    x = STRIDED[form](build_x()).detach().requires_grad_()
    state = random_state(cell, 4)
    parts = [STRIDED[form](s.detach().view(1, 4, -1))[0].detach().requires_grad_() for s in as_tuple(state)]

    check_against_eager(cell, x, tuple(parts) if len(parts) > 1 else parts[0], reverse=True)


@pytest.mark.parametrize("kind", [torch.nn.LSTMCell, ResetBefore])
def test_incoming_gradients_of_any_strides_equal_eager(kind):
    cell, x = build(kind), build_x(requires_grad=True)
    losses = (
        lambda output, last: output.sum(),  # an incoming gradient of one number, expanded
        lambda output, last: (output.transpose(0, 2).flatten() * torch.linspace(0, 1, output.numel(), dtype=D)).sum(),
        lambda output, last: output[::2, :, 1].sin().sum() + as_tuple(last)[-1].t().flatten().cumsum(0).sum(),
        lambda output, last: as_tuple(last)[0].mean(),
    )

    for loss in losses:
        check_against_eager(cell, x, loss=loss)


# float32 against float64: bounds for values in [-1, 1] after fifty steps, and for gradients relative to the largest
OUTPUT_ERROR, GRADIENT_ERROR = 5e-6, 5e-5


@kinds
def test_float32_stays_within_its_tolerance_of_float64_and_near_eager_s(kind):
    exact, rounded = build(kind, 16, 64), build(kind, 16, 64).float()
    x = build_x(50, 8, 16, requires_grad=True)
    single = x.detach().float().requires_grad_()

    wanted = run(exact, x, engine="eager")
    errors = {}
    for engine in (ENGINE, "eager"):
        found = run(rounded, single, engine=engine)
        errors[engine] = {
            name: float((value.double() - other).abs().max() / other.abs().max().clamp(min=1.0))
            for ours, theirs in ((found.values, wanted.values), (found.gradients, wanted.gradients))
            for (name, value), other in zip(ours.items(), theirs.values(), strict=True)
        }

    for name, error in errors[ENGINE].items():
        is_value = name.startswith(("output", "last"))
        assert error <= (OUTPUT_ERROR if is_value else GRADIENT_ERROR), (name, error)
        assert error <= 4 * errors["eager"][name] + 1e-6, (name, error, errors["eager"][name])
