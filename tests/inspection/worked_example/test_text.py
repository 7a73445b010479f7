from __future__ import annotations

import numpy as np
import pytest
import torch

from recurra.cells import find_cell
from recurra.errors import ArgumentError
from recurra.inspection.equations.record_step import record_step
from recurra.inspection.worked_example import Row, example_text, work_example
from recurra.inspection.worked_example.symbols import given
from recurra.inspection.worked_example.text import row_text, shown_number


def worked(name, inputs, targets, hidden_size=3, **options):
    torch.manual_seed(0)
    cell = find_cell(name)(len(inputs[0]), hidden_size)
    return work_example(cell, record_step(cell), inputs, targets, **options)


def shown(array, equation="", relation="is", exact="", note="", width=80, digits=4):
    value = given(np.array(array, dtype=np.float64))
    row = Row("δW₁", r"\delta W_{1}", equation, "", value, relation, exact, "", note)
    return list(row_text(row, width, digits))


@pytest.fixture(scope="module")
def course():
    return worked("elman", [[4, 0, 0, 0], [0, 8, 2, 0]], [0, 1], init=0.1, output_size=2)


def test_the_exercise_reads_as_a_course_writes_it(course):
    text = "\n".join(example_text(course))

    for passage in (
        "Worked example: ElmanCell, 2 steps\n  Every parameter is 0.1.\n",
        "  W_xh = 0.1 in all 3 × 4 entries\n",
        "\nForward: step 2\n───────────────\n  x₂ = (0, 8, 2, 0)ᵀ\n",
        "    = 1.1 + 0.3 tanh 0.5 each ≈ (1.239, 1.239, 1.239)ᵀ\n",
        "  h₂ = tanh(z₂)\n    = tanh(1.1 + 0.3 tanh 0.5) each ≈ (0.8451, 0.8451, 0.8451)ᵀ\n",
        "  p₂ = softmax(y₂)\n    = (0.5, 0.5)ᵀ\n  L₂ = −log(q₂ᵀ p₂)\n    = log 2 ≈ 0.6931\n",
        "  L = L₁ + L₂\n    = 2 log 2 ≈ 1.386\n",
        "  δh₁ = W_yᵀ δy₁\n    = (0, 0, 0)ᵀ  (from the output)\n  δh₁ = (0, 0, 0)ᵀ  (from the future: step 2)\n",
        "  δW_y += δy₁ h₁ᵀ\n    this step adds ≈ ⎡−0.2311  −0.2311  −0.2311⎤\n"
        "                     ⎣ 0.2311   0.2311   0.2311⎦\n",
        "  δW_y ≈ ⎡ 0.1915   0.1915   0.1915⎤\n         ⎣−0.1915  −0.1915  −0.1915⎦  (the sum of 2 steps)\n",
        "\nChecked against torch: 14 numbers forward within ",
    ):
        assert passage in text


def test_the_backward_pass_begins_with_the_last_step(course):
    lines = list(example_text(course))

    assert lines.index("Backward: step 2") < lines.index("Backward: step 1")


def test_forward_alone_says_what_was_compared():
    *_, last = example_text(worked("elman", [[1, 2]], None))

    assert last.startswith("Checked against torch: 6 numbers forward within ")
    assert "autograd" not in last


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_asked(width):
    example = worked("lstm", [[0.123456, -1.5, 2.25, 1e-5, 3, 4]], [1], hidden_size=8)

    lines = list(example_text(example, width))

    assert max(map(len, lines)) <= width


def test_a_matrix_stands_in_aligned_columns():
    assert shown([[1, -0.25], [10.5, 3]]) == ["  δW₁ = ⎡   1  −0.25⎤", "        ⎣10.5      3⎦"]
    assert shown([[1, 2]]) == ["  δW₁ = [1  2]"]
    assert shown(np.arange(6).reshape(3, 2)) == ["  δW₁ = ⎡0  1⎤", "        ⎢2  3⎥", "        ⎣4  5⎦"]


