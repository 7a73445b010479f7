#!/usr/bin/env python3
"""Writes what `recurra explain` prints into the pages that show it, and the drawings beside them.

A page marks a block like this, and the command below runs in docs/:

    <!-- from: recurra explain lstm
         part: Equations -->
    ...
    <!-- end -->

Of the output, the parts under the headings given are shown, or all of it; ` | grep TEXT` at the end of the command
keeps the lines with that text. `from: the formulas of lstm` is the same parts as LaTeX, `from: the program above` what
the Python block before it prints. `<!-- image NAME: COMMAND -->` writes a drawing to images/NAME.

`python docs/generate_explanations.py` writes them all, `--check` only compares, but for .png files, whose bytes are not
the same on every machine, and for rounding errors, which are not either.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

from recurra.cells import find_cell
from recurra.cli.main import main as recurra
from recurra.inspection import Line, explain_cell, latex_line
from recurra.inspection.pages.equation_parts import named_lines
from recurra.inspection.pages.groups import backward_groups

FOLDER = Path(__file__).parent
PAGES = ("../README.md", "how-a-recurrent-network-computes.md", "explain.md")
COLUMNS = 96

_BLOCK = re.compile(r"<!-- from: (?P<wanted>[^>]+?) -->\n(?P<text>.*?)<!-- end -->", re.S)
_IMAGE = re.compile(r"<!-- image (?P<name>\S+): (?P<command>.+?) -->")
_PROGRAM = "the program above"
_FORMULAS = "the formulas of "
_SIZES = 3, 4  # those of the command
_PYTHON = re.compile(r"```python\n(.*?)```", re.S)
_ROUNDING = re.compile(r"\b\de-(?:1[4-9]|[2-9]\d)\b|\b0e\+00\b")
_LEFT_OUT = "…"


@functools.cache
def output_of(command: str) -> str:
    """Return what a command writes to standard output, or what it complains of.

    Args:
        command: ``recurra explain ...``, as typed in docs/.
    """
    program, *arguments = shlex.split(command)
    assert program == "recurra", f"expected a command of recurra, got {command}"
    said, complained = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": str(COLUMNS), "NO_COLOR": "1"}),
        contextlib.chdir(FOLDER),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
    ):
        recurra(arguments)
    return said.getvalue() or complained.getvalue()


def printed_by(program: str) -> str:
    """Return what a program prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(program, "program of a page", "exec"), {})
    return said.getvalue()


def part_of_text(lines: Sequence[str], heading: str) -> range:
    """Return the numbers of the lines from a heading to before the next one that stands no further right.

    What stands below a heading without an indent is a chart, and ends with the next empty line.
    """
    exact = (number for number, line in enumerate(lines) if line.strip() == heading)
    begun = (number for number, line in enumerate(lines) if line.strip().startswith(heading))
    start = next(exact, next(begun, None))
    if start is None:
        raise ValueError(f"expected a part called {heading!r}, got none")
    indent, rest = _indent(lines[start]), lines[start + 1 :]
    is_chart = bool(rest) and not _is_bare(rest[0]) and _indent(rest[0]) == indent
    ends = (
        number
        for number, line in enumerate(rest, start + 1)
        if (not line if is_chart else not _is_bare(line) and _indent(line) <= indent)
    )
    end = next(ends, len(lines))
    while not lines[end - 1]:
        end -= 1
    return range(start, end)


def _is_bare(line: str) -> bool:
    """Say whether a line is empty, or only underlines a heading."""
    return not line.strip("─ ")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


@functools.cache
def formulas_of(cell: str) -> dict[str, str]:
    """Return the equations of a cell as LaTeX, by the heading that they have in a document.

    They stand in ``aligned``, which may be inside a formula everywhere.
    """
    explanation = explain_cell(find_cell(cell)(*_SIZES), name=cell)
    parts = {
        "Equations": explanation.step.lines,
        "Named for the derivative": named_lines(explanation),
        **{group.title: group.lines for group in backward_groups(explanation)},
    }
    return {title: _aligned(lines) for title, lines in parts.items()}


def _aligned(lines: Sequence[Line]) -> str:
    rows = " \\\\\n".join(f"  {latex_line(line)}" for line in lines)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"


