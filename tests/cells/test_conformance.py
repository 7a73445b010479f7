"""What every registered cell must meet; a cell that is added needs its oracle, and nothing else here."""

import ast
import copy
import importlib.resources
import inspect
import io
import math
import re
import textwrap

import numpy as np
import pytest
import torch

from recurra.cells import Cell, cell_names, find_cell
from recurra.loop import unroll
from tests.oracles.recurrences import ORACLES

pytestmark = pytest.mark.parametrize("name", cell_names())

INPUT, HIDDEN, BATCH, TIME = 3, 5, 4, 6


def build(name, **options):
    torch.manual_seed(7)
    return find_cell(name)(INPUT, HIDDEN, dtype=torch.float64, **options)


def tensors(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def random_state(cell, batch_size=BATCH):
    state = tuple(torch.randn(batch_size, width, dtype=torch.float64) / 2 for width in cell.state_size)
    return state if len(state) > 1 else state[0]


def random_input(time=TIME, batch_size=BATCH):
    return torch.randn(time, batch_size, INPUT, dtype=torch.float64)


def arrays(cell):
    return {key: value.detach().numpy() for key, value in cell.named_parameters()}


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


def test_docstring_has_one_equation_for_each_gate_and_state(name):
    cell_class = find_cell(name)
    wanted = set(cell_class.gates) | set(cell_class.states)

    assert sorted(equations(cell_class)) == sorted(wanted)


def test_forward_uses_the_names_of_the_docstring(name):
    cell_class = find_cell(name)
    # a cell whose only gate is its state returns it unnamed, and so does the last equation of any cell
    assert set(equations(cell_class)) <= names_in_forward(cell_class)


def test_forward_holds_nothing_but_equations(name):
    tree = ast.parse(textwrap.dedent(inspect.getsource(find_cell(name).forward)))
    forbidden = (ast.If, ast.IfExp, ast.For, ast.While, ast.Raise, ast.Assert, ast.Try)

    assert not [type(node).__name__ for node in ast.walk(tree) if isinstance(node, forbidden)]


def test_sequence_equals_the_numpy_transcription(name):
    cell, x = build(name), random_input()
    state = random_state(cell)

    output, last = unroll(cell, x, state, engine="eager")

    wanted_output, wanted_last = ORACLES[name][0](x.numpy(), as_numpy(state), arrays(cell))
    np.testing.assert_allclose(output.detach().numpy(), wanted_output, rtol=1e-12, atol=1e-13)
    for found, wanted in zip(tensors(last), wanted_last, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-12, atol=1e-13)


def test_sequence_without_biases_equals_the_numpy_transcription(name):
    cell, x = build(name, bias=False), random_input()
    state = random_state(cell)

    output, _ = unroll(cell, x, state, engine="eager")

    wanted, _ = ORACLES[name][0](x.numpy(), as_numpy(state), arrays(cell))
    np.testing.assert_allclose(output.detach().numpy(), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("engine", ["eager", "torch"])
def test_gradients_equal_the_hand_derived_ones(name, engine):
    cell, x = build(name), random_input().requires_grad_()
    state = tuple(s.requires_grad_() for s in tensors(random_state(cell)))
    output, last = unroll(cell, x, state if len(state) > 1 else state[0], engine=engine)
    d_output = torch.randn_like(output)
    d_last = tuple(torch.randn_like(s) for s in tensors(last))

    loss = (output * d_output).sum() + sum((a * b).sum() for a, b in zip(tensors(last), d_last, strict=True))
    loss.backward()

    grads, dx, d_state = ORACLES[name][1](
        x.detach().numpy(), as_numpy(state), arrays(cell), d_output.numpy(), [d.numpy() for d in d_last]
    )
    close = {"rtol": 1e-10, "atol": 1e-12}
    assert grads.keys() == dict(cell.named_parameters()).keys()
    for key, parameter in cell.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), grads[key], err_msg=key, **close)
    np.testing.assert_allclose(x.grad.numpy(), dx, **close)
    for found, wanted in zip(state, d_state, strict=True):
        np.testing.assert_allclose(found.grad.numpy(), wanted, **close)


