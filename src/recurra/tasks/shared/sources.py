"""The files of each part, as a configuration names them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from recurra.data import Sources, catalog, resolve
from recurra.errors import DataError
from recurra.tasks.shared.options import ExampleOptions

PartFiles = tuple[tuple[Path, ...], tuple[Path, ...], tuple[Path, ...]]
"""Files to train on, to validate on and to test on."""


Config = TypeVar("Config", bound=ExampleOptions)


def absolute(config: Config) -> Config:
    """Return a configuration that names its files and folders from the root, so that it holds from anywhere.

    Names of data sets stay; a name that is also a file is that file, as for ``resolve``.
    """

    def whole(item: str) -> str:
        path = os.path.abspath(os.path.expanduser(item))
        is_folder = os.path.isdir(path) and item not in catalog.DATA_SETS
        return path if os.path.isfile(path) or is_folder else item

    names = ("data", "validation_data", "test_data")
    return dataclasses.replace(config, **{name: tuple(map(whole, getattr(config, name))) for name in names})  # type: ignore[arg-type]


def part_files(config: ExampleOptions, *, kind: str, what: str) -> PartFiles:
    """Return the files of each part; those that a configuration names go before those that a data set brings.

    Args:
        config: What is named.
        kind: What a data set must hold, as ``recurra.data.Sources`` has it.
        what: The same for people: "pairs of sentences".

    Raises:
        DataNotFoundError: When an item is neither a file nor a data set that is there.
        DataError: When a data set holds something else, or has parts where one part is wanted.
    """
    sources = resolve(config.data)
    check_kind(sources, kind, what)
    validation, test = (
        one_part(names, kind=kind, what=what) if names else own
        for names, own in ((config.validation_data, sources.validation), (config.test_data, sources.test))
    )
    return sources.paths, validation, test


def one_part(names: Sequence[str], *, kind: str | None = None, what: str = "") -> tuple[Path, ...]:
    """Return files that are one part together: no data set that has its own three.

    Raises:
        DataError: When there is one, or one that holds something else.
    """
    sources = resolve(names)
    if kind is not None:
        check_kind(sources, kind, what)
    if sources.validation or sources.test:
        raise DataError(
            f"expected files that are one part, got {', '.join(names)}, which has parts of its own",
            hint="name one of its files",
        )
    return sources.paths


def check_kind(sources: Sources, kind: str, what: str) -> None:
    """Check that named data sets hold what a task reads; files say nothing of themselves.

    Raises:
        DataError: When they do not.
    """
    if sources.kind not in (None, kind):
        raise DataError(
            f"expected {what} for data, got {', '.join(sources.names)}, a data set of {sources.kind}",
            hint="`recurra data list` says which data sets are for which task",
        )
