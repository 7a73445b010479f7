"""Cells as people write them, from the class to the text."""

from __future__ import annotations

import pytest
import torch

from recurra.errors import ArgumentError, UnsupportedCellError
from recurra.inspection.pages.building import build_page, explain_page
from recurra.inspection.pages.wishes import Wishes


class MadeState(torch.nn.Module):
    """Makes its first state where none is given."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.W_x = torch.nn.Linear(input_size, hidden_size)
        self.W_h = torch.nn.Linear(hidden_size, hidden_size)

    def forward(self, x: torch.Tensor, h: torch.Tensor | None = None) -> torch.Tensor:
        if h is None:
            h = torch.zeros(x.shape[0], self.hidden_size)
        return torch.tanh(self.W_x(x) + self.W_h(h))


class TwoStates(MadeState):
    def forward(self, x: torch.Tensor, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        h, c = state
        c = torch.sigmoid(self.W_x(x)) * c + self.W_h(h)
        return torch.tanh(c), c


@pytest.mark.parametrize("form", ["text", "html", "latex"])
def test_a_cell_that_makes_tensors_of_the_default_type(form: str) -> None:
    page = explain_page(MadeState, form, Wishes(inputs=[[1, 0]], targets=[0]) if form != "text" else Wishes())

    assert torch.get_default_dtype() == torch.float32
    assert form != "text" or "hₜ = tanh(W_x xₜ + b_x + W_h hₜ₋₁ + b_h)" in page


def test_a_cell_of_two_states_that_tells_none_is_told_what_was_assumed() -> None:
    with pytest.raises(UnsupportedCellError) as caught:
        explain_page(TwoStates)

    assert caught.value.hint.startswith("the class tells no first state, so one tensor of the hidden size was assumed")


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("lstm", ("h",)),
        ("minlstm", ()),
        ("qrnn", ("p",)),
        ("gru-reset-before", ("h",)),
        ("mut3", ("h",)),
        ("scrn", ("h",)),
    ],
)
def test_only_states_that_a_weight_multiplies_are_drawn_with_one(name: str, states: tuple[str, ...]) -> None:
    assert build_page(name, "text", Wishes(unfold=2)).network.recurrent == states


def test_weights_with_several_underscores_are_set_as_mathematics() -> None:
    class Blocks(MadeState):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.mix = torch.nn.Linear(input_size, 2 * hidden_size)

        def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
            gate, candidate = self.mix(x).chunk(2, 1)
            return torch.sigmoid(gate) * h + torch.tanh(candidate)

    page = explain_page(Blocks, "latex")

    assert r"$_candidate" not in page
    assert r"$\_candidate" not in page


def test_a_start_without_a_sequence_is_refused() -> None:
    with pytest.raises(ArgumentError, match="explain expected inputs with init, got none"):
        explain_page("gru", "text", Wishes(init=0.1))


def test_the_output_layer_of_many_to_one_learns_from_one_step() -> None:
    wishes = Wishes(inputs=[[1.0], [0.0]], targets=[1.0], form="many-to-one", hidden_size=1, init=0.5)

    lines = explain_page("elman", "text", wishes).splitlines()

    totals = lines[lines.index("Gradients of the weights") :]
    assert any(line.startswith("  δW_y") and line.endswith("(of one step)") for line in totals)
    assert any(line.startswith("  δW_hh") and line.endswith("(the sum of 2 steps)") for line in totals)
