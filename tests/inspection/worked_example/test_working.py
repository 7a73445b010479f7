from __future__ import annotations

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from sympy import Rational, log, tanh

from recurra.cells import find_cell
from recurra.errors import ArgumentError, ChoiceError, UnsupportedCellError
from recurra.inspection.equations import terms
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.worked_example import work_example

COURSE_INPUTS = [[4, 0, 0, 0], [0, 8, 2, 0]]
INPUTS = [[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]]
TIMED_INPUTS = [[step, [number / 2]] for number, step in enumerate(INPUTS, 1)]


def rounded(name, input_size=2, hidden_size=3, seed=0, **options):
    """A cell in float64 whose parameters are short decimals, so that an example takes them as they are."""
    torch.manual_seed(seed)
    cell = find_cell(name)(input_size, hidden_size, **options).double().eval()
    with torch.no_grad():
        for parameter in cell.parameters():
            # none is so small that an example would keep more digits, nor 0
            parameter.copy_((parameter * 4).round(decimals=2) + 0.01)
            parameter.view(-1)[0] = 0.5
    return cell


def worked(cell, inputs, targets, x=None, **options):
    return work_example(cell, record_step(cell, x), inputs, targets, **options)


def only(example, symbol):
    (row,) = example.rows(symbol)
    return row


def exact(example, symbol):
    """The exact entry that all of a quantity are."""
    (entry,) = set(only(example, symbol).value.exact.flat)
    return entry


def of_autograd(cell, step, example, inputs, loss_of, steps=(0, 1, 2)):
    """The loss and its gradients by torch: of the cell's parameters by their paths, and of the output layer's."""
    cell = copy.deepcopy(cell)
    names = [symbol.name for symbol in example.gradients if symbol not in step.weights]
    weight, bias = (torch.tensor(only(example, name).array, requires_grad=True) for name in names)
    state, losses = None, []
    for number, row in enumerate(inputs):
        parts = row if isinstance(row[0], list) else [row]
        x = tuple(torch.tensor([part], dtype=torch.float64) for part in parts)
        result = cell(x if len(x) > 1 else x[0], state)
        output, state = result if cell.returns_output else (result, result)
        h = output if isinstance(output, torch.Tensor) else output[0]
        if number in steps:
            losses.append(loss_of(h @ weight.T + bias.T, number))
    loss = torch.stack(losses).sum()
    loss.backward()
    gradients = {path: parameter.grad for path, parameter in cell.named_parameters()}
    return loss.item(), gradients | dict(zip(names, (weight.grad, bias.grad), strict=True))


def cross_entropy(classes):
    return lambda y, number: torch.nn.functional.cross_entropy(y, torch.tensor([classes[number]]))


def assert_gradients_equal(step, example, wanted):
    compared = 0
    for symbol, value in example.gradients.items():
        gradient = wanted[symbol.name if symbol not in step.weights else step.weights[symbol].path]
        if symbol in step.weights:
            gradient = gradient[slice(*step.weights[symbol].rows)]
        found = value.number.ravel()
        np.testing.assert_allclose(found, gradient.numpy().ravel(), rtol=1e-9, atol=1e-12, err_msg=symbol.name)
        compared += found.size
    assert compared == sum(gradient.numel() for gradient in wanted.values()), "a weight is left out"


def course_exercise():
    return worked(find_cell("elman")(4, 3), COURSE_INPUTS, [0, 1], init=0.1, output_size=2)


def test_the_exercise_of_the_course_comes_out_in_numbers():
    example = course_exercise()

    h_1 = math.tanh(0.5)
    z_2 = 1.1 + 0.3 * h_1
    expected = {
        "z₁": 0.5,
        "h₁": h_1,
        "y₁": 0.1 + 0.3 * h_1,
        "p₁": 0.5,
        "L₁": math.log(2),
        "z₂": z_2,
        "h₂": math.tanh(z_2),
        "p₂": 0.5,
        "L₂": math.log(2),
        "L": 2 * math.log(2),
    }
    for symbol, value in expected.items():
        np.testing.assert_allclose(only(example, symbol).array, value, rtol=1e-14, err_msg=symbol)
    assert only(example, "z₁").array.shape == (3, 1)
    assert only(example, "p₂").array.shape == (2, 1)


