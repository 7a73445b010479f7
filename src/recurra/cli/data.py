"""``recurra data list|get [NAME...]``."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from recurra.cli.parsing import parse

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

_WIDTH = 100
_TASKS = {
    "text": "text",
    "labels": "classify, text",
    "tags": "tag",
    "pairs": "translate",
    "series": "-",
    "vectors": "word vectors",
}
_NOT_FETCHED = 1


@dataclass(frozen=True)
class DataOptions:
    """List the data sets that have names, or fetch some: `recurra data get imdb`.

    A name stands for its files wherever data are asked for: `recurra train classify --data imdb`. Those that begin
    with "builtin:" need no network. Others are looked for in the folder RECURRA_DATA, then among the fetched ones.
    """

    action: tyro.conf.Positional[Literal["list", "get"]]
    """list: what there is, on what terms, and where it is here. get: fetch what NAME says."""
    names: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME [NAME ...]]")] = ()
    """Data sets; to list, none means all."""
    yes: bool = False
    """Fetch without asking; you have read the terms."""
    json: bool = False
    """Print JSON."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(DataOptions, "data", arguments)
    return _list(options) if options.action == "list" else _get(options)


# ------------------------------------------------------------------------ list


def _list(options: DataOptions) -> int:
    from recurra.data import catalog
    from recurra.errors import ChoiceError

    for name in options.names:
        if name not in catalog.DATA_SETS:
            raise ChoiceError("the name of a data set", name, catalog.names())
    rows = [facts(name) for name in options.names or catalog.names()]
    if options.json:
        print(json.dumps(rows))
        return 0

    from rich.console import Console

    # a pipe has no width
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH
    Console(width=width, highlight=False).print(facts_table(rows))
    return 0


def facts(name: str) -> dict[str, Any]:
    """Return what `list` says of a data set."""
    from recurra.data import catalog

    data_set = catalog.DATA_SETS[name]
    remote = data_set.remote
    folder = catalog.find_folder(name) if remote else None
    return {
        "name": name,
        "about": data_set.about,
        "tasks": _TASKS[data_set.kind],
        "num_bytes": remote.num_bytes if remote else None,
        "licence": remote.licence if remote else None,
        "is_builtin": remote is None,
        "folder": str(folder) if folder else None,
    }


def facts_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the table; what is long is wrapped, and nothing is cut."""
    from rich.table import Table

    table = Table(title=None, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("name", style="bold", overflow="fold", min_width=24)
    table.add_column("for", max_width=12)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("licence", max_width=28)
    table.add_column("here", overflow="fold")
    for row in rows:
        size = "-" if row["num_bytes"] is None else readable_size(row["num_bytes"])
        here = "built in" if row["is_builtin"] else row["folder"] or "no"
        table.add_row(row["name"], row["tasks"], size, row["licence"] or "-", here)
    return table


def readable_size(num_bytes: int) -> str:
    """Return a number of bytes for a person: "84 MB"."""
    if num_bytes < 1_000_000:
        return f"{num_bytes / 1e3:.0f} kB"
    return f"{num_bytes / 1e6:,.{0 if num_bytes >= 9_950_000 else 1}f} MB"


# ------------------------------------------------------------------------- get


def _get(options: DataOptions) -> int:
    from recurra.data import catalog
    from recurra.data.downloads import fetch, find_remote, is_fetched
    from recurra.errors import ConfigError

    if not options.names:
        raise ConfigError("recurra data get expected NAME, got none", hint="`recurra data list` shows all")
    for name in options.names:
        find_remote(name)
    code = 0
    for name in options.names:
        folder: Path | None
        if is_fetched(name):
            folder = fetch(name)  # which looks whether it is still what was fetched
            _say(f"{name} is already here")
        elif folder := catalog.find_folder(name):
            _say(f"{name} is already here")
        elif _is_agreed(name, options):
            folder = _fetch(name)
        else:
            _say(f"{name} is not fetched")
            code = _NOT_FETCHED
            continue
        print(json.dumps({"name": name, "folder": str(folder)}) if options.json else folder)
    return code


def _is_agreed(name: str, options: DataOptions) -> bool:
    """Say on what terms a data set can be had, and ask."""
    from recurra.errors import ConfigError

    _say(terms(name))
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(f"recurra data get {name} expected --yes, since there is no terminal to ask at; got none")
    print(f"fetch {name}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def terms(name: str) -> str:
    """Return what a person must know before a data set is fetched."""
    from recurra.data.catalog import DATA_SETS
    from recurra.data.downloads import find_remote

    remote = find_remote(name)
    unchecked = [file.name for file in remote.files if file.checksum is None]
    said = {
        "licence": remote.licence,
        "terms": remote.terms,
        "from": "\n".join(file.address for file in remote.files),
        "home": remote.home,
        "cite": remote.citation,
        "size": readable_size(remote.num_bytes),
        "note": f"no checksum known of {', '.join(unchecked)}" if unchecked else "",
    }
    lines = [f"{name}: {DATA_SETS[name].about}"]
    for what, text in said.items():
        if text:
            lines.append(textwrap.indent(text, " " * 11).replace(" " * 11, f"  {what:<9}", 1))
    return "\n".join(lines)


def _fetch(name: str) -> Path:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from recurra.cli.report import console
    from recurra.data.data_set import RemoteFile
    from recurra.data.downloads import fetch

    shared = console()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shared, transient=True, disable=not shared.is_terminal) as bars:
        shown: dict[str, Any] = {}

        def progress(file: RemoteFile, here: int, total: int | None) -> None:
            if file.name not in shown:
                shown[file.name] = bars.add_task(file.name)
            bars.update(shown[file.name], completed=here, total=total)

        return fetch(name, progress=progress)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
