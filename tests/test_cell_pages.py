"""The pages of the cells in docs/cells."""

from __future__ import annotations

import re

import pytest
import torch
from docs.generate_cells import (
    FOLDER,
    describe_filler,
    main,
    render,
    stale,
    to_markdown,
)

import recurra
from recurra.cells import cell_aliases, cell_names, find_cell, find_reference
from recurra.cells.gates import constant, fill_orthogonal, normal, uniform

PAGES = render()
every_cell = pytest.mark.parametrize("name", cell_names())


def test_the_pages_are_up_to_date(capsys):
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_every_cell_has_a_page_and_every_page_a_cell():
    assert {path.stem for path in FOLDER.glob("*.md")} == {"README", *cell_names()}


def test_stale_missing_and_superfluous_pages_are_reported_and_put_right(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("docs.generate_cells.render", lambda: PAGES)
    folder = tmp_path / "cells"
    assert main(["--check"], folder) == 1
    assert not folder.exists()

    assert main([], folder) == 0
    assert main(["--check"], folder) == 0
    (folder / "gru.md").write_text("old", encoding="utf-8")
    (folder / "lstm.md").unlink()
    (folder / "no-cell.md").write_text("", encoding="utf-8")
    capsys.readouterr()

    assert main(["--check"], folder) == 1
    assert capsys.readouterr().err == "gru.md, lstm.md, no-cell.md stale; run python docs/generate_cells.py\n"
    assert main([], folder) == 0
    assert stale(PAGES, folder) == []


@every_cell
def test_a_page_holds_equations_parameters_and_citation(name):
    text = PAGES[f"{name}.md"]
    cell_class = find_cell(name)
    cell = cell_class(3, 8)

    assert text.startswith(f"# {name}\n")
    assert all(line in text for line in re.findall(r"^ {8}(\w+ = .*)$", cell_class.__doc__, re.MULTILINE))
    assert all(f"| `{state}` |" in text for state in cell_class.states)
    assert all(f"| `{key}` |" in text for key, _ in cell.named_parameters())
    assert all(f"`{alias}`" in text for alias in cell_aliases(name))
    assert find_reference(cell_class.source).bibtex in text
    assert "``" not in text.replace("```", "")
    assert "None" not in re.sub(r"`None`", "", text.split("## States")[1])


@every_cell
def test_the_example_of_a_page_runs_and_its_states_are_named_rightly(name):
    code = re.search(r"## Use\n\n```python\n(.*?)```", PAGES[f"{name}.md"], re.DOTALL)[1]
    names = {"recurra": recurra, "torch": torch}

    # two steps run in the plain loop, whatever the cell
    exec(code.replace("torch.randn(50", "torch.randn(2"), names)

    cell = find_cell(name)(100, 200, init="torch")
    assert names["output"].shape == (2, 32, cell.output_size)
    widths = {state: names[state].shape[-1] for state in cell.states}
    assert widths == dict(zip(cell.states, cell.state_size, strict=True))


@every_cell
def test_the_overview_links_every_page(name):
    rows = [line for line in PAGES["README.md"].splitlines() if line.startswith(f"| [{name}]({name}.md) | ")]
    count = sum(p.numel() for p in find_cell(name)(200, 200, init="torch").parameters())

    assert len(rows) == 1
    assert f"| `{find_cell(name).__name__}` |" in rows[0]
    assert f"| {count:,} |" in rows[0]


def test_fillers_are_described_by_their_numbers():
    fillers = [uniform(-0.5, 0.25), normal(0.1), constant(-3.0), torch.nn.init.zeros_, fill_orthogonal, print]

    assert [describe_filler(fill) for fill in fillers] == [
        "U(-0.5, 0.25)",
        "N(0, 0.1^2)",
        "-3",
        "0",
        "orthogonal",
        "by a rule of its own, see above",
    ]


def test_sections_of_a_docstring_become_lists():
    text = to_markdown(
        "One ``x``.\n\n        h = x\n\n    See :class:`recurra.cells.Cell`.\n\n    Args:\n        a: First,\n"
        "            long.\n        b: Second.\n\n    Raises:\n        ArgumentError: Never.\n"
    )

    assert text == (
        "One `x`.\n\n    h = x\n\nSee `recurra.cells.Cell`.\n\n### Options\n\n- `a`: First, long.\n- `b`: Second.\n\n"
        "### Errors\n\n- `ArgumentError`: Never."
    )
