#!/usr/bin/env python3
"""Writes docs/cells/ from the cells' classes: `python docs/generate_cells.py`, or with --check only compares."""

from __future__ import annotations

import argparse
import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.cells import Cell, cell_aliases, cell_names, find_cell, find_reference
from recurra.inspection.anatomy.formulas import SIZES, formula, shape_formula

FOLDER = Path(__file__).with_name("cells")

SIZE = 200

HEAD = f"""\
# Cells

Every cell that Recurra brings, under the name that `recurra.Recurrent`, `--cell` and `recurra cite` know it by.
"Parameters" are those at input and hidden size {SIZE}, with default options.
`recurra cells` prints this table with the speed of each cell on your machine.

[Recurrent layers](../recurrent.md) tells what any of them can be given beside its equations,
[Speed of the cells](../cell-speed.md) how long each takes.
ConvLSTM is left out: its state is an image, and a cell's is a row of numbers.
So are the log-space forms of minGRU and minLSTM, and the low-rank forms of FastRNN and FastGRNN.

These pages are written by `python docs/generate_cells.py` from the classes; change the docstrings there.

| Cell | Class | States | Gates | Parameters | Source |
|---|---|---|---|---|---|
"""

DEFAULTS = {
    "published": "What this class does not set itself starts orthogonal (recurrent weights, gate by gate), "
    "Xavier-uniform (other matrices) or at 0 (biases).",
    "torch": "Every number is drawn from U(-1/sqrt(H), 1/sqrt(H)), as in `torch.nn`.",
}

LETTERS = ("I", "H")


def cell_class_of(name: str) -> type[Cell]:
    """Return the class of a registered cell."""
    found = find_cell(name)
    assert issubclass(found, Cell), f"{name} is no cell of ours"
    return found


def describe_filler(fill: Callable[..., object]) -> str:
    """Say what draws a parameter, as far as its name and its numbers tell."""
    values = inspect.getclosurevars(fill).nonlocals if inspect.isfunction(fill) else {}
    kind = getattr(fill, "__qualname__", "").split(".")[0]
    if kind == "uniform" and {"low", "high"} <= values.keys():
        return f"U({values['low']:.4g}, {values['high']:.4g})"
    if kind == "normal" and "std" in values:
        return f"N(0, {values['std']:.4g}^2)"
    if kind == "constant" and "value" in values:
        return f"{values['value']:.4g}"
    known = {"zeros_": "0", "ones_": "1", "eye_": "the identity", "fill_orthogonal": "orthogonal"}
    return known.get(getattr(fill, "__name__", ""), "by a rule of its own, see above")


def initialisation(cell: Cell) -> Iterator[str]:
    """Yield what is known of how the parameters start, one item of a list each."""
    cell_class = type(cell)
    yield f'Default: `init="{cell_class.default_init}"`. {DEFAULTS[cell_class.default_init]}'
    present = {name for name, _ in cell.named_parameters(recurse=False)}
    starts = cell.starts()
    published = {name: fill for name, fill in cell.published().items() if name not in starts}
    for title, fillers in (("As published", published), ("In every initialisation", starts)):
        said = [
            f"`{name}` {describe_filler(fill)}" for name, fill in fillers.items() if name.partition(".")[0] in present
        ]
        if said:
            yield f"{title}, at I = H = {SIZE}: {'; '.join(said)}."
    if cell.gate_biases:
        biases = ", ".join(f"{gate} at {value:g}" for gate, value in cell.gate_biases.items())
        yield f'Biases with a start of their own: {biases}; not with `init="torch"`.'


def parameters(cell_class: type[Cell]) -> Iterator[tuple[str, str, str]]:
    """Yield name, row blocks and shape of each parameter."""
    cells = _built(cell_class)
    square = {name for name, _ in _full_size(cell_class).named_parameters(recurse=False)}
    for name, _ in cells[0].named_parameters(recurse=False):
        shapes = [tuple(getattr(cell, name).shape) for cell in cells]
        blocks = cells[0].row_names(name)
        rows = ", ".join(f"`{block}`" for block in blocks) if len(blocks) > 1 else ""
        yield (
            f"`{name}`",
            rows,
            shape_formula(shapes, letters=LETTERS) + ("" if name in square else ", only where I is not H"),
        )


def to_markdown(docstring: str) -> str:
    """Turn a cell's docstring into Markdown: code marks, and its sections Args and Raises as lists."""
    text = inspect.cleandoc(docstring).replace("``", "`")
    text = re.sub(r":(?:class|func|meth):`~?([\w.]+)`", r"`\1`", text)
    body, *sections = re.split(r"^(Args|Raises|Attributes|Example|Source):$\n?", text, flags=re.MULTILINE)
    parts = [body.strip()]
    for title, content in zip(sections[::2], sections[1::2], strict=True):
        parts.append(_section(title, content))
    return "\n\n".join(parts)


