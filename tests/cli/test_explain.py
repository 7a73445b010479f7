"""``recurra explain``."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from recurra.cli.explain import targets_of
from recurra.cli.main import main
from recurra.errors import ArgumentError

CELL = """
import torch


class OwnCell(torch.nn.Module):
    \"\"\"Forgets a little at every step.\"\"\"

    def __init__(self, input_size, hidden_size, keep=0.5):
        super().__init__()
        self.input_size, self.hidden_size, self.keep = input_size, hidden_size, keep
        self.inner = torch.nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return self.inner.weight.new_zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        n = torch.tanh(self.inner(x))
        return self.keep * h + (1 - self.keep) * n


class Bessel(OwnCell):
    def forward(self, x, h):
        return torch.special.i0(self.inner(x)) + h


class NoCell:
    pass
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "cells_of_my_own.py").write_text(CELL, encoding="utf-8")
    return "cells_of_my_own"


def test_a_cell_is_explained_on_standard_output(capsys):
    assert main(["explain", "gru"]) == 0

    said = capsys.readouterr()
    assert said.out.startswith("gru: GRUCell (Cho et al. 2014)\n")
    assert "    rₜ = σ(W_xr xₜ + b_xr + W_hr hₜ₋₁ + b_hr)\n" in said.out
    assert said.out.endswith("\n")
    assert said.err == ""


def test_a_cell_in_a_file_beside_is_found(capsys, own):
    assert main(["explain", f"{own}:OwnCell", "--cell-options", "keep=0.75"]) == 0

    said = capsys.readouterr().out
    assert "Forgets a little at every step." in said
    assert "    hₜ = 0.75 · hₜ₋₁ + 0.25 · nₜ\n" in said


def test_a_worked_example(capsys):
    command = ["--inputs", "[[4,0,0,0],[0,8,2,0]]", "--targets", "0,1", "--hidden-size", "3", "--output-size", "2"]

    assert main(["explain", "elman", "--init", "0.1", *command]) == 0

    said = capsys.readouterr().out
    assert "1.1 + 0.3 tanh 0.5 each" in said
    assert "Equations" not in said


@pytest.mark.parametrize("ending", ["html", "tex", "svg", "txt"])
def test_the_ending_of_the_file_tells_the_format(ending, tmp_path, capsys):
    path = tmp_path / f"net.{ending}"

    assert main(["explain", "elman", "--unfold", "2", "--output", str(path)]) == 0

    text = path.read_text(encoding="utf-8")
    begins = {"html": "<!DOCTYPE html>", "tex": r"\documentclass", "svg": "<svg", "txt": "elman: ElmanCell"}
    assert begins[ending].lower() in text[:200].lower()
    assert capsys.readouterr().err.replace("\n", "") == f"wrote {path}"
    assert [found.name for found in tmp_path.iterdir() if "part" in found.name] == []


def test_a_drawing_on_standard_output(capsys):
    assert main(["explain", "lstm", "--format", "svg", "--unfold", "3", "--num-layers", "2"]) == 0

    assert ElementTree.fromstring(capsys.readouterr().out).tag.endswith("svg")


def test_a_file_that_is_there_is_replaced(tmp_path):
    path = tmp_path / "elman.txt"
    path.write_text("old", encoding="utf-8")

    assert main(["explain", "elman", "--output", str(path)]) == 0

    assert path.read_text(encoding="utf-8").startswith("elman")


def test_gates(capsys):
    assert main(["explain", "phased-lstm", "--gate"]) == 0

    said = capsys.readouterr().out
    assert "k of unit 1 over time: τ = " in said
    assert "Equations" not in said


def test_a_run_shows_how_it_reads(trained, capsys):
    assert main(["explain", str(trained), "--input", "The cat"]) == 0

    said = capsys.readouterr()
    assert "T" in said.out
    assert said.out.count("\n") > 7


