"""What is said of the parts of a cell."""

from __future__ import annotations

import functools
import sys
import types

import pytest
import torch

from recurra.cells import cell_names, find_cell
from recurra.errors import ArgumentError, ChoiceError, UnsupportedCellError
from recurra.inspection import anatomy_text, describe_cell
from recurra.inspection.anatomy.builds import build_several
from recurra.inspection.anatomy.formulas import formula
from recurra.inspection.anatomy.quantities import Quantity
from recurra.inspection.equations.record_step import record_step


class FromFile(torch.nn.Module):
    """A cell as a user writes it."""

    def __init__(self, input_size, hidden_size, *, depth=1):
        super().__init__()
        self.hidden_size = hidden_size
        self.into = torch.nn.Linear(input_size, hidden_size)
        self.through = torch.nn.ModuleList(torch.nn.Linear(hidden_size, hidden_size) for _ in range(depth))
        self.register_buffer("scale", torch.ones(hidden_size))

    def forward(self, x, state=None):
        h = x.new_zeros(x.shape[0], self.hidden_size) if state is None else state
        a = self.into(x)
        for layer in self.through:
            h = torch.tanh(a + self.scale * layer(h))
        return h


class Sorting(FromFile):
    def forward(self, x, state=None):
        return super().forward(x, state).sort(-1).values


