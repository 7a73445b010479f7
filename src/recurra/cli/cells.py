"""``recurra cells [NAME...]``."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from recurra.cli.parsing import parse

if TYPE_CHECKING:
    from rich.table import Table

    from recurra.inspection import CellFacts, TableSettings

_WIDTH = 100
_NAME_WIDTH = 20
_UNKNOWN = "-"


@dataclass(frozen=True)
class CellsOptions:
    """List the cells: their states and gates, how large they are, and how fast they run here.

    Every cell is built with its default options. "operations" are those of the products of one step forward, for one
    row, counted by torch.utils.flop_counter in the plain loop; "ms/step" is one step of the whole batch forward and
    backward, the median of five rounds after one that compiles.
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME [NAME ...]]")] = ()
    """Cells, by name or as module:Class; none means all that Recurra has."""
    input_size: int = 200
    """Width of the input. At least 1."""
    hidden_size: int = 200
    """Width that each cell is built with. At least 1."""
    batch_size: int = 32
    """Rows in the measurement. At least 1."""
    steps: int = 50
    """Time steps in the measurement. At least 1."""
    engine: Literal["auto", "native", "eager", "torch"] = "auto"
    """What runs the cells in the measurement."""
    num_threads: int | None = None
    """CPU threads of PyTorch. At least 1. Unset: what PyTorch chooses."""
    measure: bool = True
    """Compile and run each cell, half a second each; without it, the table says nothing of native code and of time."""
    json: bool = False
    """Print JSON."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(CellsOptions, "cells", arguments)

    from recurra.cells import cell_names
    from recurra.inspection import TableSettings

    given = {name: value for name, value in vars(options).items() if name not in ("names", "json")}
    settings = TableSettings(**given)
    facts = collect(options.names or cell_names(), settings)
    if options.json:
        print(json.dumps({**asdict(settings), "cells": [asdict(row) for row in facts]}))
        return 0

    from rich.console import Console

    # a pipe has no width
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH
    console = Console(width=width, highlight=False)
    console.print(facts_table(facts, settings))
    for row in facts:
        for reason in filter(None, (row.error, row.obstacle)):
            console.print(f"{row.name}: {reason}", markup=False, soft_wrap=True)
    return 0


def collect(names: Sequence[str], settings: TableSettings) -> list[CellFacts]:
    """Return the facts of cells, showing on standard error how far it is."""
    from rich.progress import track

    from recurra.cli.report import console
    from recurra.inspection import iter_facts

    shared = console()
    rows = iter_facts(names, settings)
    if not settings.measure:
        return list(rows)
    count = "1 cell" if len(names) == 1 else f"{len(names)} cells"
    shared.print(
        f"measuring {count}: {settings.batch_size} rows, {settings.steps} steps, "
        f"widths {settings.input_size} and {settings.hidden_size}, engine {settings.engine}"
    )
    return list(
        track(
            rows,
            description="measuring",
            total=len(names),
            console=shared,
            transient=True,
            disable=not shared.is_terminal,
            refresh_per_second=2,  # drawing takes time from what is measured
        )
    )


def facts_table(facts: Sequence[CellFacts], settings: TableSettings) -> Table:
    """Return the table, at most 100 characters wide; what is long is wrapped, and nothing is cut."""
    from rich.table import Table

    table = Table(title=None, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("cell", style="bold", no_wrap=True)
    table.add_column("states", max_width=6)
    table.add_column("gates", max_width=11)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("operations", justify="right", no_wrap=True)
    table.add_column("source", max_width=22)
    if settings.measure:
        table.add_column("native", no_wrap=True)
        table.add_column("ms/step", justify="right", no_wrap=True)
    for row in facts:
        table.add_row(*_cells(row, settings))
    return table


def _cells(row: CellFacts, settings: TableSettings) -> list[str]:
    counted = [_UNKNOWN if value is None else f"{value:,}" for value in (row.num_parameters, row.operations)]
    unnamed = _UNKNOWN if row.state_widths is None else str(len(row.state_widths))
    shown = [
        textwrap.fill(row.name, _NAME_WIDTH),
        " ".join(row.states) or unnamed,
        " ".join(row.gates) or _UNKNOWN,
        *counted,
        "failed, see below" if row.error else row.reference or _UNKNOWN,
    ]
    if settings.measure:
        native = {True: "yes", False: "no", None: _UNKNOWN}[row.is_native]
        shown += [native, _UNKNOWN if row.ms_per_step is None else f"{row.ms_per_step:.3f}"]
    return shown