def test_a_run_as_a_page(trained, tmp_path):
    path = tmp_path / "reading.html"

    assert main(["explain", str(trained), "--input", "The <cat>", "--output", str(path)]) == 0

    text = path.read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html>")
    assert "&lt;" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lstmm"], "did you mean 'lstm'?"),
        (["torch.nn:Linear"], "expected a cell, got Linear, whose forward takes (input)"),
        (["torch.nn:Linear"], "hint: a cell is a torch.nn.Module that is built as Class(input_size, hidden_size"),
        (["cells_of_my_own:NoCell"], "expected class in cells_of_my_own to be one of Bessel, OwnCell; got 'NoCell'"),
        (["cells_of_my_own:OwnCell", "--cell-options", "deep=1"], "OwnCell(3, 4, deep=1) was expected to build a cell"),
        (["cells_of_my_own:Bessel"], "got i0 at "),
        (["cells_of_my_own:Bessel"], "return torch.special.i0(self.inner(x)) + h, since none is known"),
        (["no_such_module:Cell"], "ModuleNotFoundError: No module named 'no_such_module'"),
        (["lstm", "--inputs", "[[1, 2]"], "explain expected --inputs as JSON, got '[[1, 2]'"),
        (["lstm", "--inputs", "[[1, 2], [1]]"], "expected 2 numbers for x in step 2 of inputs, got 1"),
        (["lstm", "--inputs", "[[1]]", "--input-size", "2"], "expected 2 numbers for x in step 1 of inputs, got 1"),
        (["lstm", "--inputs", json.dumps([[1]] * 13)], "raise max_steps (--max-steps 13)"),
        (["lstm", "--inputs", "[[1]]", "--targets", "x"], "explain expected --targets as JSON"),
        (["lstm", "--targets", "0"], "explain expected inputs with the targets, got none"),
        (["lstm", "--cell-options", "x"], "explain expected --cell-options as name=value, got 'x'"),
        (
            ["lstm", "--output", "missing/x.html"],
            "explain expected --output in a folder that exists, got missing/x.html",
        ),
        (["lstm", "--output", "x.pdf"], "expected ending of --output to be one of .txt, .tex, .html, .htm, .svg"),
        (["lstm", "--output", "x"], "explain expected --format with the file x, got none"),
        (["lstm", "--format", "svg"], "ask for --unfold 3, --fold or --gate"),
        (["lstm", "--unfold", "0"], "explain expected unfold to be an integer of at least 1, got 0"),
        (["lru", "--gate"], "response curves expected a cell with gates"),
        (["lstm", "--input", "text"], "there is no run at lstm"),
    ],
)
def test_wrong_use_says_what_is_wrong(arguments, message, fails, own):
    code, said = fails("explain", *arguments)

    assert code == 2
    assert message in said


def test_a_run_needs_a_text(trained, fails):
    code, said = fails("explain", trained)

    assert code == 2
    assert "explain expected --input with the run" in said


def test_a_run_has_no_latex(trained, fails):
    code, said = fails("explain", trained, "--input", "x", "--format", "latex")

    assert code == 2
    assert "expected format of a run to be one of" in said


def test_an_empty_text_is_refused(trained, fails):
    code, said = fails("explain", trained, "--input", "")

    assert code == 2
    assert "read_text expected" in said


def test_a_wrong_format_writes_nothing(fails, tmp_path, own):
    code, _ = fails("explain", f"{own}:Bessel", "--output", tmp_path / "x.html")

    assert code == 2
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    ("text", "targets"), [("0,1", [0, 1]), ("3", [3]), ("[[0.5],[1]]", [[0.5], [1]]), (" 0, 2 ", [0, 2])]
)
def test_targets_are_numbers_or_lists(text, targets):
    assert targets_of(text) == targets


def test_targets_that_are_neither():
    with pytest.raises(ArgumentError, match="explain expected --targets as JSON"):
        targets_of("a,b")
