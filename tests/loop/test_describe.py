"""What ``describe`` prints of a compiled cell: what was traced, its places, its costs, and the emitted code."""

from __future__ import annotations

import inspect
import io
import re

import pytest
import torch

from recurra.cells import ElmanCell, GRUCell, LSTMCell
from recurra.errors import ArgumentError, UnsupportedCellError
from recurra.loop.describe import describe
from tests.loop.native.own_cells import Normed, ResetBefore

LOOP = "inside the loop"
BEFORE = "before the loop, over all steps at once"
AFTER = "after the loop, over all steps at once"
BACKWARD = "backward: inside the loop, from the last step to the first"


def text_of(cell, *args, llvm=False, **options):
    file = io.StringIO()
    describe(cell, *args, llvm=llvm, file=file, **options)
    return file.getvalue()


def sections_of(text):
    """Return the lines under each heading."""
    return {lines[0]: lines[1:] for lines in (block.splitlines() for block in text.rstrip().split("\n\n")[1:])}


def products_in(text):
    """Return the place and the sizes of each product."""
    return [
        (place, int(inner), int(columns))
        for place, lines in sections_of(text).items()
        for inner, columns in re.findall(r"^  product .*\((\d+), (\d+)\)$", "\n".join(lines), re.MULTILINE)
    ]


class TwoInputs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.take = torch.nn.Linear(3, 4)

    def forward(self, x, h):
        values, time = x
        return torch.sigmoid(time) * h + torch.tanh(self.take(values))


class Sorting(torch.nn.Module):
    input_size = 4

    def forward(self, x, h):
        return torch.tanh(x + h.sort(1).values)


# --- places


def test_the_first_line_says_what_goes_in(capsys):
    describe(LSTMCell(3, 5), llvm=False)

    assert capsys.readouterr().out.splitlines()[0] == "LSTMCell: input (B, 3), state (B, 5), (B, 5), float32"
    assert text_of(GRUCell(2, 7).double()).startswith("GRUCell: input (B, 2), state (B, 7), float64\n\n")


def test_the_products_of_an_lstm_are_shown_where_they_run():
    text = text_of(LSTMCell(3, 5))

    assert products_in(text) == [(BEFORE, 3, 20), (LOOP, 5, 20), (BACKWARD, 20, 5)]


def test_an_input_that_wants_a_gradient_is_seen():
    text = text_of(LSTMCell(3, 5), torch.zeros(2, 3, requires_grad=True))

    assert products_in(text)[-1] == ("backward: after the loop, over all steps at once", 20, 3)


def test_each_line_of_the_trace_names_the_line_of_the_cell():
    traced = sections_of(text_of(LSTMCell(3, 5)))["the step, as traced"]
    source = inspect.getsourcefile(LSTMCell)
    sigmoids = [line for line in traced if " = sigmoid(" in line]

    assert len(sigmoids) == 3
    assert all(re.search(rf"{re.escape(source)}:\d+: ", line) for line in sigmoids)
    assert all("torch.sigmoid(" in line for line in sigmoids)
    assert not any(re.search(r" = torch\(", line) for line in traced)


def test_loops_sums_and_outputs_of_their_own_are_shown():
    text = text_of(Normed(), torch.zeros(2, 3, dtype=torch.float64))
    inside = "\n".join(sections_of(text)[LOOP])

    assert re.search(r"^  sum      over 4: .* = sum of ", inside, re.MULTILINE)
    assert re.search(r"^  sum      over 2: .* = amax of ", inside, re.MULTILINE)
    assert re.search(r"^  loop     over \d", inside, re.MULTILINE)
    assert "output = " in text


def test_a_running_sum_is_shown():
    class Running(torch.nn.Module):
        input_size = 4

        def forward(self, x, h):
            return torch.cumsum(x - h, 1)

    text = text_of(Running(), None, torch.zeros(2, 4))

    assert re.search(r"^  scan     over 4: new:0 = cumsum of ", text, re.MULTILINE)


def test_gradients_of_weights_are_shown_by_name():
    lines = sections_of(text_of(GRUCell(3, 5)))["gradients of weights, by torch over all steps at once"]

    assert [line.split(":")[0].strip() for line in lines] == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