def block(wanted: str, before: str) -> str:
    """Return a block as it stands in a page, from what its mark says and the page before it."""
    command, *parts = (re.sub(r"^part: ", "", line.strip()) for line in wanted.splitlines())
    if command == _PROGRAM:
        return f"```\n{printed_by(_PYTHON.findall(before)[-1]).rstrip()}\n```\n"
    if command.startswith(_FORMULAS):
        return "\n".join(_titled(formulas_of(command.removeprefix(_FORMULAS)), parts))
    plain, _, sought = command.partition(" | grep ")
    text = output_of(plain)
    lines = text.rstrip().splitlines()
    if parts:
        lines = list(_excerpt(lines, parts))
    if sought:
        (word,) = shlex.split(sought)
        lines = [line for line in lines if word in line]
    return "\n".join(["```", f"$ {command}", *lines, "```\n"])


def _titled(formulas: Mapping[str, str], parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        title = f"*{part}:*\n\n" if len(parts) > 1 else ""
        yield f"{title}```math\n{formulas[part]}\n```\n"


def _excerpt(lines: Sequence[str], parts: Sequence[str]) -> Iterator[str]:
    """Yield the lines of parts, with a mark where anything before, between or behind them is left out."""
    end = 0
    for part in parts:
        found = part_of_text(lines, part)
        yield from _gap(lines[end : found.start])
        yield from lines[found.start : found.stop]
        end = found.stop
    yield from _gap(lines[end:])


def _gap(left_out: Sequence[str]) -> Sequence[str]:
    return [_LEFT_OUT] if any(left_out) else left_out


def render(page: str) -> str:
    """Return a page with its blocks as they should be."""

    def filled(found: re.Match[str]) -> str:
        text = block(found["wanted"], page[: found.start()])
        shown = found["text"] if is_same(text, found["text"]) else text
        return f"<!-- from: {found['wanted']} -->\n{shown}<!-- end -->"

    return _BLOCK.sub(filled, page)


def is_same(one: str, other: str) -> bool:
    """Say whether two texts are equal but for rounding errors that they tell of."""
    return _ROUNDING.sub("", one) == _ROUNDING.sub("", other)


def images(page: str) -> dict[str, str]:
    """Return the command behind each drawing of a page, by the drawing's name."""
    return {found["name"]: found["command"] for found in _IMAGE.finditer(page)}


def stale_blocks(page: str) -> list[str]:
    """Return what the marks of those blocks of a page say that should be otherwise."""
    new = _BLOCK.finditer(render(page))
    pairs = zip(_BLOCK.finditer(page), new, strict=True)
    return [" ".join(old["wanted"].split()) for old, now in pairs if old["text"] != now["text"]]


def stale_images(page: str, folder: Path) -> list[str]:
    """Return the names of the drawings of a page that are missing, or should be otherwise."""
    return [name for name, command in images(page).items() if not _is_current(folder / "images" / name, command)]


def _is_current(path: Path, command: str) -> bool:
    if not path.exists() or path.suffix == ".png":
        return path.exists()
    return path.read_text(encoding="utf-8") == output_of(command)


def draw(command: str, path: Path) -> None:
    """Write what a command draws."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix != ".png":
        path.write_text(output_of(command), encoding="utf-8")
        return
    from recurra.inspection import draw_time_gates
    from recurra.inspection.pages.building import build_page
    from recurra.inspection.pages.wishes import Wishes

    name = shlex.split(command)[2]
    draw_time_gates(build_page(name, "svg", Wishes(gate=True)).explanation.cell).savefig(path)


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the blocks and drawings, or compare them; return the exit code."""
    parser = argparse.ArgumentParser(description="Write what recurra explain prints into the pages that show it.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a block is stale")
    is_check = parser.parse_args(arguments).check
    code = 0
    for name in PAGES:
        page = (folder / name).read_text(encoding="utf-8")
        if is_check:
            for what in (*stale_blocks(page), *stale_images(page, folder)):
                print(f"{Path(name).name}: {what} is stale; run python docs/generate_explanations.py", file=sys.stderr)
                code = 1
            continue
        (folder / name).write_text(render(page), encoding="utf-8")
        for image, command in images(page).items():
            draw(command, folder / "images" / image)
    return code


if __name__ == "__main__":
    sys.exit(main())
