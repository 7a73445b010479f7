from __future__ import annotations

import pytest

from recurra.inspection.equations.plain import plain_line
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.worked_example.readout import build_readout

H = Symbol("h", 0, kind="state")


def test_classes_have_a_softmax_and_its_cross_entropy():
    readout = build_readout(H, 3, 2, "cross-entropy", ["h", "x", "W_xh"])

    assert [plain_line(line) for line in readout.lines] == [
        "yₜ = W_y hₜ + b_y",
        "pₜ = softmax(yₜ)",
        "Lₜ = −log(qₜᵀ pₜ)",
    ]
    assert [plain_line(line) for line in readout.gradients] == ["δyₜ = pₜ − qₜ", "δW_y += δyₜ hₜᵀ", "δb_y += δyₜ"]
    assert plain_line(readout.arriving) == "δhₜ = W_yᵀ δyₜ"
    assert readout.shapes == {Symbol("W_y"): (2, 3), Symbol("b_y"): (2, 1)}


def test_values_have_half_the_sum_of_squared_errors():
    readout = build_readout(H, 3, 1, "squared-error", ["h"])

    assert [plain_line(line) for line in readout.lines] == ["yₜ = W_y hₜ + b_y", "Lₜ = 0.5 · Σ((yₜ − qₜ)²)"]
    assert plain_line(readout.gradients[0]) == "δyₜ = yₜ − qₜ"


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        (["y"], "u"),
        (["W_y"], "u"),
        (["b_y", "u"], "v"),
        (["y", "u", "v"], "readout"),
        (["y", "u", "v", "readout"], "readout′"),
    ],
)
def test_names_of_the_cell_are_not_taken(taken, name):
    assert build_readout(H, 3, 1, "squared-error", taken).output.name == name


def test_probabilities_targets_and_loss_give_way_too():
    readout = build_readout(H, 3, 2, "cross-entropy", ["p", "q", "L"])

    assert [line.target.name for line in readout.lines] == ["y", "prob", "loss"]
    assert readout.target.name == "target"
    assert readout.total.name == "loss"
