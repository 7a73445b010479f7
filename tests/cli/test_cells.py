"""``recurra cells`` and ``recurra cite``."""

import json
import sys
import types

import pytest
import torch

from recurra.cells import cell_names, find_reference
from recurra.cells.references import MODIFIERS
from recurra.cli.cite import CiteOptions
from recurra.cli.main import main

SMALL = ["--input-size", "3", "--hidden-size", "4", "--batch-size", "2", "--steps", "5"]


@pytest.fixture
def elsewhere(monkeypatch):
    module = types.ModuleType("my_cells_for_the_command")

    class Mine(torch.nn.GRUCell):
        pass

    class Sorting(torch.nn.GRUCell):
        def forward(self, x, state=None):
            return super().forward(x, state).sort(-1).values

    module.Mine, module.Sorting = Mine, Sorting
    module.Other = type("Other", (Mine,), {"source": "someone2030"})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.__name__


def rows(text):
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


def test_all_cells_are_listed_with_their_sizes(capsys):
    assert main(["cells", "--no-measure"]) == 0

    said = capsys.readouterr()
    names = [line.split()[0] for line in said.out.splitlines() if not line.startswith(" ")]
    # a long name is wrapped at a hyphen
    assert set(cell_names()) - set(names) <= {"multiplicative-lstm-inside"}
    assert rows(said.out)["gru"].split() == [
        "gru",
        "h",
        "r",
        "z",
        "n",
        "241,200",
        "480,000",
        "Cho",
        "et",
        "al.",
        "2014",
    ]
    assert "native" not in said.out
    assert said.err == ""
    assert max(map(len, said.out.splitlines())) <= 100


def test_a_measured_table_fits_and_shows_time_and_engine(capsys):
    names = ["gru", "nas", "multiplicative-lstm-inside"]

    assert main(["cells", *names, *SMALL]) == 0

    said = capsys.readouterr()
    head, *_ = said.out.splitlines()
    gru = rows(said.out)["gru"].split()
    assert head.split()[-2:] == ["native", "ms/step"]
    assert gru[-2] == "yes"
    assert float(gru[-1]) > 0
    assert max(map(len, said.out.splitlines())) <= 100
    assert said.err == "measuring 3 cells: 2 rows, 5 steps, widths 3 and 4, engine auto\n"
    assert "\u2026" not in said.out


def test_json_holds_the_settings_and_every_fact(capsys, elsewhere):
    assert main(["cells", "elman", f"{elsewhere}:Mine", *SMALL, "--engine", "eager", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["hidden_size"], found["engine"], found["measure"]) == (4, "eager", True)
    elman, mine = found["cells"]
    assert (elman["num_parameters"], elman["operations"]) == (4 * 7 + 8, 2 * 4 * 7)
    assert (elman["reference"], elman["is_native"], elman["error"]) == ("Elman 1990", True, "")
    assert (mine["name"], mine["class_name"], mine["states"]) == (f"{elsewhere}:Mine", "Mine", [])


def test_a_cell_that_a_size_does_not_suit_does_not_end_the_command(capsys):
    assert main(["cells", "clockwork", "elman", "--hidden-size", "2", "--no-measure"]) == 0

    out = capsys.readouterr().out
    assert rows(out)["clockwork"].endswith("failed, see below")
    assert "clockwork: ClockworkCell expected hidden_size to be at least the number of periods, 4, got 2\n" in out
    assert rows(out)["elman"].split()[-2:] == ["Elman", "1990"]


def test_what_keeps_a_cell_from_native_code_stands_below_the_table(capsys, elsewhere):
    assert main(["cells", f"{elsewhere}:Sorting", *SMALL]) == 0

    out = capsys.readouterr().out
    assert " no " in out
    assert f"\n{elsewhere}:Sorting: " in out
    assert "aten.sort" in out


@pytest.mark.parametrize("command", ["cells", "cite"])
def test_an_unknown_cell_is_refused_with_a_suggestion(fails, command):
    code, said = fails(command, "lstm", "gruu")

    assert code == 2
    assert "did you mean 'gru'?" in said
    assert "measuring" not in said


def test_a_size_that_is_none_is_refused(fails):
    code, said = fails("cells", "--hidden-size", "0")

    assert code == 2
    assert "expected hidden_size to be an integer of at least 1, got 0" in said


def test_an_entry_is_printed_once_and_in_the_order_given(capsys):
    assert main(["cite", "zoneout", "rnn", "gru", "elman", "gru-reset-before"]) == 0

    keys = ["krueger2017zoneout", "elman1990finding", "cho2014learning"]
    assert capsys.readouterr().out == "\n\n".join(find_reference(key).bibtex for key in keys) + "\n"


def test_citing_nothing_is_refused(fails):
    code, said = fails("cite")

    assert code == 2
    assert "cite expected at least one name of a cell, got none" in said
    assert "recurra cells --no-measure" in said


def test_an_unknown_modifier_is_refused_with_a_suggestion(fails):
    code, said = fails("cite", "zonout")

    assert code == 2
    assert "expected cell or modifier to be one of " in said
    assert "did you mean 'zoneout'?" in said


def test_a_cell_from_elsewhere_without_a_source_is_refused(fails, elsewhere):
    code, said = fails("cite", f"{elsewhere}:Mine")

    assert code == 2
    assert f"cite expected {elsewhere}:Mine to name its source, got none" in said


def test_a_source_that_is_not_in_the_bibliography_is_refused(fails, elsewhere):
    code, said = fails("cite", f"{elsewhere}:Other")

    assert code == 2
    assert "expected source to be one of " in said
    assert "got 'someone2030'" in said


def test_the_help_names_every_modifier(capsys):
    assert main(["cite", "--help"]) == 0

    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert all(name in text for name in MODIFIERS)
    assert CiteOptions.names == ()
