"""What every registered cell must meet: its equations, and how it runs over a sequence.

A cell that is added needs its transcription in ``tests/oracles``, and nothing else here.
"""

import ast
import inspect
import math
import re
import textwrap

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.cells import cell_names, find_cell
from recurra.errors import ShapeError
from recurra.loop import unroll
from tests.oracles.catalogue import BACKWARD, FORWARD
from tests.support.conformance import (
    BATCH,
    HIDDEN,
    INPUT,
    TIME,
    D,
    build,
    engines,
    in_form,
    random_input,
    random_state,
    tensors,
)

LOOPS_IN_FORWARD = {"rhn": "the depth of its step is an option"}
"""Cells whose forward holds a loop, and why."""

LEAST_HIDDEN = {
    "clockwork": (4, "each of its four periods has a unit"),
    "projected-lstm": (2, "its output is narrower than its state"),
}
"""Least hidden size of the cells that take no single unit, and why."""

every_cell = pytest.mark.parametrize("name", cell_names())
derived_by_hand = pytest.mark.parametrize("name", sorted(BACKWARD))


def arrays(cell):
    return {key: value.detach().numpy() for key, value in cell.named_parameters()} | {
        key: value.numpy() for key, value in cell.named_buffers()
    }


def as_numpy(state):
    found = tuple(s.detach().numpy() for s in tensors(state))
    return found if len(found) > 1 else found[0]


def equations(cell_class):
    """The names left of = in the indented block of the class docstring."""
    return re.findall(r"^ {4}(\w+) = ", inspect.getdoc(cell_class), re.MULTILINE)