def test_the_exercise_of_the_course_comes_out_in_symbols():
    example = course_exercise()

    z_2 = Rational(11, 10) + Rational(3, 10) * tanh(Rational(1, 2))
    assert exact(example, "z₁") == Rational(1, 2)
    assert exact(example, "h₁") == tanh(Rational(1, 2))
    assert exact(example, "z₂") == z_2
    assert exact(example, "h₂") == tanh(z_2)
    assert exact(example, "p₁") == exact(example, "p₂") == Rational(1, 2)
    assert exact(example, "L₁") == exact(example, "L₂") == log(2)
    assert exact(example, "L") == 2 * log(2)
    assert only(example, "z₂").exact == "1.1 + 0.3 tanh 0.5"
    assert only(example, "z₂").exact_latex == r"1.1 + 0.3 \tanh 0.5"
    assert only(example, "L₁").exact == "log 2"
    # one half is what the number says already
    assert not only(example, "p₁").is_rounded(4)
    assert only(example, "z₂").is_rounded(4)


def test_the_gradients_of_the_exercise_are_exact_too():
    example = course_exercise()

    z_2 = Rational(11, 10) + Rational(3, 10) * tanh(Rational(1, 2))
    total = example.rows("δW_y")[-1].value
    # the gradient to h is W_yᵀ (p - q), whose two parts are equal and opposite
    assert all(set(row.value.exact.flat) == {0} for row in example.rows("δh₁"))
    first = (tanh(z_2) - tanh(Rational(1, 2))) / 2
    assert [(entry - sign * first).expand() for entry, sign in zip(total.exact[:, 0], (1, -1), strict=True)] == [0, 0]


def test_each_quantity_of_the_exercise_has_its_equation():
    example = course_exercise()

    assert only(example, "z₂").equation_latex.replace(" ", "").startswith("z_{2}=")
    assert only(example, "h₂").equation == "h₂ = tanh(z₂)"
    assert only(example, "L").equation == "L = L₁ + L₂"
    assert only(example, "L").equation_latex == "L = L_{1} + L_{2}"
    assert example.rows("h₀")[0].equation == ""
    assert [row.note for row in example.rows("δh₂")] == [
        "from the output",
        "from the future: no step follows",
        "the sum of both",
    ]
    assert [row.note for row in example.rows("δh₁")][-3:] == [
        "from the output",
        "from the future: step 2",
        "the sum of both",
    ]


def test_an_elman_network_equals_backpropagation_by_hand():
    cell = rounded("elman", bias=False)
    example = worked(cell, INPUTS, [[0.5], [-0.25], [1.0]])

    w_x, w_h = cell.weight_ih.detach().numpy(), cell.weight_hh.detach().numpy()
    w_y, b_y = only(example, "W_y").array, only(example, "b_y").array
    h = [np.zeros((3, 1))]
    for x in INPUTS:
        h.append(np.tanh(w_x @ np.array(x).reshape(2, 1) + w_h @ h[-1]))
    e = [w_y @ h[t] + b_y - target for t, target in zip((1, 2, 3), (0.5, -0.25, 1.0), strict=True)]
    from_future, d_w_x, d_w_h = np.zeros((3, 1)), 0, 0
    for t in (3, 2, 1):
        arrived = w_y.T @ e[t - 1] + from_future
        d_z = arrived * (1 - h[t] ** 2)
        rows = example.rows(f"δh{'₀₁₂₃'[t]}")
        np.testing.assert_allclose(rows[-3].array, w_y.T @ e[t - 1], rtol=1e-12)
        np.testing.assert_allclose(rows[-2].array, from_future, rtol=1e-12)
        np.testing.assert_allclose(rows[-1].array, arrived, rtol=1e-12)
        np.testing.assert_allclose(only(example, f"δz{'₀₁₂₃'[t]}").array, d_z, rtol=1e-12)
        contribution = [row for row in example.backward[3 - t].rows if row.symbol == "δW_hh"]
        np.testing.assert_allclose(contribution[0].array, d_z @ h[t - 1].T, rtol=1e-12, atol=1e-15)
        assert contribution[0].relation == "adds"
        d_w_x, d_w_h = d_w_x + d_z @ np.array(INPUTS[t - 1]).reshape(1, 2), d_w_h + d_z @ h[t - 1].T
        from_future = w_h.T @ d_z
    np.testing.assert_allclose(example.rows("δW_xh")[-1].array, d_w_x, rtol=1e-12)
    np.testing.assert_allclose(example.rows("δW_hh")[-1].array, d_w_h, rtol=1e-12)
    assert only(example, "L").array.item() == pytest.approx(sum(float(part[0, 0] ** 2) / 2 for part in e), rel=1e-12)


