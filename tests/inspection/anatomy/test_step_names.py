"""Names of what a traced step computes, with equations and without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurra.cells import find_cell
from recurra.inspection.anatomy.known_step import know_step
from recurra.inspection.anatomy.places import draft_places
from recurra.inspection.anatomy.sampling import Known, is_same
from recurra.inspection.anatomy.tracing import trace
from recurra.inspection.anatomy.value_names import grouped
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.plain import plain, plain_symbol
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.equations.terms import Symbol


class Own(torch.nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.state_size = hidden_size
        self.W = torch.nn.Parameter(torch.randn(hidden_size, input_size))
        self.U = torch.nn.Parameter(torch.randn(hidden_size, hidden_size))
        self.register_buffer("A", torch.randn(hidden_size, hidden_size))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.state_size)


class OddlyWritten(Own):
    def forward(self, x, h):
        a=torch.nn.functional.linear(x, self.W)  # fmt: skip
        b = h.flip(-1) @ self.U
        i, f = torch.sigmoid(a + b), torch.tanh(b)
        k = (
            i
            * f
        )  # fmt: skip
        k += a
        return (torch.tanh(k) - f) @ self.A + i @ self.U[:, 1:3] @ self.A[1:3]


class InThreeDimensions(Own):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U = torch.nn.Parameter(torch.randn(2, hidden_size, hidden_size))

    def forward(self, x, h):
        for k in range(2):
            h = torch.tanh(x @ self.W.t() + h @ self.U[k].t())
        v=h * 2  # fmt: skip
        return torch.nn.functional.dropout(v) + v @ self.A + (torch.exp(h * 3) - x.sum(-1, keepdim=True)).cos() @ self.A


class WithRemainder(InThreeDimensions):
    def forward(self, x, h):
        y = torch.remainder((h @ self.U[0]).relu(), 0.5).sqrt() @ self.A
        return y + x @ self.W.t()


class Parametrized(Own):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.through = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(hidden_size, hidden_size))

    def forward(self, x, h):
        return torch.tanh(x @ self.W.t() + self.through(h))


def lines_of(cell, *, has_equations):
    step = record_step(cell, torch.zeros(2, 3)) if has_equations else None
    drafts = draft_places(trace(cell, 3), know_step(cell, 3, step))
    return step, ["".join(map(str, words)) for draft in drafts for words in draft.works]


def test_names_do_not_depend_on_how_a_line_is_written():
    step, lines = lines_of(OddlyWritten(3, 4), has_equations=True)

    products = [line.partition(": one product")[0] for line in lines]
    assert {"Uᵀ hₜ₋₁[4, 3, 2, 1]", "Aᵀ (tanh(kₜ) − fₜ)", "U[:, 2:3]ᵀ iₜ", "A[2:3]ᵀ (U[:, 2:3]ᵀ iₜ)"} <= set(products)
    assert [line for line in lines if line.endswith("operations a row): iₜ, fₜ, kₜ, hₜ")]
    assert {"i", "f", "k"} <= {line.target.name for line in step.lines}
    # each is the way back of one product, though both have numbers of the same weight
    assert {"back through Aᵀ to (tanh(kₜ) − fₜ)", "back through A[2:3]ᵀ to (U[:, 2:3]ᵀ iₜ)"} <= set(products)
    assert {"back through Uᵀ to hₜ₋₁[4, 3, 2, 1]", "back through U[:, 2:3]ᵀ to iₜ"} <= set(products)


def test_without_equations_names_are_those_that_forward_gives():
    _, lines = lines_of(InThreeDimensions(3, 4), has_equations=False)

    assert "(made of U) h⁽¹⁾ₜ: one product (B, 4) × (4, 4)" in lines
    assert "Aᵀ vₜ: one product (B, 4) × (4, 4)" in lines
    assert any(line.endswith("operations a row): h⁽¹⁾ₜ, h⁽²⁾ₜ, vₜ, hₜ") for line in lines)


def test_a_value_without_a_name_is_said_to_be_in_its_line():
    _, lines = lines_of(WithRemainder(3, 4), has_equations=False)

    line = "y = torch.remainder((h @ self.U[0]).relu(), 0.5).sqrt() @ self.A"
    assert f"Aᵀ (a value in {line!r}): one product (B, 4) × (4, 4)" in lines


class InFloat32Only(InThreeDimensions):
    def forward(self, x, h):
        a = x @ self.W.t()
        return torch.tanh(a + h @ torch.eye(4, dtype=torch.float32) + h @ self.U[0])


def test_a_cell_that_does_not_run_in_float64_has_the_names_that_its_class_tells():
    _, lines = lines_of(InFloat32Only(3, 4), has_equations=False)

    assert "W xₜ: one product (T·B, 3) × (3, 4)" in lines
    assert any(line.endswith("operations a row): hₜ") for line in lines)


def test_earlier_inputs_are_parts_of_the_state_that_holds_them():
    cell = find_cell("qrnn")(3, 4, window=3)

    known = know_step(cell, 3, record_step(cell))

    assert list(map(plain, known.inputs)) == ["xₜ", "pₜ₋₁[1:3]", "pₜ₋₁[4:6]"]


def test_weights_that_are_computed_once_a_call_have_their_names():
    step, lines = lines_of(Parametrized(3, 4), has_equations=True)

    assert "W xₜ: one product (T·B, 3) × (3, 4)" in lines
    assert any("hₜ₋₁ + " in line and "one product (B, 4)" in line for line in lines)
    assert {plain_symbol(symbol) for symbol in step.entering} == {"hₜ₋₁"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hₜ", "hₜ"),
        ("rₜ ⊙ hₜ", "(rₜ ⊙ hₜ)"),
        ("tanh(a − b)", "tanh(a − b)"),
        ("[a; b]", "[a; b]"),
        ("−a", "(−a)"),
        ("(a + b) ⊙ (c + d)", "((a + b) ⊙ (c + d))"),
    ],
)
def test_what_is_more_than_one_thing_is_put_in_parentheses(text, wanted):
    assert grouped(text) == wanted


def test_values_are_the_same_if_all_their_numbers_are():
    numbers = np.array([[1.0, 2.0], [3.0, np.nan]])
    known = Known([(t.name(Symbol("a", 0), (2, 1)), numbers)])

    assert known.find(numbers * (1 + 1e-9)).value == Symbol("a", 0)
    assert known.find(numbers + 1e-3) is None
    assert known.find(numbers.reshape(-1)) is None
    assert known.find(None) is None
    assert not is_same(np.full(2, np.nan), np.full(2, np.nan))
