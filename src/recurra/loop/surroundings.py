"""The numbers around a cell that its code reads: plain values of global variables, and of enclosing functions."""

from __future__ import annotations

import functools
import types
from collections.abc import Hashable, Iterator
from typing import Any

import torch

from recurra.loop.graph import words

_PLAIN = (int, float, complex, bool, str, bytes, type(None))
_CONSTANT_MODULES = ("torch.", "recurra.")
_TO_PARAMETRIZATIONS = frozenset(
    words(
        "parametrizations is_parametrized _modules modules named_modules children named_children get_submodule",
        "parameters named_parameters get_parameter buffers named_buffers get_buffer state_dict",
    )
)


def plain_surroundings(cell: torch.nn.Module) -> Hashable:
    """Return the plain values that the classes of a module tree read from around them, as far as they can be seen.

    Seen are names of the module that a class is written in, and variables of the function that it is written in, where
    a method, or a function that a method names, uses them. Attributes of other objects are not.
    """
    found: list[Any] = []
    classes: set[Any] = {type(module) for module in cell.modules()}
    for cls in classes:
        for variables, names in _reads(cls):
            for name in names:
                value = variables.get(name, _PLAIN)
                if isinstance(value, _PLAIN):
                    found.append((cls, name, type(value), repr(value)))
        for closure in _closures(cls):
            value = _contents(closure)
            if isinstance(value, _PLAIN):
                found.append((cls, id(closure), type(value), repr(value)))
    return frozenset(found)


@functools.lru_cache(maxsize=1024)
def _reads(cls: type) -> tuple[tuple[dict[str, Any], tuple[str, ...]], ...]:
    """Return for each function the global variables, and those of their names that it uses."""
    return tuple((f.__globals__, tuple(sorted(set(_names(f.__code__))))) for f in _functions(cls))


@functools.lru_cache(maxsize=1024)
def reads_parametrizations(cls: type) -> bool:
    """Whether the step of a class may look at what its weights are computed from, as far as it can be seen.

    Seen is a name that leads there, in ``forward`` or in what it calls of its class and of its module.
    """
    waiting = ["forward"]
    known: set[str] = set()
    # of one name there may be several, where a class calls that of its base
    functions: dict[str, list[types.FunctionType]] = {}
    for function in (*_functions(cls), *_properties(cls)):
        functions.setdefault(function.__name__, []).append(function)
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        for function in functions.get(name, ()):
            waiting += [*_names(function.__code__), *_texts(function.__code__)]
    return not known.isdisjoint(_TO_PARAMETRIZATIONS)


@functools.lru_cache(maxsize=1024)
def _closures(cls: type) -> tuple[types.CellType, ...]:
    return tuple(cell for function in _functions(cls) for cell in function.__closure__ or ())


def _functions(cls: type) -> list[types.FunctionType]:
    """Return the methods of a class that are not torch's or ours, and the functions of their modules that they name."""
    waiting = [
        value
        for base in cls.__mro__
        if not f"{base.__module__}.".startswith(_CONSTANT_MODULES)
        for value in vars(base).values()
        if isinstance(value, types.FunctionType)
    ]
    found: list[types.FunctionType] = []
    while waiting:
        function = waiting.pop()
        if function in found or f"{function.__module__}.".startswith(_CONSTANT_MODULES):
            continue
        found.append(function)
        named = (function.__globals__.get(name) for name in _names(function.__code__))
        enclosed = (_contents(cell) for cell in function.__closure__ or ())
        waiting += [value for value in (*named, *enclosed) if isinstance(value, types.FunctionType)]
    return found


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _properties(cls: type) -> list[types.FunctionType]:
    values = (value.fget for base in cls.__mro__ for value in vars(base).values() if isinstance(value, property))
    return [function for function in values if isinstance(function, types.FunctionType)]


def _texts(code: types.CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _texts(constant)
        elif isinstance(constant, str):
            yield constant


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return _PLAIN
