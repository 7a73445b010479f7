"""What lines a step has, and what its names are."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from recurra.cells import find_cell
from recurra.errors import ArgumentError, UnsupportedCellError
from recurra.inspection.equations.plain import plain_line, plain_symbol
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.explanation import explain_cell


def lines_of(cell: nn.Module, *, every_assignment: bool = False) -> list[str]:
    return [plain_line(line) for line in explain_cell(cell, every_assignment=every_assignment).step.lines]


class OwnCell(nn.Module):
    """A base for cells as users write them."""

    def __init__(self, input_size: int = 3, hidden_size: int = 4) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.ih = nn.Linear(input_size, 2 * hidden_size)
        self.hh = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.decay = nn.Parameter(torch.rand(hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.decay.new_zeros(batch_size, self.hidden_size)


class Chunked(OwnCell):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        gates = self.ih(x) + self.hh(h)
        k, c = gates.chunk(2, dim=1)
        k = torch.sigmoid(k)
        c = torch.tanh(c)
        h_new = k * h + (1 - k) * c
        return h_new


class Blocks(OwnCell):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        kx, cx = self.ih(x).chunk(2, -1)
        kh, ch = self.hh(h).chunk(2, -1)
        k = torch.sigmoid(kx + kh)
        return k * h + (1 - k) * torch.tanh(cx + ch)


class Looped(OwnCell):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        for _ in range(2):
            h = torch.tanh(h * self.decay + x[:, :1])
        return h


class Helped(OwnCell):
    def rate(self) -> Tensor:
        positive = torch.exp(self.decay)
        return positive / (1 + positive)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.rate() * h + x[:, :1]


class Unchanged(OwnCell):
    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        return (self.decay.new_zeros(batch_size, 4), self.decay.new_zeros(batch_size, 1))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, clock = state
        return torch.tanh(h + clock * self.decay), clock


class SameTwice(OwnCell):
    returns_output = True

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.tanh(h * self.decay + x[:, :1])
        return y, y


class Clashing(OwnCell):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        decay = torch.sigmoid(self.decay)
        x = torch.tanh(x)
        return decay * h + x[:, :1]


class Overlapping(OwnCell):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        weight = self.ih.weight
        return torch.tanh(x @ weight[:4].T + x @ weight[2:6].T) + h


class Indexed(OwnCell):
    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        return (self.decay.new_zeros(batch_size, 4), self.decay.new_zeros(batch_size, 4))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        new = state[1] * self.decay + x[:, :1]
        return torch.tanh(new) * state[0], new


def test_lstm() -> None:
    assert lines_of(find_cell("lstm")(3, 4)) == [
        "iₜ = σ(W_xi xₜ + b_xi + W_hi hₜ₋₁ + b_hi)",
        "fₜ = σ(W_xf xₜ + b_xf + W_hf hₜ₋₁ + b_hf)",
        "gₜ = tanh(W_xg xₜ + b_xg + W_hg hₜ₋₁ + b_hg)",
        "oₜ = σ(W_xo xₜ + b_xo + W_ho hₜ₋₁ + b_ho)",
        "cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ",
        "hₜ = oₜ ⊙ tanh(cₜ)",
    ]


def test_every_assignment_of_the_gru() -> None:
    assert lines_of(find_cell("gru")(3, 4), every_assignment=True) == [
        "xrₜ = W_xr xₜ + b_xr",
        "xzₜ = W_xz xₜ + b_xz",
        "xnₜ = W_xn xₜ + b_xn",
        "hrₜ = W_hr hₜ₋₁ + b_hr",
        "hzₜ = W_hz hₜ₋₁ + b_hz",
        "hnₜ = W_hn hₜ₋₁ + b_hn",
        "rₜ = σ(xrₜ + hrₜ)",
        "zₜ = σ(xzₜ + hzₜ)",
        "nₜ = tanh(xnₜ + rₜ ⊙ hnₜ)",
        "hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁",
    ]


def test_a_users_cell_keeps_its_names_and_the_new_state_takes_that_of_the_old() -> None:
    assert lines_of(Chunked()) == [
        "gatesₜ = W_ih xₜ + b_ih + W_hh hₜ₋₁",
        "kₜ = σ(gatesₜ[1:4])",
        "cₜ = tanh(gatesₜ[5:8])",
        "hₜ = kₜ ⊙ hₜ₋₁ + (1 − kₜ) ⊙ cₜ",
    ]


def test_names_that_are_assigned_twice_are_numbered() -> None:
    lines = lines_of(Chunked(), every_assignment=True)

    assert lines[1:5] == ["k⁽¹⁾ₜ = gatesₜ[1:4]", "c⁽¹⁾ₜ = gatesₜ[5:8]", "k⁽²⁾ₜ = σ(k⁽¹⁾ₜ)", "c⁽²⁾ₜ = tanh(c⁽¹⁾ₜ)"]


def test_row_blocks_of_a_users_weights_are_told_apart() -> None:
    assert lines_of(Blocks()) == [
        "kₜ = σ(W_ih_kx xₜ + b_ih_kx + W_hh_kh hₜ₋₁)",
        "hₜ = kₜ ⊙ hₜ₋₁ + (1 − kₜ) ⊙ tanh(W_ih_cx xₜ + b_ih_cx + W_hh_ch hₜ₋₁)",
    ]


def test_a_loop_is_written_out() -> None:
    assert lines_of(Looped()) == [
        "h⁽¹⁾ₜ = tanh(hₜ₋₁ ⊙ decay + xₜ[1:1])",
        "hₜ = tanh(h⁽¹⁾ₜ ⊙ decay + xₜ[1:1])",
    ]


def test_what_forward_calls_is_written_inside() -> None:
    assert lines_of(Helped()) == ["hₜ = (exp(decay) / (exp(decay) + 1)) ⊙ hₜ₋₁ + xₜ[1:1]"]


def test_a_state_that_is_passed_on_has_a_line() -> None:
    assert lines_of(Unchanged()) == ["hₜ = tanh(hₜ₋₁ + clockₜ₋₁ ⊙ decay)", "clockₜ = clockₜ₋₁"]


def test_an_output_that_is_the_state_too_goes_by_its_name() -> None:
    step = record_step(SameTwice())

    assert [plain_line(line) for line in step.lines] == ["hₜ = tanh(hₜ₋₁ ⊙ decay + xₜ[1:1])"]
    assert plain_symbol(step.output) == "hₜ"


def test_a_variable_with_the_name_of_a_weight_gets_a_prime() -> None:
    assert lines_of(Clashing()) == [
        "decay′ = σ(decay)",
        "x⁽¹⁾ₜ = tanh(xₜ)",
        "hₜ = decay′ ⊙ hₜ₋₁ + x⁽¹⁾ₜ[1:1]",
    ]


def test_rows_that_are_used_in_two_ways_keep_the_name_of_their_weight() -> None:
    assert lines_of(Overlapping()) == ["hₜ = tanh(W_ih[1:4] xₜ + W_ih[3:6] xₜ) + hₜ₋₁"]


def test_two_states_without_names_are_h_and_c() -> None:
    assert lines_of(Indexed()) == ["cₜ = cₜ₋₁ ⊙ decay + xₜ[1:1]", "hₜ = tanh(cₜ) ⊙ hₜ₋₁"]


def test_every_line_knows_its_place_in_the_code() -> None:
    places = [line.place for line in record_step(Chunked()).lines]

    assert all(place.startswith(__file__) for place in places)
    assert places[0].endswith("gates = self.ih(x) + self.hh(h)")


def test_a_cell_of_two_inputs() -> None:
    cell = find_cell("phased-lstm")(3, 4)

    step = record_step(cell, (torch.zeros(2, 3), torch.zeros(2, 1)))

    assert [plain_symbol(symbol) for symbol in step.inputs] == ["xₜ", "timeₜ"]
    assert any("timeₜ" in plain_line(line) for line in step.lines)


def test_a_debugger_is_left_in_place() -> None:
    def tracer(frame: object, event: str, argument: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        record_step(Chunked())
        during = sys.gettrace()
    finally:
        sys.settrace(before)

    assert during is tracer


def test_random_numbers_to_come_are_the_same() -> None:
    cell = Chunked()
    state = torch.get_rng_state()

    explain_cell(cell)

    assert torch.equal(torch.get_rng_state(), state)


def test_a_module_without_input_size_needs_an_input() -> None:
    class Nameless(nn.Module):
        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            return x + h

    with pytest.raises(ArgumentError, match="record_step expected Nameless to have an input_size, got none"):
        record_step(Nameless())


def test_a_weight_of_three_dimensions_is_refused() -> None:
    class Cubic(OwnCell):
        def __init__(self) -> None:
            super().__init__()
            self.cube = nn.Parameter(torch.zeros(2, 3, 4))

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            return h + self.cube.sum()

    with pytest.raises(UnsupportedCellError, match=r"got sum at .*, since it takes a tensor of three dim"):
        record_step(Cubic())


def test_a_cell_that_remembers_is_not_explained_wrongly() -> None:
    class Remembering(OwnCell):
        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            self.calls = getattr(self, "calls", 0) + 1
            return h * self.calls + x[:, :1]

    with pytest.raises(UnsupportedCellError, match="to compute the same at every step, got one that changes calls"):
        explain_cell(Remembering())


def test_a_state_loses_what_says_that_it_is_the_old_one() -> None:
    class Previous(OwnCell):
        def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
            return (self.decay.new_zeros(batch_size, 4), self.decay.new_zeros(batch_size, 4))

        def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            h_prev, cx = state
            c = cx * self.decay + x[:, :1]
            return torch.tanh(c) * h_prev, c

    assert lines_of(Previous()) == ["cₜ = cₜ₋₁ ⊙ decay + xₜ[1:1]", "hₜ = tanh(cₜ) ⊙ hₜ₋₁"]


@pytest.mark.parametrize("period", [1, 3])
def test_a_cell_that_changes_with_its_steps_is_refused(period: int) -> None:
    class Ageing(OwnCell):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("age", torch.tensor(0))

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            self.age += 1
            return h * self.decay if int(self.age) % (period + 1) else h + x[:, :1]

    with pytest.raises(UnsupportedCellError, match="to compute the same at every step, got one that changes age"):
        explain_cell(Ageing())


def test_frozen_weights_are_explained_as_others() -> None:
    cell = Chunked()
    cell.hh.requires_grad_(False)

    assert explain_cell(cell).check.is_good
    assert not cell.hh.weight.requires_grad


def test_a_state_may_be_changed_in_place() -> None:
    class InPlace(OwnCell):
        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            h.mul_(0.9)
            return h + x[:, :1]

    assert lines_of(InPlace()) == ["h⁽¹⁾ₜ = 0.9 · hₜ₋₁", "hₜ = h⁽¹⁾ₜ + xₜ[1:1]"]


class Pair(NamedTuple):
    h: Tensor
    c: Tensor


@pytest.mark.parametrize("form", [list, Pair])
def test_states_come_in_the_form_that_the_cell_takes(form: Any) -> None:
    class Formed(OwnCell):
        def initial_state(self, batch_size: int) -> Any:
            zeros = [self.decay.new_zeros(batch_size, 4), self.decay.new_zeros(batch_size, 4)]
            return Pair(*zeros) if form is Pair else zeros

        def forward(self, x: Tensor, state: Any) -> Any:
            assert type(state) is form
            h, c = state
            c = c * self.decay + x[:, :1]
            return Pair(h + c, c) if form is Pair else [h + c, c]

    assert lines_of(Formed()) == ["cₜ = cₜ₋₁ ⊙ decay + xₜ[1:1]", "hₜ = hₜ₋₁ + cₜ"]


def test_a_cube_that_no_equation_reads_is_no_obstacle() -> None:
    class WithCube(Looped):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("cube", torch.zeros(2, 3, 4))

    assert lines_of(WithCube()) == lines_of(Looped())


def test_hundreds_of_operations_in_a_helper_do_not_take_forever() -> None:
    class Iterating(OwnCell):
        def rounds(self, v: Tensor) -> Tensor:
            for _ in range(60):
                v = 0.5 * (v * v + v)
            return v

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            return self.rounds(h) + x[:, :1]

    assert len(record_step(Iterating()).lines) == 60


def test_a_tensor_from_a_script_is_refused() -> None:
    class Scripted(OwnCell):
        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            return h.data

    with pytest.raises(UnsupportedCellError, match="got data at"):
        record_step(Scripted())


def test_a_result_that_is_no_state_says_what_a_step_returns() -> None:
    class Nested(OwnCell):
        def forward(self, x: Tensor, h: Tensor) -> Any:
            return h, (h, [h])

    with pytest.raises(UnsupportedCellError, match="Nested was expected to return its new state, got") as caught:
        record_step(Nested())

    assert "returns_output = True" in caught.value.hint


def test_the_line_that_failed_is_named() -> None:
    class Broken(OwnCell):
        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            return x @ h

    with pytest.raises(UnsupportedCellError, match=r"got RuntimeError: .* at .*test_record_step\.py:\d+: return x @ h"):
        record_step(Broken())


def test_further_arguments_stay_at_their_defaults_and_are_told() -> None:
    class Delayed(OwnCell):
        def forward(self, x: Tensor, h: Tensor, scale: float = 2.0, delayed: Tensor | None = None) -> Tensor:
            return h * scale + (x[:, :1] if delayed is None else delayed)

    assert record_step(Delayed()).defaults == {"scale": 2.0, "delayed": None}


def test_what_a_parametrised_weight_is_made_of_has_a_short_name() -> None:
    cell = Chunked()
    nn.utils.parametrizations.weight_norm(cell.hh)

    line = lines_of(cell)[0]

    assert line.endswith("(V0_hh ⊙ (V1_hh / √(V1_hh² 𝟏[4×1]))) hₜ₋₁")


def test_a_time_in_a_name_is_written_once() -> None:
    class Timed(OwnCell):
        def forward(self, x_t: Tensor, h_t: Tensor) -> Tensor:
            z_t = torch.tanh(x_t[:, :1] + h_t)
            n_t = z_t * self.decay
            n = n_t + 1
            return z_t * n

    assert lines_of(Timed()) == ["zₜ = tanh(xₜ[1:1] + hₜ₋₁)", "n_tₜ = zₜ ⊙ decay", "nₜ = n_tₜ + 1", "hₜ = zₜ ⊙ nₜ"]
