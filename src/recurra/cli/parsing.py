"""Command lines from dataclasses."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

Options = TypeVar("Options")
RunArgument = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
"""The folder of a run, as the first thing after the command."""
_DEBUG = "With --debug, an error shows where in the program it came from."


def parse(cls: type[Options], command: str, arguments: Sequence[str], default: Any = None) -> Options:
    """Return a dataclass filled from a command line; tyro exits with 2 on wrong use.

    Args:
        cls: Dataclass with a docstring under each field; nested ones become groups of options without prefix.
        command: What the help text calls the program.
        arguments: The command line after the command.
        default: Instance to take unset options from, for example one read from a file.
    """
    keywords = {} if default is None else {"default": default}
    options: Options = tyro.cli(
        cls,
        prog=f"recurra {command}",
        description=f"{inspect.getdoc(cls)}\n\n{_DEBUG}",
        args=list(arguments),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        **keywords,
    )
    return options
