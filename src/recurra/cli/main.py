"""``recurra COMMAND``: finds the command, turns errors into messages and exit codes.

Nothing slow is imported before a command is known.
"""

from __future__ import annotations

import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import recurra

COMMANDS = {
    "demo": "train on text that comes with Python, and write like it",
    "train": "train a model: text, classify, tag, translate",
    "resume": "go on with a run that was stopped, exactly where it was",
    "generate": "write with a trained model",
    "score": "say how likely a trained model finds each line of a file",
    "predict": "classes, tags or translations from a trained model",
    "evaluate": "say how well a trained model does on held-out data or on files",
    "data": "list the data sets that have names, and fetch them",
    "cells": "list the cells: what they are, how large, how fast here",
    "explain": "explain a cell from its own code, or how a run reads a text",
    "cite": "print the BibTeX entries of cells and of what modifies them",
    "config": "print a configuration file with every key explained",
}
"""Each command with its summary; the module ``recurra.cli.NAME`` runs it."""

_WRONG_USE, _FAILURE, _INTERRUPTED = 2, 1, 130


def usage() -> str:
    """Return the help text of ``recurra``."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: recurra COMMAND [OPTIONS]",
            "",
            "Recurrent neural networks: train them, use them, look inside.",
            "",
            "commands:",
            *lines,
            "",
            "options:",
            "  --help     this text; `recurra COMMAND --help` for a command's options",
            "  --version  print the version",
            "  --debug    show where in the program an error came from",
            "",
            "Begin with `recurra demo`.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for wrong use, 1 for failure, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    _set_up_surroundings()
    try:
        code = _answer([argument for argument in given if argument != "--debug"], debug)
        sys.stdout.flush()  # a reader that went away is noticed here, and not while Python exits
    except BrokenPipeError:
        # the reader of a pipe went away, as `head` does; Python would complain once more while it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def console() -> NoReturn:
    """Run ``recurra`` as a program of its own."""
    code = main()
    if code == _INTERRUPTED:
        # what was interrupted may have left threads of its own, on which Python would not wait
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _set_up_surroundings() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a terminal that lacks a character shows a question mark
        sys.stdout.reconfigure(errors="replace")
    if os.environ.get("NO_COLOR"):
        # tyro has a variable of its own, which it reads when it is imported
        os.environ.setdefault("PYTHON_TYRO_ANSI_CODES", "False")
    with suppress(FileNotFoundError):  # the working directory may have been removed
        # --cell module:Class finds modules there; at the end, so that no file there hides an installed module
        if not {os.getcwd(), ""} & set(sys.path):
            sys.path.append(os.getcwd())


def _answer(given: list[str], debug: bool) -> int:
    if not given or given[0] in ("--help", "-h", "help"):
        print(usage())
        return 0 if given else _WRONG_USE
    if given[0] == "--version":
        print(f"recurra {recurra.__version__}")
        return 0
    if given[0] not in COMMANDS:
        near = difflib.get_close_matches(given[0], COMMANDS, n=1)
        complain(f"recurra has no command {given[0]!r}", f"did you mean {near[0]!r}?" if near else "see recurra --help")
        return _WRONG_USE
    return _run(given[0], given[1:], debug)


def _run(command: str, arguments: list[str], debug: bool) -> int:
    from recurra.errors import RecurraError

    try:
        return importlib.import_module(f"recurra.cli.{command}").main(arguments) or 0
    except SystemExit as stop:  # tyro has printed a help text or what is wrong
        return stop.code if isinstance(stop.code, int) else 0
    except RecurraError as error:
        if debug:
            raise
        complain(f"{error.message} [{error.code}]", error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        if debug:
            raise
        print("\ninterrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            raise
        complain(f"{type(error).__name__}: {error}", "--debug shows where it came from")
        return _FAILURE


def complain(message: str, hint: str = "") -> None:
    """Print an error and what can be done about it to standard error."""
    lines = ["error: " + message, *(["hint: " + hint] if hint else [])]
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        lines[0] = f"\033[1;31merror:\033[0m {message}"
    print("\n".join(lines), file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