def test_a_matrix_that_is_too_wide_is_parted_into_blocks_of_columns():
    lines = shown(np.arange(16).reshape(2, 8) + 0.12345, width=40)

    assert lines == [
        "  δW₁ ≈ ⎡0.1235  1.123  2.123  3.123 …",
        "        ⎣ 8.123  9.123  10.12  11.12 …",
        "         4.123  5.123  6.123  7.123⎤",
        "         12.12  13.12  14.12  15.12⎦",
    ]


def test_only_what_is_larger_than_eight_is_abbreviated():
    eight, nine = shown([[entry] for entry in range(8)]), shown([[entry] for entry in range(9)])

    assert eight == ["  δW₁ = (0, 1, 2, 3, 4, 5, 6, 7)ᵀ"]
    assert nine == ["  δW₁ = (0, 1, 2, 3, …, 7, 8)ᵀ"]


def test_large_matrices_show_their_corners():
    lines = shown(np.arange(100).reshape(10, 10))

    assert len(lines) == 7
    assert lines[0].endswith("⎡ 0   1   2   3  …   8   9⎤")
    assert "⋮" in lines[4]
    assert lines[-1].endswith("⎣90  91  92  93  …  98  99⎦")


def test_what_a_step_adds_and_what_it_becomes_is_told():
    assert shown([[1]], "δb += δz₁", "adds") == ["  δb += δz₁", "    this step adds 1"]
    assert shown([[1]], "δc₁ += δh₁", "becomes") == ["  δc₁ += δh₁", "    together 1"]


def test_exact_values_stand_before_the_numbers_and_notes_behind():
    third = 1 / 3
    assert shown([[third], [third]], exact="1/3", note="given") == ["  δW₁ = 1/3 each ≈ (0.3333, 0.3333)ᵀ  (given)"]
    assert shown([[third], [1]], exact="(1/3, 1)") == ["  δW₁ = (1/3, 1) ≈ (0.3333, 1)ᵀ"]
    assert shown([[third]], exact="1/3") == ["  δW₁ = 1/3 ≈ 0.3333"]
    assert shown([[third]], "δb += δz₁", "adds", "1/3") == ["  δb += δz₁", "    this step adds 1/3 ≈ 0.3333"]


def test_exact_values_that_do_not_fit_stand_above_the_numbers():
    lines = shown([[1 / 3, 2], [3, 1]], exact="a long form", width=40)

    assert lines == ["  δW₁ = a long form each", "      ≈ ⎡0.3333  2⎤", "        ⎣     3  1⎦"]


def test_numbers_that_are_rounded_stand_behind_a_sign_that_says_so():
    assert shown([[0.123456]], digits=4) == ["  δW₁ ≈ 0.1235"]
    assert shown([[0.123456]], digits=6) == ["  δW₁ = 0.123456"]
    assert shown([[0.5], [0.123456]], digits=2) == ["  δW₁ ≈ (0.5, 0.12)ᵀ"]
    # what float64 itself rounds is nothing that a reader sees
    assert shown([[0.1 + 0.2]]) == ["  δW₁ = 0.3"]


def test_few_digits_do_not_hide_the_exact_value():
    example = worked("elman", [[0.125, 0]], None, init=1.0)

    assert "    = 1.125 each ≈ (1.1, 1.1, 1.1)ᵀ" in example_text(example, digits=2)
    assert "    = (1.125, 1.125, 1.125)ᵀ" in example_text(example, digits=4)


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (0.5, 4, "0.5"),
        (-0.0, 4, "0"),
        (4.0, 4, "4"),
        (-1.23456, 3, "−1.23"),
        (1e-5, 4, "1·10⁻⁵"),
        (123456.0, 4, "1.235·10⁵"),
    ],
)
def test_numbers_have_significant_digits_and_no_idle_zeros(number, digits, text):
    assert shown_number(number, digits) == text


@pytest.mark.parametrize(("options", "name"), [({"width": 39}, "width"), ({"digits": 0}, "digits")])
def test_width_and_digits_are_checked(course, options, name):
    with pytest.raises(ArgumentError, match=f"example_text expected {name} to be an integer of at least"):
        list(example_text(course, **options))