def names_in_forward(cell_class):
    tree = ast.parse(textwrap.dedent(inspect.getsource(cell_class.forward)))
    arguments = {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return arguments | stored


@every_cell
def test_docstring_has_an_equation_for_each_gate_and_state(name):
    cell_class = find_cell(name)
    found = equations(cell_class)

    assert set(found) >= set(cell_class.gates) | set(cell_class.states)
    assert len(found) == len(set(found))


@every_cell
def test_forward_uses_the_names_of_the_docstring(name):
    cell_class = find_cell(name)
    # a cell whose only gate is its state returns it unnamed, and so does the last equation of any cell
    assert set(equations(cell_class)) <= names_in_forward(cell_class)
    assert set(cell_class.candidates) <= names_in_forward(cell_class)


@every_cell
def test_forward_holds_nothing_but_equations(name):
    tree = ast.parse(textwrap.dedent(inspect.getsource(find_cell(name).forward)))
    forbidden = [ast.If, ast.IfExp, ast.While, ast.Raise, ast.Assert, ast.Try]
    forbidden += [] if name in LOOPS_IN_FORWARD else [ast.For]

    assert not [type(node).__name__ for node in ast.walk(tree) if isinstance(node, tuple(forbidden))]


@every_cell
@pytest.mark.parametrize("bias", [True, False])
def test_sequence_equals_the_numpy_transcription(name, bias):
    cell, x = build(name, bias=bias), random_input()
    state = random_state(cell)

    output, last = unroll(cell, x, state, engine="eager")

    wanted_output, wanted_last = FORWARD[name](x.numpy(), as_numpy(state), arrays(cell))
    np.testing.assert_allclose(output.detach().numpy(), wanted_output, rtol=1e-10, atol=1e-12)
    for found, wanted in zip(tensors(last), wanted_last, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)


@every_cell
def test_a_sequence_from_the_first_state_equals_the_numpy_transcription(name):
    cell, x = build(name), random_input()

    output, last = unroll(cell, x, engine="eager")

    wanted_output, wanted_last = FORWARD[name](x.numpy(), as_numpy(cell.initial_state(BATCH)), arrays(cell))
    np.testing.assert_allclose(output.detach().numpy(), wanted_output, rtol=1e-10, atol=1e-12)
    for found, wanted in zip(tensors(last), wanted_last, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)


@derived_by_hand
@pytest.mark.parametrize("engine", ["eager", "native", "torch"])
def test_gradients_equal_the_hand_derived_ones(name, engine):
    cell, x = build(name), random_input().requires_grad_()
    state = tuple(s.requires_grad_() for s in tensors(random_state(cell)))
    output, last = unroll(cell, x, in_form(cell, state), engine=engine)
    d_output = torch.randn_like(output)
    d_last = tuple(torch.randn_like(s) for s in tensors(last))

    loss = (output * d_output).sum() + sum((a * b).sum() for a, b in zip(tensors(last), d_last, strict=True))
    loss.backward()

    grads, dx, d_state = BACKWARD[name](
        x.detach().numpy(), as_numpy(state), arrays(cell), d_output.numpy(), [d.numpy() for d in d_last]
    )
    close = {"rtol": 1e-10, "atol": 1e-12}
    assert grads.keys() == dict(cell.named_parameters()).keys()
    for key, parameter in cell.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), grads[key], err_msg=key, **close)
    np.testing.assert_allclose(x.grad.numpy(), dx, **close)
    for found, wanted in zip(state, d_state, strict=True):
        np.testing.assert_allclose(found.grad.numpy(), wanted, **close)


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_two_halves_with_the_carried_state_equal_the_whole(name, reverse):
    cell, x = build(name), random_input()
    state = random_state(cell)

    whole, last = unroll(cell, x, state, reverse=reverse, engine="eager")
    first, second = (x[2:], x[:2]) if reverse else (x[:2], x[2:])
    output_1, middle = unroll(cell, first, state, reverse=reverse, engine="eager")
    output_2, end = unroll(cell, second, middle, reverse=reverse, engine="eager")

    joined = torch.cat((output_2, output_1) if reverse else (output_1, output_2))
    torch.testing.assert_close(joined, whole, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(end, last, rtol=1e-13, atol=1e-14)


@every_cell
def test_changing_one_row_changes_no_other(name):
    cell, x = build(name), random_input()
    other = x.clone()
    other[:, 1] = torch.randn(TIME, INPUT, dtype=D)

    before, _ = unroll(cell, x, engine="eager")
    after, _ = unroll(cell, other, engine="eager")

    kept = [0, 2, 3]
    assert torch.equal(before[:, kept], after[:, kept])
    assert not torch.allclose(before[:, 1], after[:, 1])


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_nan_behind_the_padding_changes_nothing(name, reverse):
    lengths = torch.tensor([6, 2, 0, 4])
    for engine in engines(build(name)):
        results = []
        for filler in (0.0, math.nan, math.inf):
            cell, x = build(name), random_input()
            behind = torch.arange(TIME).unsqueeze(1) >= lengths
            x = torch.where(behind.unsqueeze(-1), filler, x).requires_grad_()
            output, last = unroll(cell, x, lengths=lengths, reverse=reverse, engine=engine)
            (output.sin().sum() + sum(s.sin().sum() for s in tensors(last))).backward()
            assert not output[behind].any()
            assert not x.grad[behind].any()
            results.append([output, *tensors(last), x.grad, *(p.grad for p in cell.parameters())])

        for result in results[1:]:
            for found, wanted in zip(result, results[0], strict=True):
                assert torch.equal(found, wanted)


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_a_padded_row_equals_the_row_by_itself(name, reverse):
    cell, x = build(name), random_input()
    state = random_state(cell)
    lengths = [6, 2, 0, 4]

    for engine in engines(cell):
        output, last = unroll(cell, x, state, lengths=lengths, reverse=reverse, engine=engine)

        for row, length in enumerate(lengths):
            alone = in_form(cell, tuple(s[row : row + 1] for s in tensors(state)))
            wanted, wanted_last = unroll(cell, x[:length, row : row + 1], alone, reverse=reverse, engine="eager")
            torch.testing.assert_close(output[:length, row], wanted[:, 0], rtol=1e-9, atol=1e-11)
            for found, expected in zip(tensors(last), tensors(wanted_last), strict=True):
                torch.testing.assert_close(found[row], expected[0], rtol=1e-9, atol=1e-11)


@every_cell
def test_a_call_without_a_state_starts_from_the_initial_state(name):
    cell, x = build(name), random_input()[0]

    torch.testing.assert_close(cell(x), cell(x, cell.initial_state(BATCH)), rtol=0, atol=0)


@every_cell
def test_a_single_row_needs_no_batch_axis(name):
    cell, x = build(name), random_input()[0]
    state = random_state(cell)

    found = flat(cell(x[1], in_form(cell, tuple(s[1] for s in tensors(state)))))

    for a, b in zip(found, flat(cell(x, state)), strict=True):
        assert a.dim() == 1
        torch.testing.assert_close(a, b[1], rtol=1e-12, atol=1e-13)


def flat(result):
    if isinstance(result, torch.Tensor):
        return [result]
    return [tensor for item in result for tensor in flat(item)]


@every_cell
@pytest.mark.parametrize(("input_size", "hidden_size"), [(3, 1), (1, 1), (4, 4)])
def test_a_step_of_one_unit_or_of_equal_widths_has_finite_gradients(name, input_size, hidden_size):
    hidden_size = max(hidden_size, LEAST_HIDDEN.get(name, (1, ""))[0])
    cell = build(name, input_size, hidden_size)
    x = random_input(1, input_size=input_size)[0].requires_grad_()

    found = flat(cell(x))
    sum(tensor.sin().sum() for tensor in found).backward()

    assert all(tensor.isfinite().all() for tensor in found)
    assert x.grad.isfinite().all()
    for key, parameter in cell.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), key


@every_cell
def test_an_input_that_is_no_tensor_is_an_error(name):
    cell = build(name)

    for x in (None, 3, "abc", [torch.zeros(BATCH, INPUT)], (), (None,)):
        with pytest.raises(ShapeError, match=rf"{type(cell).__name__} expected .*\b{cell.inputs[0]}\b.*, got "):
            cell(x)


ranged = pytest.mark.parametrize("name", [name for name in cell_names() if find_cell(name).state_range])


@ranged
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.1, 1.0, 30.0, 1e4]))
def test_no_state_leaves_the_range_that_the_cell_declares(name, seed, scale):
    torch.manual_seed(seed)
    cell = find_cell(name)(INPUT, HIDDEN, dtype=D)
    with torch.no_grad():
        for key, parameter in cell.named_parameters():
            # what starts() draws has a meaning, and is not scaled
            if not any(start.split(".")[0] == key for start in cell.starts()):
                parameter.copy_(scale * torch.randn_like(parameter))

    state = cell.initial_state(BATCH)
    for x in scale * random_input(8):
        result = cell(x, state)
        state = result[1] if cell.returns_output else result
        for state_name, tensor in zip(cell.states, tensors(state), strict=True):
            low, high = cell.state_range.get(state_name, (-math.inf, math.inf))
            assert not tensor.isnan().any()
            assert tensor.min() >= low - 1e-9
            assert tensor.max() <= high + 1e-9
