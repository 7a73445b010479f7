"""A private copy of a module tree: whatever a step does to it, the tree itself stays as it is."""

from __future__ import annotations

import functools
import types
from collections import deque
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from recurra.loop.structure import NOT_OF_THE_CALL, is_closed, is_filled, kind_of


def copy_cell(cell: torch.nn.Module, tensors: dict[int, Tensor]) -> torch.nn.Module:
    """Copy a module tree.

    Args:
        cell: Its root.
        tensors: By the id of a tensor of the tree, the one to stand in its place.
    """
    copied: torch.nn.Module = Copier(tensors).copy(cell)
    return copied


class Copier:
    """Copies a module tree: new modules, containers, objects and closures; tensors are replaced by what they map to.

    Args:
        tensors: By the id of a tensor of the tree, what stands in its place; a tensor not among them stays itself.
    """

    def __init__(self, tensors: dict[int, Tensor]) -> None:
        self.tensors = tensors
        self.memo: dict[int, Any] = {}

    def copy(self, value: Any) -> Any:
        """Return the copy of ``value``; the same one at every call."""
        kind = kind_of(value)
        if kind == "tensor":
            return self.tensors.get(id(value), value)
        if kind in ("plain", "fixed", "unknown") or (kind == "function" and is_closed(value)):
            return value
        if id(value) not in self.memo:
            made = getattr(self, f"_copy_{kind}")(value)
            self.memo.setdefault(id(value), made)
        return self.memo[id(value)]

    def _copy_module(self, module: torch.nn.Module) -> torch.nn.Module:
        new: torch.nn.Module = self._blank(module)
        for name, value in module.__dict__.items():
            new.__dict__[name] = value if name in NOT_OF_THE_CALL else self.copy(value)
        if parametrize.is_parametrized(module):
            parametrizations: Any = module.parametrizations
            new.__class__ = _without_cache(type(module), list(parametrizations))
        return new

    def _blank(self, value: Any) -> Any:
        new = self.memo[id(value)] = object.__new__(type(value))
        return new

    def _copy_object(self, value: Any) -> Any:
        new = self._blank(value)
        new.__dict__.update({name: self.copy(item) for name, item in vars(value).items()})
        return new

    def _copy_sequence(self, value: Any) -> Any:
        if isinstance(value, tuple):
            items = [self.copy(item) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        new = self.memo[id(value)] = value.__copy__() if isinstance(value, deque) else []
        new.clear()
        new.extend(self.copy(item) for item in value)
        return new

    def _copy_mapping(self, value: Any) -> Any:
        new = self.memo[id(value)] = value.copy()
        new.update({key: self.copy(item) for key, item in value.items()})
        return new

    def _copy_set(self, value: Any) -> Any:
        return type(value)(self.copy(item) for item in value)

    def _copy_cell(self, value: types.CellType) -> types.CellType:
        new = self.memo[id(value)] = types.CellType()
        if is_filled(value):
            new.cell_contents = self.copy(value.cell_contents)
        return new

    def _copy_function(self, value: types.FunctionType) -> types.FunctionType:
        closure = tuple(self.copy(cell) for cell in value.__closure__ or ())
        defaults = None if value.__defaults__ is None else tuple(self.copy(item) for item in value.__defaults__)
        new = types.FunctionType(value.__code__, value.__globals__, value.__name__, defaults, closure or None)
        new.__kwdefaults__ = None if value.__kwdefaults__ is None else self._copy_mapping(value.__kwdefaults__)
        new.__dict__.update(value.__dict__)
        return new

    def _copy_method(self, value: types.MethodType) -> types.MethodType:
        return types.MethodType(self.copy(value.__func__), self.copy(value.__self__))

    def _copy_partial(self, value: functools.partial) -> functools.partial:
        items = [self.copy(item) for item in value.args]
        return type(value)(
            self.copy(value.func), *items, **{name: self.copy(item) for name, item in value.keywords.items()}
        )


def _without_cache(cls: type, names: list[str]) -> type:
    """Return a parametrised class that computes its weights: torch's cache goes by the module that it was made for."""
    values = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    values |= {name: property(functools.partial(_compute_weight, name=name)) for name in names}
    return type(cls.__name__, cls.__bases__, values)


def _compute_weight(module: Any, name: str) -> Tensor:
    weight: Tensor = module.parametrizations[name]()
    return weight
