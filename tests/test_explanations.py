"""The pages that show what ``recurra explain`` prints, and the script that writes them."""

from __future__ import annotations

import re

import pytest
from docs import generate_explanations
from docs.generate_explanations import (
    FOLDER,
    PAGES,
    block,
    formulas_of,
    images,
    is_same,
    main,
    output_of,
    part_of_text,
    printed_by,
)

TEXT = """\
title

Equations
    h = x

Backward
  With
    z = x

  Weights
    W += x

Forward: step 1
───────────────
  x₁ = 1

chart
1 ┤
  └──

end: 1e-16
""".splitlines()

PAGE = """\
<!-- from: recurra explain elman
     part: Equations -->
<!-- end -->

```python
print(1 + 1)
```

<!-- from: the program above -->
<!-- end -->

<!-- image elman.svg: recurra explain elman --fold --format svg -->
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(generate_explanations, "PAGES", ("page.md",))
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    return tmp_path


def lines_of(heading):
    found = part_of_text(TEXT, heading)
    return TEXT[found.start : found.stop]


def test_the_pages_and_drawings_are_up_to_date(capsys):
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_the_drawings_it_writes_and_only_drawings_that_are_there(name):
    page = (FOLDER / name).read_text(encoding="utf-8")

    shown = re.findall(r'<img src="images/([^"]+)" alt="[^"]+"', page)

    assert sorted(shown) == sorted(images(page))
    assert all((FOLDER / "images" / image).exists() for image in shown)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_closes_each_block_and_links_to_files_that_are_there(name):
    path = FOLDER / name
    page = path.read_text(encoding="utf-8")

    links = re.findall(r"\]\(([^)#:]+)[^):]*\)", page)

    assert page.count("<!-- from: ") == page.count("<!-- end -->")
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_blocks_and_drawings_are_written_where_the_marks_are(folder, capsys):
    assert main([], folder) == 0

    page = (folder / "page.md").read_text(encoding="utf-8")
    assert (
        "```\n$ recurra explain elman\n…\nEquations\n    hₜ = tanh(W_xh xₜ + b_xh + W_hh hₜ₋₁ + b_hh)\n…\n```\n" in page
    )
    assert "<!-- from: the program above -->\n```\n2\n```\n<!-- end -->" in page
    assert (folder / "images" / "elman.svg").read_text(encoding="utf-8").startswith("<svg")
    assert main(["--check"], folder) == 0
    assert capsys.readouterr() == ("", "")


def test_what_is_stale_is_named_and_nothing_is_written(folder, capsys):
    main([], folder)
    (folder / "images" / "elman.svg").unlink()
    page = (folder / "page.md").read_text(encoding="utf-8").replace("tanh", "sin").replace("\n2\n", "\n3\n")
    (folder / "page.md").write_text(page, encoding="utf-8")

    assert main(["--check"], folder) == 1

    said = capsys.readouterr().err.splitlines()
    advice = "is stale; run python docs/generate_explanations.py"
    assert said == [
        f"page.md: recurra explain elman part: Equations {advice}",
        f"page.md: the program above {advice}",
        f"page.md: elman.svg {advice}",
    ]
    assert (folder / "page.md").read_text(encoding="utf-8") == page
    assert not (folder / "images" / "elman.svg").exists()


@pytest.mark.parametrize(
    ("heading", "last"),
    [
        ("Equations", "    h = x"),
        ("Backward", "    W += x"),
        ("With", "    z = x"),
        ("Forward: step 1", "  x₁ = 1"),
        ("chart", "  └──"),
        ("end", "end: 1e-16"),
    ],
)
def test_a_part_ends_before_the_next_heading(heading, last):
    lines = lines_of(heading)

    assert lines[0].strip().startswith(heading)
    assert lines[-1] == last


def test_a_part_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="expected a part called 'Weight of it', got none"):
        part_of_text(TEXT, "Weight of it")


def test_formulas_have_the_titles_of_the_document_and_stand_in_an_environment_that_formulas_may_hold():
    document = output_of("recurra explain elman --format latex")

    parts = formulas_of("elman")

    assert all(f"section*{{{title}}}" in document for title in parts)
    assert parts["To the step before, and to the input"].splitlines() == [
        r"\begin{aligned}",
        r"  \delta x_{t} &= W_{xh}^{\top} \delta z_{t} \\",
        r"  \delta h_{t-1} &= W_{hh}^{\top} \delta z_{t}",
        r"\end{aligned}",
    ]
    assert block("the formulas of elman\npart: Equations", "").startswith("```math\n\\begin{aligned}\n  h_{t} &= ")


def test_lines_can_be_picked_by_a_word():
    shown = block("recurra explain elman | grep 'δhₜ₋₁ = '", "")

    assert shown == "```\n$ recurra explain elman | grep 'δhₜ₋₁ = '\n    δhₜ₋₁ = W_hhᵀ δzₜ\n```\n"


def test_complaints_are_shown_where_there_is_no_output():
    assert output_of("recurra explain lstmm").startswith("error: ")


def test_a_program_prints_what_it_prints():
    assert printed_by("for k in range(2):\n    print(k)") == "0\n1\n"


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("within 1e-16 and 6e-17", "within 0e+00 and 2e-16", True),
        ("norm 4e-03", "norm 5e-03", False),
        ("h = 0.5", "h = 0.6", False),
    ],
)
def test_only_rounding_errors_may_differ(one, other, are_same):
    assert is_same(one, other) is are_same
