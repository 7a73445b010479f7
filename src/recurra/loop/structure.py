"""What a module tree consists of.

Besides modules there may be containers, plain Python objects, closures and bound methods among the attributes and
hooks; all of them are looked into, as a step may read any of them.
"""

from __future__ import annotations

import enum
import functools
import logging
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.loop.graph import words

EXACT = frozenset(
    [bool, int, str, bytes, type(None), torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, range]
)
"""Types whose values are equal only if they are the same, within the type."""

SEQUENCES = (list, tuple, deque)
MAPPINGS = (dict, OrderedDict, defaultdict)
_SETS = (set, frozenset)
_BY_IDENTITY = (
    type,
    types.BuiltinFunctionType,
    types.ModuleType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    enum.Enum,
    torch.Generator,
    logging.Logger,
    torch._ops.OpOverload,
    torch._ops.OpOverloadPacket,
)
# what saving, loading and printing a module uses, not calling it
NOT_OF_THE_CALL = frozenset(
    words(
        "_state_dict_hooks _state_dict_pre_hooks _load_state_dict_pre_hooks _load_state_dict_post_hooks",
        "_non_persistent_buffers_set _compiled_call_impl",
    )
)


class Identity:
    """Equal to another only if both hold the same object, which it keeps alive."""

    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)

    def __repr__(self) -> str:
        return f"Identity({self.held!r})"


def kind_of(value: object) -> str:
    """Name the way in which ``value`` is copied and compared; "unknown" if there is none."""
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, torch.nn.Module):
        return "unknown" if isinstance(value, torch.jit.ScriptModule) else "module"
    if type(value) in EXACT or isinstance(value, float | complex | np.generic):
        return "plain"
    if type(value) in SEQUENCES or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return "sequence"
    if type(value) in MAPPINGS:
        return "mapping"
    if type(value) in _SETS:
        return "set"
    return _kind_of_object(value)


def _kind_of_object(value: object) -> str:
    if isinstance(value, types.FunctionType):
        return "function"
    if isinstance(value, types.MethodType):
        return "method"
    if isinstance(value, functools.partial):
        return "partial"
    if isinstance(value, types.CellType):
        return "cell"
    if isinstance(value, _BY_IDENTITY):
        return "fixed"
    cls = type(value)
    # an object whose whole state is its __dict__
    if cls.__new__ is object.__new__ and hasattr(value, "__dict__") and _has_no_slots(cls):
        return "object"
    return "unknown"


def _has_no_slots(cls: type) -> bool:
    return not any(vars(base).get("__slots__") for base in cls.__mro__) and bool(cls.__flags__ & (1 << 9))


def parts_of(value: Any, kind: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of each part, in the order in which paths and keys are made."""
    if kind == "sequence":
        yield from ((str(k), item) for k, item in enumerate(value))
    elif kind == "mapping":
        yield from ((str(k), item) for k, item in value.items())
        if isinstance(value, defaultdict):
            yield "default_factory", value.default_factory
    elif kind == "module":
        yield from _parts_of_module(value)
    elif kind == "object":
        yield from vars(value).items()
    elif kind == "function":
        yield from _parts_of_function(value)
    elif kind == "method":
        yield "self", value.__self__
        yield "function", value.__func__
    elif kind == "partial":
        yield "function", value.func
        yield from ((str(k), item) for k, item in enumerate(value.args))
        yield from value.keywords.items()
    elif kind == "cell":
        yield from [("", value.cell_contents)] if is_filled(value) else []


def _parts_of_module(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    for name, value in module.__dict__.items():
        if name in ("_parameters", "_buffers", "_modules"):
            yield from value.items()
        elif name not in NOT_OF_THE_CALL:
            yield name, value


def _parts_of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from ((f"default{k}", item) for k, item in enumerate(function.__defaults__ or ()))
    yield from (function.__kwdefaults__ or {}).items()


def is_filled(cell: types.CellType) -> bool:
    """Whether a variable of a closure has a value yet."""
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def is_closed(function: types.FunctionType) -> bool:
    """Whether a function has no parts that may change."""
    return not (function.__closure__ or function.__defaults__ or function.__kwdefaults__)