def test_gradcheck_and_gradgradcheck_pass(name):
    cell = build(name)
    keys = list(dict(cell.named_parameters()))
    # three steps, so that Jacobians that do not commute are multiplied
    x = random_input(time=3, batch_size=2).requires_grad_()
    state = tuple(s.requires_grad_() for s in tensors(random_state(cell, 2)))

    def run(x, *rest):
        weights = dict(zip(keys, rest, strict=False))
        given = rest[len(keys) :]
        view = type(cell).from_weights(**weights)
        output, last = unroll(view, x, given if len(given) > 1 else given[0], engine="eager")
        return output, *tensors(last)

    inputs = (x, *(p.detach().clone().requires_grad_() for p in cell.parameters()), *state)
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


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


def test_changing_one_row_changes_no_other(name):
    cell, x = build(name), random_input()
    other = x.clone()
    other[:, 1] = torch.randn(TIME, INPUT, dtype=torch.float64)

    before, _ = unroll(cell, x, engine="eager")
    after, _ = unroll(cell, other, engine="eager")

    kept = [0, 2, 3]
    assert torch.equal(before[:, kept], after[:, kept])
    assert not torch.allclose(before[:, 1], after[:, 1])


@pytest.mark.parametrize("engine", ["eager", "torch"])
@pytest.mark.parametrize("reverse", [False, True])
def test_nan_behind_the_padding_changes_nothing(name, engine, reverse):
    lengths = torch.tensor([6, 2, 0, 4])
    results = []
    for filler in (0.0, 3.5, math.nan, math.inf):
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


@pytest.mark.parametrize("engine", ["eager", "torch"])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_padded_row_equals_the_row_by_itself(name, engine, reverse):
    cell, x = build(name), random_input()
    state = random_state(cell)
    lengths = [6, 2, 0, 4]

    output, last = unroll(cell, x, state, lengths=lengths, reverse=reverse, engine=engine)

    for row, length in enumerate(lengths):
        alone = [s[row : row + 1] for s in tensors(state)]
        given = tuple(alone) if len(alone) > 1 else alone[0]
        wanted, wanted_last = unroll(cell, x[:length, row : row + 1], given, reverse=reverse, engine="eager")
        torch.testing.assert_close(output[:length, row], wanted[:, 0], rtol=1e-12, atol=1e-14)
        for found, expected in zip(tensors(last), tensors(wanted_last), strict=True):
            torch.testing.assert_close(found[row], expected[0], rtol=1e-12, atol=1e-14)


def test_number_of_parameters_follows_the_formula(name):
    count = sum(p.numel() for p in build(name).parameters())

    assert count == ORACLES[name][2](INPUT, HIDDEN)


def test_without_bias_no_bias_is_a_parameter(name):
    cell = build(name, bias=False)

    assert cell.bias_ih is None
    assert cell.bias_hh is None
    assert not [key for key in cell.state_dict() if "bias" in key]


def test_initial_state_is_zero_in_the_type_of_the_parameters(name):
    cell = build(name)

    state = tensors(cell.initial_state(BATCH))

    assert [tuple(s.shape) for s in state] == [(BATCH, width) for width in cell.state_size]
    assert len(state) == len(cell.states)
    assert all(s.dtype == torch.float64 and not s.any() for s in state)
    assert cell.output_size == cell.state_size[0]


def test_a_call_without_a_state_starts_from_the_initial_state(name):
    cell, x = build(name), random_input()[0]

    torch.testing.assert_close(cell(x), cell(x, cell.initial_state(BATCH)), rtol=0, atol=0)


def test_a_single_row_needs_no_batch_axis(name):
    cell, x = build(name), random_input()[0]
    state = random_state(cell)

    found = cell(x[1], tuple(s[1] for s in state) if len(cell.states) > 1 else state[1])

    for a, b in zip(tensors(found), tensors(cell(x, state)), strict=True):
        assert a.dim() == 1
        torch.testing.assert_close(a, b[1], rtol=1e-13, atol=1e-14)


