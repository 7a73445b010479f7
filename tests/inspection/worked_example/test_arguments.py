from __future__ import annotations

import numpy as np
import pytest
import torch

from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection.worked_example.arguments import read_inputs, read_targets


def read(inputs, max_steps=12):
    return read_inputs(inputs, ("x",), (2,), max_steps)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_inputs_become_columns_whatever_holds_them(kind):
    steps = read(kind([[1, 2.5], [3, -4]]))

    assert [step[0].tolist() for step in steps] == [[[1.0], [2.5]], [[3.0], [-4.0]]]


def test_an_input_of_one_number_needs_no_list():
    steps = read_inputs([1, 2], ("x",), (1,), 12)

    assert [step[0].tolist() for step in steps] == [[[1.0]], [[2.0]]]


def test_each_step_of_several_inputs_has_a_list_for_each():
    ((x, time),) = read_inputs([[[1, 2], [0.5]]], ("x", "time"), (2, 1), 12)

    assert (x.tolist(), time.tolist()) == ([[1.0], [2.0]], [[0.5]])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], r"at least one step of 2 numbers for x, got \[\]\nhint: one step is \[\[0, 0\]\]"),
        (3, "at least one step of 2 numbers for x, got 3"),
        ([[1, 2], [3]], r"expected 2 numbers for x in step 2 of inputs, got 1: \[3\]"),
        ([1, 2], "expected 2 numbers for x in step 1 of inputs, got 1$"),
        ([[1, 2, 3], [4, 5, 6]], r"got 3: \[1, 2, 3\]\nhint: build the cell with input_size=3"),
        ([[1, float("nan")]], "expected finite numbers for x in step 1 of inputs, got nan"),
        ([[1, float("inf")]], "got inf"),
        ([[1, 10**400]], "expected finite numbers for x in step 1 of inputs, got an integer beyond float64"),
        ([[1, True]], "got True"),
        ([[1, "2"]], "got '2'"),
        ([[1, [2]]], r"got \[2\]"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs, message):
    with pytest.raises(ArgumentError, match=message):
        read(inputs)


def test_ragged_inputs_get_no_hint_about_the_cell():
    with pytest.raises(ArgumentError) as error:
        read([[1, 2, 3], [4, 5]])

    assert error.value.hint == ""


def test_too_long_a_sequence_names_the_limit_and_the_option():
    message = r"at most max_steps=2 steps, which are all printed, got 3\nhint: .*\(--max-steps 3\)"

    with pytest.raises(ArgumentError, match=message):
        read([[1, 2]] * 3, max_steps=2)


def test_max_steps_is_a_whole_number():
    with pytest.raises(ArgumentError, match="expected max_steps to be an integer of at least 1, got 0"):
        read([[1, 2]], max_steps=0)


@pytest.mark.parametrize("step", [[[1, 2]], [], 4])
def test_a_step_of_several_inputs_must_have_them_all(step):
    with pytest.raises(ArgumentError, match=r"2 numbers for x and 1 number for time in each step, got .* in step 1"):
        read_inputs([step], ("x", "time"), (2, 1), 12)


def test_whole_numbers_are_classes_and_others_are_values():
    classes = read_targets([2, 0], 2, "many-to-many", "auto", None)
    values = read_targets([2.0, 0.5], 2, "many-to-many", "auto", None)
    vectors = read_targets([[1, 2], [3, 4]], 2, "many-to-many", "auto", None)

    assert (classes.loss, classes.classes) == ("cross-entropy", (2, 0))
    assert [column.ravel().tolist() for column in classes.columns] == [[0, 0, 1], [1, 0, 0]]
    assert (values.loss, [column.ravel().tolist() for column in values.columns]) == ("squared-error", [[2.0], [0.5]])
    assert [column.ravel().tolist() for column in vectors.columns] == [[1, 2], [3, 4]]


def test_there_are_two_classes_at_least():
    targets = read_targets([0], 1, "many-to-many", "auto", None)

    assert targets.columns[0].shape == (2, 1)


def test_whole_numbers_are_values_where_squared_errors_are_asked_for():
    targets = read_targets([1, 0], 2, "many-to-many", "squared-error", None)

    assert targets.loss == "squared-error"
    assert [column.ravel().tolist() for column in targets.columns] == [[1.0], [0.0]]


@pytest.mark.parametrize("targets", [1, [1]])
def test_many_to_one_has_a_target_in_the_last_step_only(targets):
    found = read_targets(targets, 3, "many-to-one", "auto", None)

    assert [found.at(1), found.at(2)] == [None, None]
    assert found.at(3).ravel().tolist() == [0, 1]


def test_many_to_one_takes_a_vector_as_it_is():
    found = read_targets([0.5, 1.5], 3, "many-to-one", "auto", 2)

    assert found.at(3).ravel().tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ([0], {}, r"one for each of the 2 steps, got 1: \[0\]"),
        (0, {}, "one for each of the 2 steps, got 0"),
        ([0, 1.5], {}, r"got both: \[0, 1.5\]\nhint: write 1.0 for a value"),
        ([0, -1], {}, r"expected targets\[1\] to be a class from 0 to 1, got -1$"),
        ([0, 10**6], {}, r"targets\[1\] to be a class from 0 to 999, got 1000000\nhint: raise output_size to 1000001"),
        ([0, 10**400], {}, r"targets\[1\] to be a class from 0 to 999, got an integer beyond float64$"),
        ([[0.5], [10**400]], {}, r"expected finite numbers for targets\[1\], got an integer beyond float64"),
        ([0, 2], {"output_size": 2}, r"targets\[1\] to be a class from 0 to 1, got 2\nhint: raise output_size to 3"),
        ([0.5, 1.5], {"loss": "cross-entropy"}, r"whole numbers\) for cross-entropy, got \[0.5, 1.5\]"),
        ([[1.0, 2.0], [3.0]], {}, r"expected 2 numbers for targets\[1\], got 1: \[3.0\]"),
        ([0.5, float("nan")], {}, r"expected finite numbers for targets\[1\], got nan"),
        ([True, False], {}, r"expected finite numbers for targets\[0\], got True"),
        (["a", "b"], {}, r"targets\[0\], got 'a'"),
        ([0, 1], {"output_size": 0}, "expected output_size to be an integer of at least 1, got 0"),
        ([0, 1], {"form": "many-to-one"}, r"to be one, for the last step, got 2: \[0, 1\]"),
    ],
)
def test_targets_that_do_not_fit_are_named(targets, options, message):
    settings = {"form": "many-to-many", "loss": "auto", "output_size": None} | options

    with pytest.raises(ArgumentError, match=message):
        read_targets(targets, 2, **settings)


@pytest.mark.parametrize(("option", "what"), [("form", "form of a worked example"), ("loss", "loss")])
def test_an_unknown_form_or_loss_lists_the_choices(option, what):
    settings = {"form": "many-to-many", "loss": "auto", "output_size": None} | {option: "some"}

    with pytest.raises(ChoiceError, match=f"expected {what} to be one of .*; got 'some'"):
        read_targets([0, 1], 2, **settings)
