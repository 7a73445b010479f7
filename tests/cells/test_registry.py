"""Names of cells, and classes that a user names."""

import sys

import pytest
import torch

import recurra.cells
from recurra.cells import ElmanCell, GRUCell, cell_aliases, cell_names, find_cell, register
from recurra.cells import registry as registry_module
from recurra.errors import ArgumentError, ChoiceError


@pytest.fixture
def empty_registry(monkeypatch):
    monkeypatch.setattr(registry_module, "_classes", {})
    monkeypatch.setattr(registry_module, "_first_names", [])


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text, name="my_cells_for_the_registry"):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


def test_the_registered_names_are_known():
    assert set(cell_names()) >= {"elman", "elman-relu", "gru", "lstm", "projected-lstm"}
    assert list(cell_names()) == sorted(cell_names())


def test_a_second_name_means_the_same_class_and_is_not_listed():
    assert find_cell("rnn") is find_cell("elman") is ElmanCell
    assert "rnn" not in cell_names()


def test_the_other_names_of_a_cell_are_told():
    assert cell_aliases("elman") == ("rnn",)
    assert cell_aliases("gru") == ()
    with pytest.raises(ChoiceError) as caught:
        cell_aliases("elmam")
    assert caught.value.hint == "did you mean 'elman'?"


def test_a_class_passes_through():
    assert find_cell(GRUCell) is GRUCell
    assert find_cell(torch.nn.LSTMCell) is torch.nn.LSTMCell


def test_an_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(ChoiceError) as caught:
        find_cell("ltsm")

    assert caught.value.message.startswith(f"expected cell to be one of {cell_names()[0]}, ")
    assert ", elman, elman-relu, " in caught.value.message
    assert caught.value.message.endswith("got 'ltsm'")
    assert caught.value.hint == "did you mean 'lstm'?"


def test_a_class_of_a_users_module_is_imported(user_module):
    name = user_module("import torch\n\nclass Mine(torch.nn.GRUCell):\n    pass\n")

    assert find_cell(f"{name}:Mine").__mro__[1] is torch.nn.GRUCell


def test_a_missing_class_lists_the_cells_of_the_module(user_module):
    name = user_module("import torch\n\nclass Mine(torch.nn.GRUCell):\n    pass\n\nother = 3\n")

    with pytest.raises(ChoiceError, match=f"expected class in {name} to be one of Mine; got 'Mime'") as caught:
        find_cell(f"{name}:Mime")
    assert caught.value.hint == "did you mean 'Mine'?"
    with pytest.raises(ChoiceError, match="got 'other'"):
        find_cell(f"{name}:other")


@pytest.mark.parametrize(
    ("text", "reason"), [("raise RuntimeError('no licence')", "RuntimeError: no licence"), ("def (", "SyntaxError: ")]
)
def test_a_module_that_fails_to_import_gives_its_reason(user_module, text, reason):
    name = user_module(text)

    with pytest.raises(
        ArgumentError, match=f"'{name}:Mine' to name a module that can be imported, got {reason}"
    ) as caught:
        find_cell(f"{name}:Mine")
    assert caught.value.__cause__ is not None


def test_a_module_that_is_not_there_gives_its_reason():
    with pytest.raises(ArgumentError, match="got ModuleNotFoundError: No module named 'no_such_module_here'"):
        find_cell("no_such_module_here:Cell")


def test_an_instance_is_an_error_with_a_hint():
    with pytest.raises(
        ArgumentError, match=r"expected cell to be a name or a class of torch.nn.Module, got GRUCell"
    ) as caught:
        find_cell(GRUCell(3, 4))

    assert caught.value.hint == "pass its class, and its arguments as options"


@pytest.mark.parametrize("value", [3, None, int])
def test_something_else_is_an_error(value):
    with pytest.raises(ArgumentError, match=r"find_cell expected cell to be a name or a class of torch.nn.Module, got"):
        find_cell(value)


@pytest.mark.usefixtures("empty_registry")
def test_registering_makes_a_class_known_under_all_its_names():
    @register("first", "second")
    class Mine(torch.nn.GRUCell):
        pass

    assert find_cell("first") is find_cell("second") is Mine
    assert cell_names() == ("first",)


@pytest.mark.usefixtures("empty_registry")
def test_a_name_that_is_taken_is_an_error():
    register("mine")(torch.nn.GRUCell)

    with pytest.raises(ArgumentError, match="register expected a free name, got 'mine', the name of GRUCell"):
        register("mine")


@pytest.mark.parametrize("name", ["a:b", ""])
def test_a_name_with_a_colon_or_no_letter_is_an_error(name):
    with pytest.raises(ArgumentError, match=f"register expected a name without a colon, got '{name}'"):
        register(name)


def test_registering_without_a_name_is_an_error():
    with pytest.raises(ArgumentError, match="register expected at least one name, got none"):
        register()


def test_registering_what_is_no_module_is_an_error():
    with pytest.raises(ArgumentError, match=r"register expected a class of torch.nn.Module, got <class 'int'>"):
        register("number-for-this-test")(int)
    assert "number-for-this-test" not in cell_names()


def test_the_public_names_are_exact():
    public = {name for name in vars(recurra.cells) if not name.startswith("_")}
    modules = {name for name in public if isinstance(vars(recurra.cells)[name], type(sys))}

    assert set(recurra.cells.__all__) == public - modules - {"annotations"}
    assert recurra.cells.__all__ == sorted(recurra.cells.__all__)
