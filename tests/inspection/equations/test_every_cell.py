"""The equations of every registered cell, parsed as printed, against the cell and its autograd."""

from __future__ import annotations

import pytest
import torch

from recurra.cells import cell_names, find_cell
from recurra.inspection.equations.checking import check_equations
from recurra.inspection.equations.parsing import parse_line
from recurra.inspection.equations.plain import plain_line
from recurra.inspection.explanation import Explanation, explain_cell

OPTIONS = {
    "on-lstm": [{}, {"chunk_size": 2}],
    "rhn": [{}, {"depth": 1}],
    "qrnn": [{}, {"window": 3}],
}
SIZES = [(3, 8), (8, 8), (4, 1), (1, 1)]
WITHOUT_INNER_PRODUCTS = {"lru"}
LEAST_HIDDEN_SIZE = {"clockwork": 4, "projected-lstm": 2}


def explained(name: str, input_size: int, hidden_size: int, **options: object) -> Explanation:
    torch.manual_seed(0)
    cell = find_cell(name)(input_size, hidden_size, **options)
    with torch.no_grad():
        for parameter in cell.parameters():
            # blocks that start at zero would hide what they are multiplied with
            parameter.add_(0.3 * torch.randn_like(parameter))
    return explain_cell(cell)


@pytest.mark.parametrize("name", cell_names())
@pytest.mark.parametrize(("input_size", "hidden_size"), SIZES)
def test_printed_equations_give_the_step_and_its_derivative(name: str, input_size: int, hidden_size: int) -> None:
    explanation = explained(name, input_size, max(hidden_size, LEAST_HIDDEN_SIZE.get(name, 1)))

    checks = [
        check_equations(explanation.cell, explanation.step, explanation.forward, explanation.backward, seed=seed)
        for seed in (1, 2)
    ]

    assert max(check.forward for check in checks) < 1e-12, checks
    # the norm of a single unit is 0 but for rounding, and its derivative a quotient of such numbers
    assert max(check.backward for check in checks) < (1e-9 if hidden_size == 1 else 1e-11), checks


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name, many in OPTIONS.items() for options in many if options]
)
def test_options_change_the_equations_and_not_that_they_hold(name: str, options: dict[str, object]) -> None:
    assert explained(name, 3, 8, **options).check.is_good


@pytest.mark.parametrize("name", cell_names())
def test_equations_hold_without_biases(name: str) -> None:
    check = explained(name, 3, 8, bias=False, **({"highway_bias": 0} if name.startswith("sru") else {})).check

    assert check.is_good


@pytest.mark.parametrize("name", ["phased-lstm", "phased-lstm-gated"])
def test_evaluation_mode_has_equations_of_its_own(name: str) -> None:
    explanation = explain_cell(find_cell(name)(3, 4).eval())

    gate = next(plain_line(line) for line in explanation.step.lines if line.target.name == "k")

    assert gate.endswith("else 0))")


@pytest.mark.parametrize("name", cell_names())
def test_every_assignment_can_keep_its_line(name: str) -> None:
    cell = find_cell(name)(3, 8)

    explanation = explain_cell(cell, every_assignment=True)

    shorter = explain_cell(cell).step.lines
    assert explanation.check.is_good
    # only what has no product inside an activation is written alike
    assert len(explanation.step.lines) > len(shorter) or name in WITHOUT_INNER_PRODUCTS


@pytest.mark.parametrize("name", cell_names())
def test_states_weights_and_gates_go_by_the_names_of_the_class(name: str) -> None:
    step = explained(name, 3, 8).step

    assert tuple(symbol.name for symbol in step.entering) == find_cell(name).states
    assert [symbol.name for symbol in step.leaving] == [symbol.name for symbol in step.entering]
    paths = {path for path, _ in find_cell(name)(3, 8).named_parameters()}
    # what a sequence starts from is no part of a step
    assert {block.path for block in step.weights.values() if block.is_parameter} == {
        path for path in paths if not path.startswith("initial_")
    }


@pytest.mark.parametrize("name", cell_names())
def test_a_wrong_equation_is_noticed(name: str) -> None:
    explanation = explained(name, 3, 8)
    lines = list(explanation.step.lines)
    broken = next(k for k, line in enumerate(lines) if line.target == explanation.step.leaving[0])
    lines[broken] = parse_line(f"{plain_line(lines[broken])} + 0.001")

    check = check_equations(explanation.cell, explanation.step, lines)

    assert not check.is_good


@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "mut1", "lru", "scrn", "layer-norm-rnn", "on-lstm", "slstm"])
def test_a_wrong_gradient_is_noticed(name: str) -> None:
    explanation = explained(name, 3, 8)

    for k, line in enumerate(explanation.backward):
        backward = list(explanation.backward)
        backward[k] = parse_line(plain_line(line).replace("= ", "= 1.001 · (", 1) + ")")
        check = check_equations(explanation.cell, explanation.step, explanation.forward, backward)
        assert not check.is_good, plain_line(line)
