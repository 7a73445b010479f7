"""Configurations as TOML: each dataclass a section, each field a key with its docstring as comment."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import itertools
import textwrap
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import tomlkit
from tomlkit.items import Table

import recurra
from recurra.errors import ConfigError

NONE = "none"
"""How TOML, which has no null, says None."""
_HEAD = frozenset({"task", "recurra"})

Section = TypeVar("Section")


def field_docs(cls: type) -> dict[str, str]:
    """Return the docstring under each field of a dataclass, as one line each."""
    docs: dict[str, str] = {}
    for owner in reversed(cls.__mro__):
        if dataclasses.is_dataclass(owner):
            docs |= _own_field_docs(owner)
    return docs


def _own_field_docs(cls: type) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    docs = {}
    for field, below in itertools.pairwise(body):
        is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if is_field and is_text:
            docs[field.target.id] = " ".join(str(below.value.value).split())  # type: ignore[attr-defined]
    return docs


def write_config(task: str, sections: Mapping[str, Any]) -> str:
    """Return a configuration as TOML text, every key with its meaning.

    Args:
        task: Name of the task.
        sections: Dataclass instances by section.
    """
    document = tomlkit.document()
    document.add("task", tomlkit.item(task))
    document.add("recurra", tomlkit.item(recurra.__version__))
    for name, section in sections.items():
        table = tomlkit.table()
        docs, hints = field_docs(type(section)), typing.get_type_hints(type(section))
        for field in dataclasses.fields(section):
            _add(table, field.name, getattr(section, field.name), docs.get(field.name, ""), hints[field.name])
        document.add(tomlkit.nl())
        document.add(name, table)
    return tomlkit.dumps(document)


def _add(table: Table, name: str, value: Any, doc: str, hint: Any) -> None:
    choices = ", ".join(map(str, typing.get_args(hint))) if typing.get_origin(hint) is Literal else ""
    for line in textwrap.wrap(f"{doc} One of: {choices}." if choices else doc, 100):
        table.add(tomlkit.comment(line))
    plain = NONE if value is None else list(value) if isinstance(value, tuple) else value
    table.add(name, tomlkit.item(plain))


def read_config(path: str | Path, classes: Mapping[str, type]) -> dict[str, Any]:
    """Read a configuration file; keys that it lacks have their defaults.

    Args:
        path: TOML file.
        classes: Dataclasses by section.

    Returns:
        Instances by section.

    Raises:
        ConfigError: When the file is missing, is no TOML, or holds unknown keys or values of the wrong kind; all of
            these are named at once.
    """
    document = _parse(Path(path))
    faults = [
        f"unknown section [{name}]{_near(name, classes)}" if isinstance(value, dict) else f"unknown key {name!r}"
        for name, value in document.items()
        if name not in classes and name not in _HEAD
    ]
    sections = {name: _read_section(name, document.get(name, {}), cls, faults) for name, cls in classes.items()}
    if faults:
        raise ConfigError([f"{path}: {fault}" for fault in faults], hint="`recurra config TASK` prints every key")
    return sections


def is_run_config(path: Path) -> bool:
    """Say whether a file is a configuration that a run wrote, not somebody else's of the same name."""
    try:
        return path.is_file() and tomllib.loads(path.read_text(encoding="utf-8")).keys() >= _HEAD
    except (OSError, ValueError):
        return False


def read_section(path: str | Path, name: str, cls: type[Section]) -> Section:
    """Read one section of a configuration file, whatever the others hold.

    Raises:
        ConfigError: When the file cannot be read, or the section holds unknown keys or values of the wrong kind.
    """
    faults: list[str] = []
    section = _read_section(name, _parse(Path(path)).get(name, {}), cls, faults)
    if faults:
        raise ConfigError([f"{path}: {fault}" for fault in faults])
    read: Section = section
    return read


def read_task_name(path: str | Path) -> str:
    """Return the task that a configuration file is for."""
    name = _parse(Path(path)).get("task")
    if not isinstance(name, str):
        raise ConfigError(f"{path} expected a key task with the task's name, got {name!r}")
    return name


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} is no TOML: {error}") from error


def _near(name: str, known: Mapping[str, Any]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def _read_section(name: str, values: Any, cls: type, faults: list[str]) -> Any:
    if not isinstance(values, dict):
        faults.append(f"expected [{name}] to be a section, got {values!r}")
        return None
    hints = typing.get_type_hints(cls)
    known = {field.name: field for field in dataclasses.fields(cls)}
    arguments = {}
    num_faults = len(faults)
    for key, value in values.items():
        if key not in known:
            faults.append(f"unknown key {name}.{key}{_near(key, known)}")
            continue
        try:
            arguments[key] = _convert(value, hints[key])
        except ValueError as error:
            faults.append(f"expected {name}.{key} to be {error}, got {value!r}")
    if len(faults) > num_faults:
        return None
    try:
        return cls(**arguments)
    except ConfigError as error:
        faults.extend(error.faults)
        return None


def _convert(value: Any, hint: Any) -> Any:
    """Return a TOML value as a field's type; the ValueError says what was expected."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value == NONE:
            return None
        return _convert(value, next(part for part in typing.get_args(hint) if part is not type(None)))
    if origin is Literal:
        if value not in typing.get_args(hint):
            raise ValueError(f"one of {', '.join(map(str, typing.get_args(hint)))}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError("a list")
        return tuple(_convert(item, typing.get_args(hint)[0]) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ValueError({str: "a string", int: "a whole number", float: "a number", bool: "true or false"}[hint])
    return value