def _section(title: str, content: str) -> str:
    heading = {"Args": "Options", "Raises": "Errors"}.get(title, title)
    if title == "Example":
        return f"### {heading}\n\n```python\n{inspect.cleandoc(content)}\n```"
    items = re.findall(r"^ {4}([*\w, ]+): (.*(?:\n {8}.*)*)", content, flags=re.MULTILINE)
    listed = "\n".join(f"- `{name}`: {' '.join(meaning.split())}" for name, meaning in items)
    return f"### {heading}\n\n{listed or content.strip()}"


def example(name: str, cell_class: type[Cell]) -> str:
    """Return three lines that run the cell over sequences."""
    states = cell_class.states
    state = states[0] if len(states) == 1 else f"({', '.join(states)})"
    return (
        f'layer = recurra.Recurrent("{name}", input_size=100, hidden_size={SIZE})\n'
        "x = torch.randn(50, 32, 100)  # time, batch, width\n"
        f"output, {state} = layer(x)"
    )


def _inputs(inputs: tuple[str, ...]) -> str:
    if len(inputs) == 1:
        return ""
    return f"A step takes `{inputs[0]}` alone, or the tuple `({', '.join(inputs)})`.\n"


def page(name: str) -> str:
    """Return the page of one cell."""
    cell_class = cell_class_of(name)
    cell = _full_size(cell_class)
    built = _built(cell_class)
    widths = [formula([c.state_size[k] for c in built], letters=LETTERS) for k in range(len(cell_class.states))]
    states = "\n".join(
        f"| `{state}` | {width or cell.state_size[k]} |"
        for k, (state, width) in enumerate(zip(cell_class.states, widths, strict=True))
    )
    rows = "\n".join(f"| {label} | {blocks} | {shape} |" for label, blocks, shape in parameters(cell_class))
    count = sum(p.numel() for p in cell.parameters())
    also = ", ".join(f"`{alias}`" for alias in cell_aliases(name))
    output = formula([c.output_size for c in built], letters=LETTERS) or str(cell.output_size)
    kind = "It is no state." if cell_class.returns_output else f"It is the state `{cell_class.states[0]}`."
    inputs = _inputs(cell_class.inputs)
    fractions = " A fraction that is no whole number is rounded." if "/" in rows else ""
    items = "\n".join(f"- {item}" for item in initialisation(cell))
    reference = find_reference(cell_class.source)
    return f"""\
# {name}

`recurra.cells.{cell_class.__name__}`{f"; also called {also}" if also else ""}. {reference.short()}.

{to_markdown(cell_class.__doc__ or "")}

## Use

```python
{example(name, cell_class)}
```

`recurra explain {name}` prints the equations of a step, forward and backward, from the code of the cell;
`recurra explain {name} --output {name}.html` makes a page with drawings and an example worked by hand.

## States

| State | Width |
|---|---|
{states}

The output has width {output}. {kind}
{inputs}
## Parameters

I is the input size, H the hidden size; {count:,} numbers at I = H = {SIZE}.{fractions}

| Parameter | Row blocks | Shape |
|---|---|---|
{rows}

## Initialisation

{items}

## Citation

```bibtex
{reference.bibtex}
```
"""


# values do not matter here, and "torch" draws the fastest


@functools.cache
def _built(cell_class: type[Cell]) -> list[Cell]:
    return [cell_class(i, h, init="torch") for i, h in SIZES]


@functools.cache
def _full_size(cell_class: type[Cell]) -> Cell:
    return cell_class(SIZE, SIZE, init="torch")


def overview() -> str:
    """Return the table of all cells."""
    rows = []
    for name in cell_names():
        cell_class = cell_class_of(name)
        count = sum(p.numel() for p in _full_size(cell_class).parameters())
        rows.append(
            f"| [{name}]({name}.md) | `{cell_class.__name__}` | {', '.join(cell_class.states)} "
            f"| {', '.join(cell_class.gates)} | {count:,} | {find_reference(cell_class.source).short()} |"
        )
    return HEAD + "\n".join(rows) + "\n"


def render() -> dict[str, str]:
    """Return every page by its file's name."""
    return {"README.md": overview(), **{f"{name}.md": page(name) for name in cell_names()}}


def stale(pages: Mapping[str, Any], folder: Path) -> list[str]:
    """Return the names of files that are missing, old, or of no cell."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in pages.keys() | there.keys() if pages.get(name) != there.get(name))


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the pages, or compare them; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the pages of the cells from their classes.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page is stale")
    is_check = parser.parse_args(arguments).check
    pages = render()
    changed = stale(pages, folder)
    if is_check and changed:
        print(f"{', '.join(changed)} stale; run python docs/generate_cells.py", file=sys.stderr)
        return 1
    if not is_check:
        folder.mkdir(exist_ok=True)
        for name in changed:
            if name in pages:
                (folder / name).write_text(pages[name], encoding="utf-8")
            else:
                (folder / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
