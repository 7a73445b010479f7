"""Cells by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TypeGuard, TypeVar

import torch

from recurra.errors import ArgumentError, ChoiceError

CellClass = TypeVar("CellClass", bound=type[torch.nn.Module])

_classes: dict[str, type[torch.nn.Module]] = {}
_first_names: list[str] = []


def register(*names: str) -> Callable[[CellClass], CellClass]:
    """Return a class decorator that makes a cell known under ``names``; the first is the one that lists show.

    Raises:
        ArgumentError: When no name is given, or one is taken or holds a colon, or the class is no ``torch.nn.Module``.
    """
    if not names:
        raise ArgumentError("register expected at least one name, got none")
    for name in names:
        if name in _classes:
            raise ArgumentError(f"register expected a free name, got {name!r}, the name of {_classes[name].__name__}")
        if not name or ":" in name:
            raise ArgumentError(f"register expected a name without a colon, got {name!r}")

    def add(cell_class: CellClass) -> CellClass:
        if not _is_cell_class(cell_class):
            raise ArgumentError(f"register expected a class of torch.nn.Module, got {cell_class!r}")
        _classes.update(dict.fromkeys(names, cell_class))
        _first_names.append(names[0])
        return cell_class

    return add


def cell_names() -> tuple[str, ...]:
    """List the registered cells, one name each, in alphabetical order.

    Example:
        >>> "gru" in cell_names()
        True
    """
    return tuple(sorted(_first_names))


def cell_aliases(name: str) -> tuple[str, ...]:
    """Return the other names of a registered cell, in the order in which they were registered.

    Raises:
        ChoiceError: When the name is unknown.

    Example:
        >>> cell_aliases("elman")
        ('rnn',)
    """
    if name not in _classes:
        raise ChoiceError("cell", name, sorted(_classes))
    return tuple(other for other, cell_class in _classes.items() if cell_class is _classes[name] and other != name)


def find_cell(cell: str | type[torch.nn.Module]) -> type[torch.nn.Module]:
    """Return the class that ``cell`` means.

    Args:
        cell: A class, which is returned as it is; a registered name; or ``"module:Class"``, which is imported.

    Raises:
        ChoiceError: When the name, or the class inside the module, is not there.
        ArgumentError: When ``cell`` is neither a name nor a class of ``torch.nn.Module``, or its module cannot be
            imported.

    Example:
        >>> find_cell("gru").__name__
        'GRUCell'
    """
    if _is_cell_class(cell):
        return cell
    if not isinstance(cell, str):
        hint = "pass its class, and its arguments as options" if isinstance(cell, torch.nn.Module) else ""
        raise ArgumentError(
            f"find_cell expected cell to be a name or a class of torch.nn.Module, got {cell!r}", hint=hint
        )
    if ":" in cell:
        return _import_cell(cell)
    if cell not in _classes:
        raise ChoiceError("cell", cell, sorted(_classes))
    return _classes[cell]


def _import_cell(path: str) -> type[torch.nn.Module]:
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's module may raise anything while it is imported
        raise ArgumentError(
            f"find_cell expected {path!r} to name a module that can be imported, got {type(error).__name__}: {error}",
            hint=f"a module goes by its name: {module_name.removesuffix('.py')}:{class_name}"
            if module_name.endswith(".py")
            else "",
        ) from error
    found = getattr(module, class_name, None)
    if not _is_cell_class(found):
        raise ChoiceError(
            f"class in {module_name}", class_name, sorted(k for k, v in vars(module).items() if _is_cell_class(v))
        )
    return found


def _is_cell_class(value: object) -> TypeGuard[type[torch.nn.Module]]:
    return isinstance(value, type) and issubclass(value, torch.nn.Module)
