#!/usr/bin/env python3
"""Writes docs/errors.md from the exception classes: `python docs/generate_errors.py`, or with --check only compares."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from recurra import errors
from recurra.errors import RecurraError

PAGE = Path(__file__).with_name("errors.md")

HEAD = """\
# Errors

Every error that Recurra raises on purpose is one of the classes below, all of them in `recurra.errors`.
`except recurra.RecurraError` catches them all.
Each is also the built-in exception that it refines, so that `except ValueError` works as usual.
The code is stable: it stays with the class when messages change.
The command line ends with exit code 2 when a command was used wrongly, and with 1 when a right command failed.

This page is written by `python docs/generate_errors.py` from the classes' docstrings; change it there.

| Code | Class | Refines | Exit code |
|---|---|---|---|
"""

EXIT_CODES = {1: "1, a failure", 2: "2, wrong use"}


def error_classes() -> list[type[RecurraError]]:
    """Return every class of the tree in the order of the codes."""
    public = (getattr(errors, name) for name in errors.__all__)
    classes = [cls for cls in public if issubclass(cls, RecurraError)]  # warnings are no part of the tree
    return sorted(classes, key=lambda cls: (cls.code, cls.__name__))


def built_ins(cls: type[RecurraError]) -> list[str]:
    """Return the names of the exceptions of Python that a class refines, without those these imply."""
    refined = [base for base in cls.__mro__ if not issubclass(base, RecurraError) and issubclass(base, Exception)]
    return [base.__name__ for base in refined if not any(base is not b and issubclass(b, base) for b in refined)]


def to_markdown(docstring: str) -> str:
    """Turn a docstring into Markdown: code marks, and an Attributes section as a list."""
    text, _, attributes = inspect.cleandoc(docstring).replace("``", "`").partition("\n\nAttributes:\n")
    items = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, flags=re.MULTILINE)
    listed = [f"- `{name}`: {' '.join(meaning.split())}" for name, meaning in items]
    return "\n".join([text, "", *listed]) if listed else text


def render() -> str:
    """Return the whole page."""
    rows, sections = [], []
    for cls in error_classes():
        anchor = cls.code.lower()
        refined = ", ".join(f"`{name}`" for name in built_ins(cls))
        base = cls.__bases__[0]
        parent = f"A kind of [{base.__name__}](#{base.code.lower()}). " if issubclass(base, RecurraError) else ""
        rows.append(f"| [{cls.code}](#{anchor}) | `{cls.__name__}` | {refined} | {cls.exit_code} |")
        sections.append(
            f'<a id="{anchor}"></a>\n\n## {cls.code}: {cls.__name__}\n\n{to_markdown(cls.__doc__ or "")}\n\n'
            f"{parent}Refines {refined}. Exit code {EXIT_CODES[cls.exit_code]}.\n"
        )
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections)


def main(arguments: Sequence[str] | None = None, page: Path = PAGE) -> int:
    """Write the page, or compare it; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the page of errors from the exception classes.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the page is stale")
    text = render()
    if not parser.parse_args(arguments).check:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return 0
    print(f"{page.name} is stale; run python docs/generate_errors.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
