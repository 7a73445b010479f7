"""What is special to the quasi-recurrent cells: their window of inputs, and which way their forget gate goes."""

import pytest
import torch

from recurra.cells import QRNNCell, QRNNForgetPoolingCell, QRNNInputPoolingCell, causal_window
from recurra.errors import ArgumentError, ShapeError
from recurra.loop import unroll

D = torch.float64
CLASSES = [QRNNCell, QRNNForgetPoolingCell, QRNNInputPoolingCell]

every_class = pytest.mark.parametrize("cell_class", CLASSES)
every_window = pytest.mark.parametrize("window", [2, 3, 4])


def build(cell_class, window=2):
    torch.manual_seed(0)
    return cell_class(3, 5, window=window, dtype=D), torch.randn(6, 4, 3, dtype=D)


def assert_equal_runs(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)


@every_class
@every_window
@pytest.mark.parametrize("engine", ["eager", "native"])
def test_the_window_as_a_tuple_equals_the_bare_input(cell_class, window, engine):
    cell, x = build(cell_class, window)

    whole = unroll(cell, causal_window(x, window), engine=engine)

    assert_equal_runs(whole, unroll(cell, x, engine="eager"))


@every_class
@every_window
@pytest.mark.parametrize("cut", [1, 4])
def test_chunks_of_windows_with_the_carried_inputs_equal_the_whole(cell_class, window, cut):
    cell, x = build(cell_class, window)
    wanted, last = unroll(cell, x, engine="eager")

    first, state = unroll(cell, causal_window(x[:cut], window), engine="eager")
    windows = causal_window(x[cut:], window, previous=state[1])
    second, end = unroll(cell, windows, state, engine="eager")

    assert_equal_runs(torch.cat((first, second)), wanted)
    assert_equal_runs(end, last)


@every_class
@every_window
def test_chunks_of_bare_inputs_equal_the_whole(cell_class, window):
    cell, x = build(cell_class, window)

    first, state = unroll(cell, x[:1], engine="eager")
    second, end = unroll(cell, x[1:], state, engine="eager")

    wanted, last = unroll(cell, x, engine="eager")
    assert_equal_runs(torch.cat((first, second)), wanted)
    assert_equal_runs(end, last)


@every_class
def test_a_window_reaches_back_over_its_inputs_and_no_further(cell_class):
    cell, x = build(cell_class, window=3)
    with torch.no_grad():
        # f = 0: nothing of the pooled state stays
        cell.weight_ih[5:10] = 0.0
        cell.bias_ih[5:10] = -1e9
    x.requires_grad_()

    output, _ = unroll(cell, x, engine="eager")
    (gradient,) = torch.autograd.grad(output[5].sum(), x)

    assert gradient.abs().sum((1, 2)).bool().tolist() == [False, False, False, True, True, True]


@every_class
@pytest.mark.parametrize("keeps", [True, False])
def test_the_forget_gate_keeps_where_it_is_open(cell_class, keeps):
    cell, x = build(cell_class)
    with torch.no_grad():
        cell.weight_ih[5:] = 0.0
        cell.bias_ih.zero_()
        cell.bias_ih[5:10] = 1e9 if keeps else -1e9
        if cell_class is QRNNInputPoolingCell:
            cell.bias_ih[15:] = -1e9 if keeps else 1e9
    old = torch.rand(4, 5, dtype=D)
    p = torch.zeros(4, 3, dtype=D)

    result = cell(x[0], (old, p))

    pooled = result[1][0] if cell.returns_output else result[0]
    z = torch.tanh(x[0] @ cell.weight_ih[:5, :3].T)
    torch.testing.assert_close(pooled, old if keeps else z, rtol=1e-12, atol=1e-14)


def test_the_output_is_gated_without_a_tanh():
    cell, x = build(QRNNCell)
    with torch.no_grad():
        cell.weight_ih[5:] = 0.0
        cell.bias_ih.zero_()
        cell.bias_ih[5:10] = 1e9
    c = torch.full((4, 5), 8.0, dtype=D)

    h, _ = cell(x[0], (c, torch.zeros(4, 3, dtype=D)))

    assert torch.equal(h, torch.full((4, 5), 4.0, dtype=D))


@every_class
def test_states_hold_one_input_less_than_the_window(cell_class):
    cell = cell_class(3, 5, window=4)

    assert cell.state_size == (5, 9)
    assert cell.output_size == 5
    assert cell.inputs == ("x", "x1", "x2", "x3")
    assert cell.input_sizes == (3, 3, 3, 3)
    assert cell.weight_ih.shape == (5 * len(cell.gates), 12)


