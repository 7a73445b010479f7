"""What is counted and measured of cells."""

import dataclasses
import sys
import types

import pytest
import torch

from recurra.cells import cell_names
from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection import TableSettings, iter_facts

COUNTED = TableSettings(input_size=3, hidden_size=8, measure=False)
MEASURED = TableSettings(input_size=3, hidden_size=4, batch_size=2, steps=5)


class Scaled(torch.nn.Module):
    """A cell from elsewhere: it names nothing, and multiplies a weight with a weight at each step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.first = torch.nn.Parameter(torch.ones(hidden_size, 10))
        self.second = torch.nn.Parameter(torch.ones(10, input_size))
        self.hidden_size = hidden_size

    def forward(self, x, state=None):
        state = x.new_zeros(x.shape[0], self.hidden_size) if state is None else state
        return torch.tanh(x @ (self.first @ self.second).T + state)


class Refusing(torch.nn.Module):
    def __init__(self, input_size, hidden_size):
        raise RuntimeError("no cell of this size")


class Sorting(torch.nn.GRUCell):
    source = "someone2030"

    def forward(self, x, state=None):
        return super().forward(x, state).sort(-1).values


def facts(name, settings):
    (found,) = iter_facts([name], settings)
    return found


def here(cls):
    return f"{cls.__module__}:{cls.__name__}"


@pytest.fixture(autouse=True)
def this_module(monkeypatch):
    # pytest imports this file so that its name cannot be imported
    module = types.ModuleType("cells_from_elsewhere")
    for cls in (Scaled, Refusing, Sorting):
        monkeypatch.setattr(cls, "__module__", module.__name__)
        setattr(module, cls.__name__, cls)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_an_lstm_is_counted_as_by_hand():
    found = facts("lstm", COUNTED)

    assert found.num_parameters == 4 * 8 * (3 + 8) + 2 * 4 * 8
    assert found.operations == 2 * 4 * 8 * (3 + 8)
    assert (found.states, found.gates, found.state_widths) == (("h", "c"), ("i", "f", "g", "o"), (8, 8))
    assert (found.class_name, found.reference, found.error) == ("LSTMCell", "Gers et al. 2000", "")


def test_without_measuring_nothing_is_said_of_engines():
    found = facts("gru", COUNTED)

    assert (found.is_native, found.obstacle, found.ms_per_step) == (None, "", None)


@pytest.mark.parametrize("name", cell_names())
def test_every_cell_is_counted_without_an_error(name):
    found = facts(name, COUNTED)

    assert found.error == ""
    assert found.operations > 0
    assert found.num_parameters > 0
    assert found.reference[-4:].isdigit()


def test_a_measured_cell_tells_its_time_and_engine():
    found = facts("gru", MEASURED)

    assert (found.is_native, found.obstacle, found.error) == (True, "", "")
    assert 0 < found.ms_per_step < 1000


def test_the_time_is_that_of_a_step(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("recurra.inspection.cell_table.time.perf_counter", lambda: next(clock))

    found = facts("elman", dataclasses.replace(MEASURED, engine="eager"))

    assert found.ms_per_step == 1000 / MEASURED.steps


def test_products_of_weights_with_weights_are_no_work_of_a_row():
    found = facts(here(Scaled), COUNTED)

    assert found.operations == 2 * 3 * 8
    assert (found.states, found.gates, found.reference, found.state_widths) == ((), (), "", (8,))


def test_torchs_own_cells_are_counted_too():
    found = facts("torch.nn:LSTMCell", COUNTED)

    assert found.operations == 2 * 4 * 8 * (3 + 8)
    assert found.state_widths == (8, 8)


def test_a_cell_that_fails_says_why_and_the_next_one_goes_on():
    failed, fine = iter_facts([here(Refusing), "elman"], COUNTED)

    assert failed.error == "RuntimeError: no cell of this size"
    assert failed.num_parameters is None
    assert fine.error == ""


def test_a_size_that_does_not_suit_is_an_error_of_its_row():
    found = facts("clockwork", TableSettings(hidden_size=2, measure=False))

    assert "expected hidden_size to be at least the number of periods, 4, got 2" in found.error
    assert (found.states, found.reference) == (("h", "t"), "Koutník et al. 2014")


def test_a_cell_without_native_code_says_why_and_is_measured_in_the_plain_loop():
    found = facts(here(Sorting), MEASURED)

    assert found.is_native is False
    assert "sort" in found.obstacle
    assert found.ms_per_step > 0
    assert (found.error, found.reference) == ("", "someone2030")


def test_an_engine_that_cannot_run_a_cell_leaves_out_its_time_alone():
    found = facts(here(Sorting), dataclasses.replace(MEASURED, engine="native"))

    assert found.ms_per_step is None
    assert found.obstacle
    assert found.error == ""
    other = facts("mgu", dataclasses.replace(MEASURED, engine="torch"))
    assert other.error.startswith("engine 'torch' cannot run MGUCell")
    assert other.is_native is True


def test_an_unknown_name_is_an_error_at_once():
    with pytest.raises(ChoiceError) as caught:
        iter_facts(["lstm", "ltsm"], COUNTED)

    assert caught.value.hint == "did you mean 'lstm'?"


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()

    list(iter_facts(["elman"], dataclasses.replace(COUNTED, num_threads=before + 1)))

    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["input_size", "hidden_size", "batch_size", "steps", "num_threads"])
def test_a_size_below_one_is_an_error(name):
    with pytest.raises(ArgumentError, match=f"TableSettings expected {name} to be an integer of at least 1, got 0"):
        TableSettings(**{name: 0})


def test_an_unknown_engine_is_an_error():
    with pytest.raises(ChoiceError, match="expected engine of TableSettings to be one of auto, native, eager, torch"):
        TableSettings(engine="fast")
