"""What an explanation shows, by what is asked for."""

from __future__ import annotations

import pytest
import torch

from recurra.errors import ArgumentError, ChoiceError, UnsupportedCellError
from recurra.inspection.pages.building import build_page, explain_page
from recurra.inspection.pages.page import PARTS
from recurra.inspection.pages.wishes import Wishes


class Clockless(torch.nn.Module):
    """A cell of a user.

    It has a docstring of two paragraphs.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.joint = torch.nn.Linear(input_size + hidden_size, hidden_size)
        self.hidden_size = hidden_size

    def initial_state(self, batch_size: int) -> torch.Tensor:
        return torch.zeros(batch_size, self.hidden_size, dtype=self.joint.weight.dtype)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.joint(torch.cat((x, h), 1)))


class Silent(torch.nn.Module):
    """Needs a state, and tells nothing of it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.joint = torch.nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.joint(torch.cat((x, h), 1)))


class Summing(Clockless):
    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return h + x.sum(1, keepdim=True)


def test_text_without_wishes_shows_all_but_example_and_gates() -> None:
    page = build_page("lstm", "text", Wishes())

    assert page.parts == ("equations", "derivative", "anatomy", "network")
    assert page.example is None


def test_a_page_shows_everything() -> None:
    assert build_page("lstm", "html", Wishes()).parts == PARTS


def test_a_page_of_a_cell_without_gates_leaves_them_out() -> None:
    page = build_page(Summing, "html", Wishes())

    assert page.parts == tuple(part for part in PARTS if part != "gates")


@pytest.mark.parametrize(
    ("wishes", "parts"),
    [
        (Wishes(unfold=4), ("network",)),
        (Wishes(gate=True), ("gates",)),
        (Wishes(inputs=[[1, 0]]), ("example",)),
        (Wishes(inputs=[[1, 0]], gate=True), ("example", "gates")),
    ],
)
@pytest.mark.parametrize("form", ["text", "latex"])
def test_what_is_asked_for_is_shown_alone(wishes: Wishes, parts: tuple[str, ...], form: str) -> None:
    assert build_page("gru", form, wishes).parts == parts


def test_a_folded_network_is_drawn_and_not_written() -> None:
    assert build_page("gru", "latex", Wishes(fold=True)).parts == ("network",)
    with pytest.raises(ArgumentError, match="explain expected fold with the format svg, latex or html, got text"):
        explain_page("gru", "text", Wishes(fold=True))


def test_sizes_come_from_the_inputs() -> None:
    page = build_page("gru", "text", Wishes(inputs=[[1, 0, 0, 0, 0]], hidden_size=3))

    assert (page.explanation.cell.input_size, page.explanation.cell.hidden_size) == (5, 3)


@pytest.mark.parametrize("name", ["elman", "lstm", "clockwork", "phased-lstm", "scrn"])
def test_the_example_of_a_page_is_as_small_as_the_cell_can_be(name: str) -> None:
    example = build_page(name, "html", Wishes()).example

    assert example is not None
    assert example.num_steps == 2
    assert max(example.rows("x₁")[0].array.shape) <= 3
    assert example.check.backward < 1e-12


def test_the_users_class_is_summarised_and_ours_is_cited() -> None:
    own, ours = (build_page(target, "text", Wishes()) for target in (Clockless, "lstm"))

    assert (own.summary, own.reference) == ("A cell of a user.", "")
    assert ours.reference == "Gers et al. 2000"


def test_states_that_a_weight_multiplies_are_marked_in_the_drawing() -> None:
    assert build_page("lstm", "text", Wishes()).network.recurrent == ("h",)
    assert build_page("full-peephole-lstm", "text", Wishes()).network.recurrent == ("h", "c")


def test_the_weights_are_those_of_the_seed() -> None:
    pages = [build_page("gru", "text", Wishes(seed=seed)) for seed in (1, 1, 2)]

    weights = [page.explanation.cell.weight_ih for page in pages]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_mode_is_that_of_the_wish() -> None:
    assert build_page("phased-lstm", "text", Wishes()).explanation.cell.training
    assert not build_page("phased-lstm", "text", Wishes(evaluation=True)).explanation.cell.training