def test_saving_and_loading_gives_the_same_bytes(name):
    cell, other = build(name), find_cell(name)(INPUT, HIDDEN, dtype=torch.float64)
    file = io.BytesIO()

    torch.save(cell.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))

    for key, value in cell.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)
    x = random_input()[0]
    torch.testing.assert_close(other(x), cell(x), rtol=0, atol=0)


def test_deep_copy_is_independent(name):
    cell = build(name)
    twin = copy.deepcopy(cell)

    with torch.no_grad():
        twin.weight_ih.zero_()

    assert cell.weight_ih.any()
    assert repr(twin) == repr(cell)


def test_source_is_in_the_references(name):
    text = importlib.resources.files("recurra").joinpath("references.bib").read_text("utf-8")

    assert f"{{{find_cell(name).source}," in text


def test_torch_initialisation_draws_every_tensor_within_its_bound(name):
    torch.manual_seed(0)
    cell = find_cell(name)(40, 60)

    bound = 1 / math.sqrt(60)
    for key, parameter in cell.named_parameters():
        assert parameter.abs().max() <= bound, key
        assert parameter.abs().max() > 0.9 * bound, key
        assert abs(parameter.mean()) < 0.25 * bound, key


def test_orthogonal_initialisation_makes_every_recurrent_block_orthogonal(name):
    cell = build(name, init="orthogonal")

    for block in cell.weight_hh.split(HIDDEN):
        columns = block.shape[1]
        torch.testing.assert_close(block.T @ block, torch.eye(columns, dtype=torch.float64))


def test_orthogonal_initialisation_keeps_every_input_block_within_xavier_bounds(name):
    torch.manual_seed(0)
    cell = find_cell(name)(30, 50, init="orthogonal")

    bound = math.sqrt(6 / (30 + 50))
    for block in cell.weight_ih.split(50):
        assert 0.97 * bound < block.abs().max() <= bound


def test_gate_biases_are_added_once(name):
    cell = build(name, init="orthogonal")

    total = dict(zip(cell.gates, (cell.bias_ih + cell.bias_hh).split(HIDDEN), strict=True))

    assert set(cell.gate_biases) <= set(cell.gates)
    for gate, bias in total.items():
        assert torch.equal(bias, torch.full_like(bias, cell.gate_biases.get(gate, 0.0)))
    assert not cell.bias_hh.any()


def test_a_callable_initialisation_sees_each_block_once(name):
    seen = []

    def fill(block):
        seen.append(tuple(block.shape))
        block.fill_(len(seen))

    cell = build(name, init=fill)

    blocks = len(cell.gates)
    wanted = [(HIDDEN, INPUT)] * blocks + [(HIDDEN, cell.output_size)] * blocks
    assert seen[: 2 * blocks] == wanted
    stacked = [block for weight in (cell.weight_ih, cell.weight_hh) for block in weight.split(HIDDEN)]
    assert [block.unique().tolist() for block in stacked] == [[float(k + 1)] for k in range(2 * blocks)]


def test_a_bound_view_holds_the_same_parameters(name):
    cell = build(name)

    view = type(cell).from_weights(**dict(cell.named_parameters()))

    assert isinstance(view, Cell)
    assert [id(p) for p in view.parameters()] == [id(p) for p in cell.parameters()]
    assert (view.input_size, view.hidden_size, view.state_size) == (INPUT, HIDDEN, cell.state_size)
    x = random_input()[0]
    torch.testing.assert_close(view(x), cell(x), rtol=0, atol=0)


def test_reset_parameters_draws_again(name):
    cell = build(name)
    before = cell.weight_hh.detach().clone()
    torch.manual_seed(7)
    cell.reset_parameters()

    assert torch.equal(cell.weight_hh, before)
    cell.reset_parameters()
    assert not torch.equal(cell.weight_hh, before)