@every_class
@pytest.mark.parametrize("window", [1, 2.0, True, None])
def test_a_window_is_an_integer_of_at_least_two(cell_class, window):
    with pytest.raises(
        ArgumentError, match=f"{cell_class.__name__} expected window to be an integer of at least 2, got {window}"
    ):
        cell_class(3, 5, window=window)


def test_a_tuple_of_another_length_is_an_error():
    cell, x = build(QRNNCell, window=3)

    with pytest.raises(ShapeError, match=r"QRNNCell expected a step of the inputs x \(3\), x1 \(3\), x2 \(3\)"):
        cell((x[0], x[1]))


# --- windows that the loop makes once a call


def by_hand(cell, x, state, initial, lengths, reset, reverse):
    """Step through every row by itself, each step with the bare input and the p that is carried."""
    width = cell.output_size
    rows, ends = [], []
    for b, length in enumerate(lengths):
        outputs = [torch.zeros(width, dtype=D)] * x.shape[0]
        carried = tuple(s[b : b + 1] for s in state)
        for t in reversed(range(length)) if reverse else range(length):
            entering = tuple(s[b : b + 1] for s in initial) if reset[t, b] else carried
            result = cell(x[t, b : b + 1], entering)
            output, carried = result if cell.returns_output else (result[0], result)
            outputs[t] = output[0]
        rows.append(torch.stack(outputs))
        ends.append(carried)
    return torch.stack(rows, 1), tuple(torch.cat(column) for column in zip(*ends, strict=True))


def gradients(output, last, wanted):
    total = (output * torch.arange(output.numel(), dtype=D).view_as(output)).sum()
    total = total + sum((s.sin() * torch.arange(s.numel(), dtype=D).view_as(s)).sum() for s in last)
    return torch.autograd.grad(total, wanted, materialize_grads=True)


@every_class
@pytest.mark.parametrize(
    ("window", "engine", "reverse"),
    [(w, e, r) for w in (2, 4) for e in ("eager", "native") for r in (False, True) if w == 4 or e == "eager"],
)
def test_every_way_of_running_equals_steps_by_hand(cell_class, window, engine, reverse):
    cell, x = build(cell_class, window)
    lengths, reset = [6, 0, 3, 5], torch.rand(6, 4) < 0.35
    assert reset.any()
    widths = cell.state_size
    state, initial = (tuple(torch.randn(4, w, dtype=D, requires_grad=True) for w in widths) for _ in range(2))
    x.requires_grad_()
    leaves = (x, *state, *initial, *cell.parameters())
    wanted = by_hand(cell, x, state, initial, lengths, reset, reverse)

    found = unroll(cell, x, state, lengths=lengths, reset=reset, reverse=reverse, initial_state=initial, engine=engine)

    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(*found, leaves), gradients(*wanted, leaves), rtol=1e-9, atol=1e-11)


@every_class
def test_windows_are_made_once_a_call_and_a_given_tuple_stays_as_it_is(cell_class):
    cell, x = build(cell_class, 3)
    seen = []
    cell.register_forward_pre_hook(lambda module, args: seen.append(args[0]))

    unroll(cell, x, reverse=True, engine="eager")
    given = causal_window(x, 3)
    unroll(cell, given, reverse=True, engine="eager")

    assert all(isinstance(step, tuple) and len(step) == 3 for step in seen)
    assert torch.equal(seen[1][1], x[5])
    assert torch.equal(seen[7][1], given[1][4])


def test_what_stands_behind_a_length_reaches_nothing():
    cell, x = build(QRNNCell, 3)
    lengths = [6, 0, 3, 5]
    dirty = x.clone()
    for b, length in enumerate(lengths):
        dirty[length:, b] = torch.nan
    dirty.requires_grad_()

    for reverse in (False, True):
        found = unroll(cell, dirty, lengths=lengths, reverse=reverse, engine="eager")

        assert_equal_runs(found, unroll(cell, x, lengths=lengths, reverse=reverse, engine="eager"))
        (gradient,) = torch.autograd.grad(found[0].sum() + found[1][1].sum(), dirty)
        assert gradient.isfinite().all()


def test_a_sequence_without_steps_leaves_the_state():
    cell, x = build(QRNNCell, 3)
    state = torch.ones(4, 5, dtype=D), torch.ones(4, 6, dtype=D)

    for reverse in (False, True):
        output, last = unroll(cell, x[:0], state, reverse=reverse)

        assert output.shape == (0, 4, 5)
        assert_equal_runs(last, state)