class Outer(torch.nn.Module):
    """Its state is n squared numbers, its count of numbers n cubed."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.key = torch.nn.Parameter(torch.ones(hidden_size, input_size))
        self.table = torch.nn.Parameter(torch.ones(hidden_size**2, hidden_size))

    def forward(self, x, state=None):
        size = self.hidden_size
        m = x.new_zeros(x.shape[0], size * size) if state is None else state
        k = x @ self.key.T
        return m + (k.unsqueeze(2) * k.unsqueeze(1)).reshape(-1, size * size) * self.table.sum(1)


class InThrees(FromFile):
    def __init__(self, input_size, hidden_size):
        if hidden_size % 3:
            raise ValueError("hidden_size must be divisible by 3")
        super().__init__(input_size, hidden_size)


class Fixed(FromFile):
    def __init__(self, input_size, hidden_size):
        if hidden_size != 6:
            raise ValueError("hidden_size must be 6")
        super().__init__(input_size, hidden_size)


@pytest.fixture(autouse=True)
def this_module(monkeypatch):
    # pytest imports this file so that its name cannot be imported
    module = types.ModuleType("anatomy_from_elsewhere")
    monkeypatch.setattr(FromFile, "__module__", module.__name__)
    module.FromFile = FromFile
    monkeypatch.setitem(sys.modules, module.__name__, module)


@functools.cache
def lstm():
    return describe_cell("lstm", {}, 3, 4)


def counted_by_hand(cell_class, d, n):
    return sum(p.numel() for p in cell_class(d, n, init="torch").parameters())


def test_an_lstm_is_described_as_a_lecturer_does():
    found = lstm()

    assert found.num_parameters == Quantity(4 * 4 * (3 + 4) + 8 * 4, "4n(d + n) + 8n")
    assert found.products == Quantity(2 * 4 * 4 * (3 + 4), "8n(d + n)")
    # two biases and their sum for four gates, four squashings, f c + i g, o tanh(c)
    assert found.elementwise == Quantity((3 * 4 + 4 + 3 + 2) * 4, "21n")
    assert [(part.name, part.width) for part in found.states] == [("h", Quantity(4, "n")), ("c", Quantity(4, "n"))]
    assert [(part.name, part.width) for part in found.inputs] == [("x", Quantity(3, "d"))]
    weight = found.weights[0]
    assert (weight.path, [size.formula for size in weight.shape]) == ("weight_ih", ["4n", "d"])
    assert [symbol.name for symbol in weight.symbols] == ["W_xi", "W_xf", "W_xg", "W_xo"]
    assert (found.class_name, found.condition, found.obstacle) == ("LSTMCell", "", "")
    assert found.places


def test_the_text_holds_what_is_known():
    text = "\n".join(anatomy_text(lstm()))

    assert text.startswith("lstm (LSTMCell) at input size d = 3 and hidden size n = 4\n")
    assert "  state   c  n = 4\n" in text
    assert "  weight_ih  (4n, d)  = (16, 3)  W_xi, W_xf, W_xg, W_xo\n" in text
    assert "  bias_ih    (4n,)    = (16,)    b_xi, b_xf, b_xg, b_xo\n" in text
    assert "  numbers in all parameters: 4n(d + n) + 8n = 144\n" in text
    assert "  products            8n(d + n) = 224  " in text
    assert "what runs where, over T steps of B rows\n  before the loop" in text


@pytest.mark.parametrize("name", cell_names())
def test_the_count_of_every_cell_has_a_formula_that_is_right_elsewhere(name):
    cell_class = find_cell(name)
    builds = build_several(cell_class, {}, 48, 64)

    text = formula([sum(p.numel() for p in cell.parameters()) for cell in builds.others], builds.sizes, degree=2)

    for letter in "dn(":
        text = "".join(
            f"*{char}" if char == letter and k and text[k - 1].isalnum() else char for k, char in enumerate(text)
        )
    number = eval(text.replace("²", "**2").replace("dn", "d*n"), {"d": 48, "n": 64})
    assert number == counted_by_hand(cell_class, 48, 64)


def test_a_cell_from_a_users_file_is_described_by_its_paths():
    found = describe_cell("anatomy_from_elsewhere:FromFile", {"depth": 2}, 3, 4)

    assert [weight.path for weight in found.weights][:2] == ["into.weight", "into.bias"]
    assert found.num_parameters == Quantity(3 * 4 + 4 + 2 * (16 + 4), "n(d + 2n) + 3n")
    assert found.products.formula == "2n(d + 2n)"
    assert found.elementwise.formula == "9n"  # three biases, and twice a product, a sum and tanh
    scale = found.weights[-1]
    assert (scale.path, scale.is_trained) == ("scale", False)
    assert any(line.endswith("not trained") for line in anatomy_text(found))
    assert found.name == "anatomy_from_elsewhere:FromFile"


def test_a_cell_without_native_code_says_why_and_keeps_what_can_be_counted():
    found = describe_cell(Sorting, {}, 3, 4)
    text = "\n".join(anatomy_text(found))

    assert "sort" in found.obstacle
    assert (found.places, found.elementwise) == ((), None)
    assert found.products.formula == "2n(d + n)"
    assert "  element by element  not known" in text
    assert f"  all in the plain loop, operation after operation, since {found.obstacle}" in text


def test_where_no_formula_fits_there_are_numbers_only():
    found = describe_cell(Outer, {}, 2, 3)

    assert found.num_parameters == Quantity(3 * 2 + 27)
    assert found.states[0].width == Quantity(9, "n²")
    assert found.elementwise.formula == "3n²"
    assert "  numbers in all parameters: 33, no formula of degree 2 in d and n" in "\n".join(anatomy_text(found))


def test_a_weight_that_is_not_there_where_both_sizes_are_equal_is_told():
    apart, equal = describe_cell("mut1", {}, 3, 4), describe_cell("mut1", {}, 4, 4)

    assert (apart.condition, apart.num_parameters.formula) == ("d ≠ n", "n(3d + 2n) + 3n")
    assert (equal.condition, equal.num_parameters.formula) == ("d = n", "4n² + 3n")
    assert "formulas hold where d = n; otherwise the cell has other weights" in list(anatomy_text(equal))


def test_a_width_that_is_rounded_says_so():
    found = describe_cell("projected-lstm", {}, 3, 5)

    assert found.states[0].width == Quantity(2, "n/2", is_rounded=True)
    assert "  state   h  n/2 = 2 (rounded)" in list(anatomy_text(found))


def test_inputs_and_states_are_those_of_the_equations():
    class Renamed(FromFile):
        def forward(self, inp, memory=None):
            memory = inp.new_zeros(inp.shape[0], self.hidden_size) if memory is None else memory
            return torch.tanh(self.into(inp) + self.through[0](memory))

    found = describe_cell(Renamed, {}, 3, 4)

    assert [part.name for part in (*found.inputs, *found.states)] == ["inp", "memory"]
    assert any("W_into inpₜ" in work for place in found.places for work in place.works)


def test_an_input_that_only_the_loop_gives_is_none_of_a_step():
    assert [(part.name, part.width.formula) for part in describe_cell("qrnn", {}, 3, 4).inputs] == [("x", "d")]
    assert [part.name for part in describe_cell("phased-lstm", {}, 3, 4).inputs] == ["x"]


def test_names_can_be_those_of_given_equations():
    class WithSum(FromFile):
        def forward(self, x, state=None):
            h = x.new_zeros(x.shape[0], self.hidden_size) if state is None else state
            total = self.into(x) + self.through[0](h)
            return torch.tanh(total)

    given = describe_cell(WithSum, {}, 3, 4, step=record_step(WithSum(3, 4), torch.zeros(2, 3)))
    found = describe_cell(WithSum, {}, 3, 4)

    assert "totalₜ" in str(given.places)
    assert "totalₜ" not in str(found.places)


def test_a_formula_stands_in_a_place_only_where_it_is_right():
    small, large = (
        [work for place in describe_cell("layer-norm-rnn", {}, size, size).places for work in place.works]
        for size in (1, 8)
    )

    assert any(work.startswith("element by element (9 operations a row)") for work in small)
    assert any(work.startswith("element by element (9n + 4 operations a row)") for work in large)


def test_options_reach_the_cell():
    assert describe_cell("elman", {"bias": False}, 3, 4).num_parameters == Quantity(28, "n(d + n)")


def test_a_class_that_takes_certain_sizes_only_is_asked_at_multiples_of_them():
    assert describe_cell(InThrees, {}, 2, 3).num_parameters == Quantity(6 + 3 + 9 + 3, "n(d + n) + 2n")


def test_a_class_that_takes_one_size_only_has_no_formulas():
    found = describe_cell(Fixed, {}, 2, 6)

    assert found.num_parameters == Quantity(12 + 6 + 36 + 6)
    assert found.places
    assert any("one product (B, 6) × (6, 6)" in work for place in found.places for work in place.works)


def test_the_random_state_is_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()

    describe_cell("elman", {"init": "published"}, 3, 4)

    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_name_is_an_error_with_the_nearest_one():
    with pytest.raises(ChoiceError) as caught:
        describe_cell("ltsm", {}, 3, 4)

    assert caught.value.hint == "did you mean 'lstm'?"


def test_a_module_that_is_no_cell_is_told_what_a_cell_is():
    with pytest.raises(ArgumentError, match=r"expected a cell, got Linear, whose forward takes \(input\)") as caught:
        describe_cell(torch.nn.Linear, {}, 3, 4)

    assert "forward(x, state) takes x (B, I) and returns the new state" in caught.value.hint


def test_a_class_that_cannot_be_built_says_its_own_error():
    with pytest.raises(ArgumentError) as caught:
        describe_cell(FromFile, {"deep": 1}, 3, 4)

    assert caught.value.message.startswith("FromFile(3, 4, deep=1) was expected to build a cell, got TypeError: ")
    assert "Class(input_size, hidden_size, **options)" in caught.value.hint


def test_an_error_of_ours_in_building_stays_as_it_is():
    with pytest.raises(ArgumentError, match="expected hidden_size to be at least the number of periods, 4, got 2"):
        describe_cell("clockwork", {}, 3, 2)


class NeedsState(torch.nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(hidden_size, input_size))

    def forward(self, x, state):
        return state + x @ self.weight.T


class NeedsTwo(NeedsState):
    def forward(self, x, state):
        h, c = state
        return super().forward(x, h), c


def test_a_state_that_must_be_given_goes_by_its_name():
    (state,) = describe_cell(NeedsState, {}, 3, 4).states

    assert (state.name, state.width.formula) == ("state", "n")


def test_a_cell_of_unknown_states_is_an_error():
    with pytest.raises(UnsupportedCellError, match="NeedsTwo was expected to return its state in the form"):
        describe_cell(NeedsTwo, {}, 3, 4)


@pytest.mark.parametrize("sizes", [(0, 4), (3, 0)])
def test_a_size_below_one_is_an_error(sizes):
    name = "input_size" if sizes[0] == 0 else "hidden_size"

    with pytest.raises(ArgumentError, match=f"describe_cell expected {name} to be an integer of at least 1, got 0"):
        describe_cell("lstm", {}, *sizes)