def test_without_gradients_there_is_no_backward():
    with torch.no_grad():
        text = text_of(LSTMCell(3, 5))

    assert "backward" not in text.replace("kept for the backward pass: 0 bytes ()", "")
    assert "gradients of weights" not in text


# --- costs


@pytest.mark.parametrize(("input_size", "hidden_size"), [(3, 5), (16, 33)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_costs_of_an_lstm_are_those_of_its_equations(input_size, hidden_size, dtype):
    i, h, item = input_size, hidden_size, dtype.itemsize
    text = text_of(LSTMCell(i, h).to(dtype), torch.zeros(2, i, dtype=dtype, requires_grad=True))
    forward, backward, _, kept = sections_of(text)["for each row and step"]

    # read: x, the gates' sums, both states; written: those sums, both states, four gates
    assert (
        forward.split()
        == (
            f"forward {2 * 4 * h * (i + h)} floating-point operations in products; "
            f"{(i + 4 * h + 2 * h) * item} bytes read, {(4 * h + 2 * h + 4 * h) * item} written"
        ).split()
    )
    assert backward.split()[:5] == f"backward {2 * 4 * h * (i + h)} floating-point operations in".split()
    # read: two incoming gradients and the output's, four gates, c before and after; and the gates' gradients for x
    assert f" {(3 * h + 4 * h + 2 * h + 4 * h) * item} bytes read" in backward
    assert f" {(4 * h + 2 * h + i) * item} written" in backward
    # x, h, c before and after, four gates
    assert f"kept for the backward pass: {(i + 7 * h) * item} bytes" in kept
    assert all(slot in kept for slot in ("state:0", "state:1", "new:1", "x:0", "value:sigmoid_0", "value:tanh_0"))


@pytest.mark.parametrize(("kind", "gates"), [(ElmanCell, 1), (GRUCell, 3)])
def test_the_operations_of_other_cells_grow_with_their_gates(kind, gates):
    forward, backward, *_ = sections_of(text_of(kind(3, 5)))["for each row and step"]

    assert forward.split()[:2] == ["forward", str(2 * gates * 5 * (3 + 5))]
    assert backward.split()[:2] == ["backward", str(2 * gates * 5 * 5)]


# --- LLVM


def test_the_code_of_every_section_is_printed_on_request():
    text = text_of(LSTMCell(3, 5), llvm=True)
    titles = re.findall(r"^; (.+)$", text, re.MULTILINE)

    assert [title for title in titles if "loop" in title] == [BEFORE, LOOP, BACKWARD]
    assert text.count("define void @section") == 3
    assert "; ModuleID" in text
    assert "define void" not in text_of(LSTMCell(3, 5))


def test_the_code_is_what_llvm_made_of_it():
    text = text_of(LSTMCell(3, 5), llvm=True)

    # LLVM's own passes leave no variable in memory that a register can hold
    assert "alloca" not in text
    assert re.search(r"<\d+ x float>", text)
    assert re.search(r"<\d+ x double>", text_of(LSTMCell(3, 5).double(), llvm=True))


# --- arguments


def test_a_tuple_of_inputs_is_described():
    text = text_of(TwoInputs(), (torch.zeros(2, 3), torch.zeros(2, 1)), torch.zeros(2, 4))

    assert text.startswith("TwoInputs: input (B, 3), (B, 1), state (B, 4), float32\n")
    assert products_in(text)[0] == (BEFORE, 3, 4)


def test_a_state_may_be_given():
    text = text_of(torch.nn.LSTMCell(3, 5), torch.zeros(4, 3), (torch.zeros(4, 5), torch.zeros(4, 5)))

    assert "state (B, 5), (B, 5)" in text.splitlines()[0]


def test_torchs_own_cell_needs_no_input():
    assert text_of(torch.nn.GRUCell(3, 5)).startswith("GRUCell: input (B, 3), state (B, 5), float32\n")


def test_a_cell_that_does_not_say_its_input_size_is_refused():
    with pytest.raises(ArgumentError) as caught:
        describe(ResetBefore())

    assert caught.value.message == "describe expected ResetBefore to have an input_size, got none"
    assert caught.value.hint == "pass x, the input of one step"


def test_a_cell_that_cannot_be_compiled_is_refused():
    file = io.StringIO()

    with pytest.raises(UnsupportedCellError, match="sort"):
        describe(Sorting(), None, torch.zeros(2, 4), file=file)

    assert file.getvalue() == ""