@pytest.mark.parametrize("name", ["lstm", "gru", "layer-norm-lstm", "mut1", "intersection-rnn", "qrnn", "jordan"])
def test_cells_equal_autograd(name):
    cell = rounded(name)
    classes = [2, 0, 1]
    step = record_step(cell)

    example = work_example(cell, step, INPUTS, classes)

    loss, wanted = of_autograd(cell, step, example, INPUTS, cross_entropy(classes))
    assert only(example, "L").array.item() == pytest.approx(loss, rel=1e-12)
    assert_gradients_equal(step, example, wanted)


def test_a_cell_with_two_inputs_equals_autograd():
    cell = rounded("phased-lstm", open_ratio=0.8)
    step = record_step(cell, (torch.zeros(1, 2), torch.zeros(1, 1)))

    example = work_example(cell, step, TIMED_INPUTS, [0, 1, 1])

    _, wanted = of_autograd(cell, step, example, TIMED_INPUTS, cross_entropy([0, 1, 1]))
    assert_gradients_equal(step, example, wanted)


def test_many_to_one_has_a_loss_in_the_last_step_only():
    cell = rounded("gru")
    step = record_step(cell)

    example = work_example(cell, step, INPUTS, 1, form="many-to-one", output_size=2)

    _, wanted = of_autograd(cell, step, example, INPUTS, cross_entropy([1, 1, 1]), steps=[2])
    assert_gradients_equal(step, example, wanted)
    assert example.rows("y₁") == example.rows("L₂") == ()
    assert only(example, "L").equation == "L = L₃"
    assert "The target is the class 1, counted from 0; q has a 1 in the class's row" in example.notes
    assert "Only the last step has a target, and L is its loss" in example.notes
    assert example.rows("δh₁")[-3].note == "from the output: this step has no target"


def test_the_cell_is_left_as_it_is():
    cell = find_cell("lstm")(2, 3)
    before = {name: parameter.clone() for name, parameter in cell.named_parameters()}

    worked(cell, INPUTS, [0, 1, 0], init=0.1)

    assert all(torch.equal(before[name], parameter) for name, parameter in cell.named_parameters())
    assert all(parameter.grad is None for parameter in cell.parameters())


def test_without_targets_there_is_the_forward_pass_only():
    example = worked(rounded("elman"), INPUTS, None)

    assert (example.backward, example.totals, example.loss, dict(example.gradients)) == ((), None, None, {})
    assert len(example.forward) == 3
    assert example.check.num_backward == 0
    assert example.notes[-1] == "There are no targets, and so no outputs, no loss and no backward pass"


def test_the_notes_say_what_was_assumed():
    example = course_exercise()

    assert example.notes[:2] == ("Every parameter is 0.1", "The second bias of a gate is 0: b_hh")
    assert "The targets are the classes 0, 1, counted from 0; q has a 1 in the class's row" in example.notes
    assert "The losses of all steps add up to L" in example.notes
    assert "δv stands for the derivative of L by v" in example.notes


def test_names_that_the_cell_uses_are_left_to_it():
    # its output is y, and s the context that it keeps
    cell = rounded("intersection-rnn")

    example = worked(cell, INPUTS, [0, 1, 0])

    assert {"W_u", "b_u"} <= {symbol.name for symbol in example.gradients}


class PassesStatesOn(torch.nn.Module):
    """A cell whose second state is the first of the step before, the same tensor; its third is the input."""

    input_size = 2

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.from_x, self.from_state = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

    def initial_state(self, batch_size):
        return (self.from_x.weight.new_zeros(batch_size, 2),) * 3

    def forward(self, x, state):
        h, before, last = state
        return torch.tanh(self.from_x(x) + self.from_state(before) * last), h, x


