from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from recurra.cells import find_cell
from recurra.inspection.equations import terms
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.equations.terms import Line, Symbol
from recurra.inspection.worked_example.setup import prepare_cell, second_biases


class TwoLinears(torch.nn.Module):
    """A cell as a user writes it, whose sums have names of their own."""

    def __init__(self):
        super().__init__()
        self.input_size = 2
        self.first = torch.nn.Linear(2, 3)
        self.second = torch.nn.Linear(3, 3)
        self.scale = torch.nn.Parameter(torch.ones(3))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 3, dtype=self.scale.dtype)

    def forward(self, x, h):
        a = self.first(x)
        b = self.second(h)
        z = a + b
        return self.scale * torch.tanh(z)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_both_biases_of_a_gate_are_together_what_one_parameter_is(name):
    cell = find_cell(name)(2, 3)

    prepared = prepare_cell(cell, record_step(cell), 0.1)

    rows = prepared.bias_ih.shape
    torch.testing.assert_close(prepared.bias_ih + prepared.bias_hh, torch.full(rows, 0.1, dtype=torch.float64))
    assert set(prepared.bias_ih.tolist()) == {0.1}
    assert set(prepared.weight_hh.flatten().tolist()) == {0.1}


def test_a_user_s_second_bias_is_found_through_names():
    cell = TwoLinears()

    prepared = prepare_cell(cell, record_step(cell), 0.1)

    assert set(prepared.first.bias.tolist()) == {0.1}
    assert set(prepared.second.bias.tolist()) == {0.0}
    assert set(prepared.scale.tolist()) == {0.1}


class WithoutActivation(torch.nn.Module):
    """Two linear layers, added up or weighed against each other."""

    def __init__(self, *, is_weighed):
        super().__init__()
        self.input_size = 2
        self.first, self.second = torch.nn.Linear(2, 3), torch.nn.Linear(3, 3)
        self.share = torch.nn.Parameter(torch.full((3,), 0.5))
        self.is_weighed = is_weighed

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 3, dtype=self.share.dtype)

    def forward(self, x, h):
        if self.is_weighed:
            return self.share * self.first(x) + (1 - self.share) * self.second(h)
        return (1 - self.share) * h + self.share * (self.first(x) + self.second(h))


def test_the_second_bias_of_a_cell_without_an_activation_is_found():
    cell = WithoutActivation(is_weighed=False)

    prepared = prepare_cell(cell, record_step(cell), 0.1)

    assert set(prepared.first.bias.tolist()) == {0.1}
    assert set(prepared.second.bias.tolist()) == {0.0}


def test_biases_of_sums_that_are_weighed_against_each_other_are_first_ones():
    assert second_biases(record_step(WithoutActivation(is_weighed=True))) == ()


def test_values_that_are_used_again_and_again_are_looked_through_once():
    step = record_step(find_cell("elman")(2, 3))
    names = [terms.name(Symbol(f"v{number}", 0), (3, 1)) for number in range(40)]
    bias = terms.name(Symbol("b_xh", kind="weight"), (3, 1))
    lines = [Line(names[0].value, terms.add(names[0], bias))]
    lines += [Line(b.value, terms.add(terms.mul(a, a), a)) for a, b in pairwise(names)]

    assert second_biases(replace(step, lines=tuple(lines), leaving=(names[-1].value,), output=names[-1].value)) == ()


def test_cells_with_one_bias_keep_it():
    cell = find_cell("mut1")(2, 3)

    assert second_biases(record_step(cell)) == ()


def test_without_a_number_parameters_are_rounded_to_two_decimals():
    torch.manual_seed(0)
    cell = find_cell("lstm")(2, 3)

    prepared = prepare_cell(cell, record_step(cell), None)

    for given, rounded in zip(cell.parameters(), prepared.parameters(), strict=True):
        expected = [round(entry, 2) for entry in given.double().flatten().tolist()]
        assert rounded.flatten().tolist() == pytest.approx(expected, abs=1e-12)
        assert rounded.dtype == torch.float64


def test_small_parameters_keep_two_digits_of_the_largest():
    cell = find_cell("elman")(1, 2)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.tensor([[0.00123], [-0.00456]]))

    prepared = prepare_cell(cell, record_step(cell), None)

    assert prepared.weight_ih.flatten().tolist() == pytest.approx([0.0012, -0.0046], abs=1e-12)


def test_the_cell_itself_stays_as_it_is():
    cell = find_cell("gru")(2, 3)
    before = {name: parameter.clone() for name, parameter in cell.named_parameters()}

    prepare_cell(cell, record_step(cell), 0.1)

    assert all(torch.equal(before[name], parameter) for name, parameter in cell.named_parameters())
    assert cell.weight_ih.dtype == torch.float32