def test_text_of_every_part() -> None:
    text = explain_page("gru", "text", Wishes())

    assert "rₜ = σ(W_xr xₜ + b_xr + W_hr hₜ₋₁ + b_hr)" in text
    assert "δhₜ₋₁ = δhₜ ⊙ zₜ + W_hrᵀ" in text
    assert "3n(d + n) + 6n" in text
    assert "W_x W_h W_y: the same weights at every step" in text
    assert "Checked: what is printed was parsed" in " ".join(text.split())


def test_the_exercise_of_the_course() -> None:
    wishes = Wishes(inputs=[[4, 0, 0, 0], [0, 8, 2, 0]], targets=[0, 1], hidden_size=3, output_size=2, init=0.1)

    text = explain_page("elman", "text", wishes)

    assert "z₁ = W_xh x₁ + b_xh + W_hh h₀ + b_hh\n    = (0.5, 0.5, 0.5)ᵀ" in text
    assert "tanh 0.5 each" in text
    assert "= 1.1 + 0.3 tanh 0.5 each ≈ (1.239, 1.239, 1.239)ᵀ" in text
    assert text.count("= (0.5, 0.5)ᵀ") == 2
    assert text.count("= log 2 ≈ 0.6931") == 2


def test_equations_that_are_wider_than_the_text_go_on_in_the_next_line() -> None:
    lines = explain_page("lstm", "text", Wishes(width=60)).splitlines()

    equations = lines[: next(k for k, line in enumerate(lines) if line.startswith("lstm (LSTMCell)"))]
    assert max(map(len, equations)) <= 60
    assert any(line.strip().startswith("+ W_h") for line in equations)


def test_a_drawing_is_one_drawing() -> None:
    assert explain_page("gru", "svg", Wishes(unfold=2)).count("<svg") == 1
    with pytest.raises(ArgumentError, match="expected one drawing to be asked for with the format svg, got several"):
        explain_page("gru", "svg", Wishes(unfold=2, gate=True))
    with pytest.raises(ArgumentError, match="expected one drawing to be asked for with the format svg, got none"):
        explain_page("gru", "svg", Wishes())


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"unfold": 0}, "explain expected unfold to be an integer of at least 1, got 0"),
        ({"hidden_size": -1}, "explain expected hidden_size to be an integer of at least 1, got -1"),
        ({"digits": 18}, "explain expected digits to be at most 17, got 18"),
        ({"seed": -1}, "explain expected seed to be an integer of at least 0, got -1"),
        ({"targets": [0]}, "explain expected inputs with the targets, got none"),
    ],
)
def test_wishes_that_cannot_be(wishes: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Wishes(**wishes)

    assert caught.value.message == message


def test_gates_of_a_cell_that_has_none() -> None:
    with pytest.raises(ArgumentError, match="response curves expected a cell with gates"):
        explain_page(Summing, "text", Wishes(gate=True))


def test_a_cell_that_tells_no_first_state_is_taken_to_start_from_zeros() -> None:
    text = " ".join(explain_page(Silent).split())

    assert "hₜ = tanh(W_joint [xₜ; hₜ₋₁] + b_joint)" in text
    assert "The class tells no first state: it is taken to be zeros, one tensor of width n." in text


def test_arguments_that_stay_at_their_defaults_are_told() -> None:
    class Scaled(Clockless):
        def forward(self, x: torch.Tensor, h: torch.Tensor, scale: float = 2.0) -> torch.Tensor:
            return scale * h + x.sum(1, keepdim=True)

    text = " ".join(explain_page(Scaled).split())

    assert "Further arguments of forward are left at their defaults: scale = 2.0." in text


def test_steps_may_have_several_inputs() -> None:
    wishes = Wishes(inputs=[[[1, 0], [0.5]], [[0, 1], [2.5]]], targets=[0, 1], hidden_size=2)

    text = explain_page("phased-lstm", "text", wishes)

    assert "time₂ = 2.5" in text


def test_forms_that_no_example_has() -> None:
    with pytest.raises(ArgumentError, match="inputs with the form many-to-many or many-to-one, got one-to-many"):
        explain_page("gru", "text", Wishes(inputs=[[1]], form="one-to-many"))


def test_unknown_formats_and_cells() -> None:
    with pytest.raises(ChoiceError, match="expected format to be one of text, latex, html, svg; got 'pdf'"):
        explain_page("gru", "pdf")
    with pytest.raises(ChoiceError, match="expected cell to be one of"):
        explain_page("no-such-cell")


def test_a_cell_without_equations() -> None:
    with pytest.raises(UnsupportedCellError, match="got lstm_cell at"):
        explain_page("torch.nn:LSTMCell")