def test_states_that_are_passed_on_as_they_are_have_gradients_of_their_own():
    example = worked(PassesStatesOn(), INPUTS, [0, 1, 0])

    assert example.check.backward < 1e-14
    # h₁ is what step 2 passes on, so its gradient from the future is that of what step 2 left
    from_future = example.rows("δh₁")[-2]
    assert from_future.note == "from the future: step 2"
    np.testing.assert_array_equal(from_future.array, example.rows("δbefore₂")[-1].array)
    assert from_future.array.all()


def test_an_initial_state_that_is_not_zero_is_where_the_example_starts():
    cell = rounded("elman")
    cell.initial_state = lambda batch_size: torch.full((batch_size, 3), 0.25, dtype=torch.float64)

    example = worked(cell, INPUTS, [0, 1, 0])

    assert example.rows("h₀")[0].array.ravel().tolist() == [0.25] * 3


class LearnedStart(torch.nn.Module):
    """A cell whose first state is a parameter, or made of one that its steps read too."""

    input_size = 2

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.from_x, self.from_h = torch.nn.Linear(2, 3), torch.nn.Linear(3, 3)
        self.start = torch.nn.Parameter(torch.tensor([0.5, -0.25, 0.75]))
        self.kind = kind

    def initial_state(self, batch_size):
        states = {"parameter": self.start, "function": torch.tanh(2 * self.start), "bias": self.from_h.bias}
        return states[self.kind].expand(batch_size, -1)

    def forward(self, x, h):
        return torch.tanh(self.from_x(x) + self.from_h(h))


def start_gradient(example, cell, path):
    """The gradient by torch of a parameter, with the example's own weights."""
    cell = copy.deepcopy(cell).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(parameter.round(decimals=2))
    w_y, b_y = (torch.tensor(only_start(example, name)) for name in ("W_y", "b_y"))
    h, loss = cell.initial_state(1), 0
    for number, row in enumerate(INPUTS):
        h = cell(torch.tensor([row], dtype=torch.float64), h)
        loss = loss + cross_entropy([0, 1, 1])(h @ w_y.T + b_y.T, number)
    loss.backward()
    return dict(cell.named_parameters())[path].grad.numpy()


def only_start(example, name):
    (array,) = (row.array for row in example.start.rows if row.symbol == name)
    return array


@pytest.mark.parametrize("kind", ["parameter", "function"])
def test_a_learned_first_state_has_a_gradient(kind):
    cell = LearnedStart(kind)

    example = worked(cell, INPUTS, [0, 1, 1])

    row = example.totals.rows[-1]
    assert (row.symbol, row.note) == ("δstart", "through the first states")
    np.testing.assert_allclose(row.array.ravel(), start_gradient(example, cell, "start"), rtol=1e-12)
    assert row.array.all()
    assert Symbol("start") in example.gradients
    assert only_start(example, "start").ravel().tolist() == [0.5, -0.25, 0.75]
    assert "The first state is learned: it is made of start" in example.notes


def test_a_weight_that_steps_and_the_first_state_read_has_the_sum():
    cell = LearnedStart("bias")

    example = worked(cell, INPUTS, [0, 1, 1])

    (row,) = (row for row in example.totals.rows if row.symbol == "δb_from_h")
    assert row.note == "the sum of 3 steps, and through the first states"
    np.testing.assert_allclose(row.array.ravel(), start_gradient(example, cell, "from_h.bias"), rtol=1e-12)
    assert sum(row.symbol == "b_from_h" for row in example.start.rows) == 1


def test_frozen_weights_have_gradients_too():
    cell = rounded("elman")
    cell.weight_hh.requires_grad_(False)

    example = worked(cell, INPUTS, [0, 1, 0])

    assert example.gradients[Symbol("W_hh")].number.all()
    assert not cell.weight_hh.requires_grad


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return 2 * weight


@pytest.mark.parametrize(("init", "what"), [(0.1, "0.1"), (None, "rounded")])
def test_a_weight_that_is_computed_from_another_is_told(init, what):
    cell = LearnedStart("parameter")
    torch.nn.utils.parametrize.register_parametrization(cell.from_h, "weight", Doubled())

    step = record_step(cell)

    example = work_example(cell, step, INPUTS, None, init=init)

    path = "from_h.parametrizations.weight.original"
    (source,) = (symbol.name for symbol, block in step.weights.items() if block.path == path)
    assert f"from_h.weight is computed from {source}: what is {what} is not from_h.weight itself" in example.notes


