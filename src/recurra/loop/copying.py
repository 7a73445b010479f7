"""A private copy of a module tree: whatever a step does to it, the tree itself stays as it is."""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.loop.parametrized import PARAMETRIZATIONS, computed_names, plain_type
from recurra.loop.structure import EXACT, MAPPINGS, NOT_OF_THE_CALL, is_closed, is_filled, kind_of


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
        computed: By the id of a module and the name of a weight, what its parametrisations computed. The copy of such a
            module is of the class that was written, and holds it as an attribute. A copy with them is not to be run,
            but copied again: what is empty in it is not copied.
        has_parametrizations: Whether such a copy keeps the parametrisations too.
    """

    def __init__(
        self,
        tensors: dict[int, Tensor],
        *,
        computed: Mapping[tuple[int, str], Any] = types.MappingProxyType({}),
        has_parametrizations: bool = True,
    ) -> None:
        self.tensors = tensors
        self.computed = computed
        self.has_parametrizations = has_parametrizations
        self.memo: dict[int, Any] = {}

    def copy(self, value: Any) -> Any:
        """Return the copy of ``value``; the same one at every call."""
        cls = type(value)
        if cls in EXACT:
            return value
        kind = "mapping" if cls in MAPPINGS else kind_of(value)
        if kind == "tensor":
            return self.tensors.get(id(value), value)
        if kind in ("plain", "fixed", "unknown") or (kind == "function" and is_closed(value)):
            return value
        if id(value) not in self.memo:
            made = getattr(self, f"_copy_{kind}")(value)
            self.memo.setdefault(id(value), made)
        return self.memo[id(value)]

    def _copy_module(self, module: torch.nn.Module) -> torch.nn.Module:
        computed = self._computed_weights(module) if self.computed else {}
        new: torch.nn.Module = self._blank(module, plain_type(module) if computed else type(module))
        values, memo = new.__dict__, self.memo
        for name, value in module.__dict__.items():
            if name in NOT_OF_THE_CALL or type(value) in EXACT:
                values[name] = value
            elif type(value) in MAPPINGS and not value:
                # most are, and a copy with computed weights, which nothing runs, is made at every call
                values[name] = memo.setdefault(id(value), value if self.computed else value.copy())
            elif computed and name == "_modules" and not self.has_parametrizations:
                values[name] = {key: self.copy(child) for key, child in value.items() if key != PARAMETRIZATIONS}
            else:
                values[name] = self.copy(value)
        values.update(computed)
        return new

    def _computed_weights(self, module: torch.nn.Module) -> dict[str, Any]:
        keys = {name: (id(module), name) for name in computed_names(module)}
        return {name: self.computed[key] for name, key in keys.items() if key in self.computed}

    def _blank(self, value: Any, cls: type) -> Any:
        new: Any = object.__new__(cls)
        self.memo[id(value)] = new
        return new

    def _copy_object(self, value: Any) -> Any:
        new = self._blank(value, type(value))
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
        if value:
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
