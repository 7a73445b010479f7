"""``recurra cite NAME...``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from recurra.cli.parsing import parse
from recurra.errors import ArgumentError, ChoiceError


@dataclass(frozen=True)
class CiteOptions:
    """Print the BibTeX entries of cells and of what modifies them, each once, in the order given."""

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="NAME [NAME ...]")] = ()
    """Cells, by name or as module:Class; or recurrent-dropout, variational-dropout, weight-dropout, weight-norm,
    zoneout."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(CiteOptions, "cite", arguments)

    from recurra.cells import find_reference

    if not options.names:
        raise ArgumentError(
            "cite expected at least one name of a cell, got none", hint="`recurra cells --no-measure` lists them"
        )
    keys = dict.fromkeys(source_of(name) for name in options.names)
    print("\n\n".join([find_reference(key).bibtex for key in keys]))
    return 0


def source_of(name: str) -> str:
    """Return the key of the source of a cell or of what modifies cells.

    Raises:
        ChoiceError: When the name is unknown, or the source is not in the bibliography.
        ArgumentError: When a cell from elsewhere names no source.
    """
    from recurra.cells import cell_aliases, cell_names, find_cell
    from recurra.cells.references import MODIFIERS

    if name in MODIFIERS:
        return MODIFIERS[name]
    known = [*MODIFIERS, *(known for first in cell_names() for known in (first, *cell_aliases(first)))]
    if ":" not in name and name not in known:
        raise ChoiceError("cell or modifier", name, sorted(known))
    key = getattr(find_cell(name), "source", "")
    if not isinstance(key, str) or not key:
        raise ArgumentError(
            f"cite expected {name} to name its source, got none",
            hint="Recurra's own cells do, in the class attribute `source`",
        )
    return key
