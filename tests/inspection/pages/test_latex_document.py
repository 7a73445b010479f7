"""An explanation as a document of LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from recurra.inspection.drawing.network import Network
from recurra.inspection.pages.building import build_page
from recurra.inspection.pages.latex_document import latex_document
from recurra.inspection.pages.page import PARTS
from recurra.inspection.pages.wishes import Wishes


@pytest.fixture(scope="module")
def page():
    return build_page("mut1", "html", Wishes())


@pytest.fixture(scope="module")
def document(page):
    return latex_document(page)


def test_every_environment_and_every_brace_is_closed(document):
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", document):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name

    bare = re.sub(r"\\[{}]|%.*", "", document)
    assert stack == []
    assert bare.count("{") == bare.count("}")


def test_equations_carry_the_line_of_code_they_come_from(document):
    assert r"z_{t} &= \sigma(W_{xz} x_{t} + b_{z}) \\ % mut.py:63: z = torch.sigmoid(xz)" in document
    assert re.search(r"\\odot h_\{t-1\} % mut.py:\d+: .*\n\\end\{align\*\}", document)


def test_parts_are_those_asked_for(page):
    document = latex_document(replace(page, parts=("equations",)))

    assert re.findall(r"\\subsection\*\{(.*)\}", document) == ["Equations"]


def test_all_parts_are_written(document, page):
    assert page.parts == PARTS
    assert re.findall(r"\\subsection\*\{(.*)\}", document) == [
        "Equations",
        "Backward",
        "What it consists of",
        "Worked by hand: 2 steps",
    ]
    assert "Parameters: $n(3d + 2n) + 3n = 80$" in document
    assert r"\texttt{weight\_ih}" in document


def test_drawings_are_left_to_commands_in_comments(page):
    drawn = replace(page, network=Network("MUT1", form="many-to-one", num_layers=2, bidirectional=True, num_steps=5))

    document = latex_document(drawn)

    options = "--form many-to-one --num-layers 2 --bidirectional"
    assert f"%   recurra explain mut1 {options} --fold --output mut1-folded.svg" in document
    assert f"%   recurra explain mut1 {options} --unfold 5 --output mut1-unfolded.svg" in document
    assert "%   recurra explain mut1 --gate --output mut1-gates.svg" in document


def test_what_somebody_else_wrote_is_escaped(page):
    document = latex_document(replace(page, summary="100 % of \\input{x} & 日_本", reference="A & B"))

    assert r"100 \% of \textbackslash{}input\{x\} \& U+65E5\_U+672C\par" in document
    assert r"\textit{A \& B}" in document


def test_the_example_is_worked_step_by_step(document, page):
    (h_1,) = page.example.rows("h₁")

    assert f"{h_1.array[0, 0]:.4g}" in document
    assert (
        document.index("{Forward: step 2}")
        < document.index("{Backward: step 2}")
        < document.index("{Backward: step 1}")
    )
    assert r"\text{(from the future: no step follows)}" in document


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX")
@pytest.mark.parametrize("name", ["elman", "phased-lstm", "layer-norm-lstm"])
def test_latex_sets_the_document(tmp_path, name):
    file = tmp_path / "cell.tex"
    file.write_text(latex_document(build_page(name, "html", Wishes())), encoding="utf-8")

    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", file.name]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    assert result.returncode == 0, result.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "cell.pdf").stat().st_size > 10_000
