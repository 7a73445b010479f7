"""Commands of the package as processes, and the data that they need."""

from __future__ import annotations

import subprocess
import sys

from recurra.data import catalog
from recurra.errors import DataNotFoundError


def need_data(name: str) -> None:
    """End the script with 2 and say what to do when a data set is not there."""
    try:
        catalog.resolve([name])
    except DataNotFoundError as error:
        print(f"{error.message}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(2)


def recurra(*arguments: str, show_messages: bool = False) -> str:
    """Run a command and return what it printed; when it fails, say what it said and end the script as it ended.

    Args:
        arguments: The command line after ``recurra``.
        show_messages: Let its messages through while it runs, instead of keeping them for the case that it fails.
    """
    stderr = None if show_messages else subprocess.PIPE
    done = subprocess.run(
        [sys.executable, "-m", "recurra", *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
    )
    if done.returncode:
        print(f"failed: recurra {' '.join(arguments)}\n{done.stderr or ''}", file=sys.stderr)
        sys.exit(done.returncode)
    return done.stdout