def test_names_of_the_cell_do_not_make_the_notes_odd():
    cell = rounded("elman")
    step = record_step(cell)
    lines = (terms.Line(Symbol("L", 0), terms.number(0)), *step.lines)

    example = work_example(cell, dataclasses.replace(step, lines=lines), INPUTS, [0, 1, 0])

    assert "The losses of all steps add up to loss" in example.notes


def test_equations_that_are_not_the_cell_s_are_refused():
    cell = rounded("elman")
    step = record_step(cell)
    wrong = terms.add(step.lines[-1].term, terms.number(0.001))
    lines = (*step.lines[:-1], dataclasses.replace(step.lines[-1], term=wrong))
    message = r"equations of ElmanCell to give what the cell computes, got a difference of 0.001 in h₁\nhint: a forward"

    with pytest.raises(UnsupportedCellError, match=message):
        work_example(cell, dataclasses.replace(step, lines=lines), INPUTS, [0, 1, 0])


def test_a_wrong_gradient_is_refused(monkeypatch):
    from recurra.inspection.worked_example import working

    def wrong(*args):
        *others, last = working_differentiate(*args)
        return (*others, dataclasses.replace(last, term=terms.mul(terms.number(1.01), last.term)))

    working_differentiate = working.differentiate
    monkeypatch.setattr(working, "differentiate", wrong)

    with pytest.raises(UnsupportedCellError, match=r"got a difference of .* in δ"):
        worked(rounded("elman"), INPUTS, [0, 1, 0])


def test_a_loss_that_is_not_finite_is_refused():
    cell = rounded("irnn")

    with pytest.raises(ArgumentError, match=r"probability 0, got a loss of inf in step 1\nhint: smaller inputs"):
        worked(cell, [[1e6, 1e6]], [1])


def test_numbers_beyond_float64_are_an_error_of_the_arguments():
    with pytest.raises(ArgumentError, match="got a loss of nan in step 1\nhint: smaller inputs or weights"):
        worked(find_cell("elman")(2, 3), [[4, 0]], [0], init=1e308)


@pytest.mark.parametrize("init", [True, float("nan"), "0.1"])
def test_init_must_be_a_number(init):
    with pytest.raises(ArgumentError, match="work_example expected init to be a number"):
        worked(find_cell("elman")(2, 3), INPUTS, None, init=init)


def test_errors_of_inputs_and_targets_reach_the_caller():
    cell = find_cell("elman")(2, 3)

    with pytest.raises(ArgumentError, match=r"got 3: \[1, 2, 3\]\nhint: build the cell with input_size=3"):
        worked(cell, [[1, 2, 3]], None)
    with pytest.raises(ArgumentError, match="--max-steps 13"):
        worked(cell, [[1, 2]] * 13, None)
    with pytest.raises(ArgumentError, match="one for each of the 3 steps"):
        worked(cell, INPUTS, [0, 1])
    with pytest.raises(ChoiceError, match="form of a worked example"):
        worked(cell, INPUTS, [0, 1], form="one-to-many")


def test_more_steps_are_worked_where_they_are_allowed():
    example = worked(rounded("elman"), [[1, 2]] * 13, [0] * 13, max_steps=13)

    assert len(example.forward) == 14
    assert example.num_steps == 13


def test_a_symbol_s_rows_come_in_the_order_of_the_example():
    example = course_exercise()

    assert [row.relation for row in example.rows("δW_xh")] == ["adds", "adds", "is"]
    assert Symbol("W_xh") in example.gradients


def test_names_that_look_alike_are_told_apart_in_latex():
    class Numbered(torch.nn.Module):
        input_size = 1

        def initial_state(self, batch_size):
            return torch.zeros(batch_size, 1, dtype=torch.float64)

        def forward(self, x, h):
            a1 = torch.tanh(x + h)
            a_1 = torch.sigmoid(a1)
            return a1 * a_1

    cell = Numbered()

    example = work_example(cell, record_step(cell), [[1.0]])

    latex = {row.symbol: row.symbol_latex for section in example.forward for row in section.rows}
    assert len(set(latex.values())) == len(latex)
    assert latex["a_1₁"] == "a_{1,1}"
