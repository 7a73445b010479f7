"""One walk through a module tree: a key of all its Python values, and its tensors by path."""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules import module as torch_module
from torch.nn.parameter import is_lazy
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from recurra.errors import UnsupportedCellError
from recurra.loop.structure import EXACT, MAPPINGS, NOT_OF_THE_CALL, Identity, is_closed, kind_of, parts_of

MAX_ITEMS = 4096
"""Containers longer than this are refused: looking through them at every call would cost more than the loop gains."""
_CONSTANT_CLASSES = ("torch.", "recurra.", "builtins", "typing", "abc")
_COMPARED_IN_CLASSES = frozenset(["plain", "sequence", "mapping", "set"])
_PLAIN_TENSORS = (Tensor, torch.nn.Parameter)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Examiner:
    """Goes through a module tree once, for its key and its tensors.

    Attributes:
        key: Everything that the trace of a call may depend on, as one flat list.
        tensors: The tensors by their dotted path, each under the first.
        marks: Where in the key each attribute begins; ``None`` unless it is asked for.
    """

    def __init__(self, who: str, *, has_marks: bool = False) -> None:
        self.who = who
        self.key: list[Any] = []
        self.tensors: dict[str, Tensor] = {}
        self.marks: list[tuple[int, str]] | None = [] if has_marks else None
        self.seen: dict[int, int] = {}
        self.held: list[Any] = []

    def add(self, value: Any, path: str) -> None:
        """Append ``value``, which lies at ``path``, to the key.

        Raises:
            UnsupportedCellError: When it is of a kind that cannot be compared.
        """
        cls = type(value)
        if cls in EXACT:
            self.key += (cls, value)
            return
        kind = "tensor" if cls in _PLAIN_TENSORS else kind_of(value)
        if kind == "plain":
            # 0.0 == -0.0, and nan differs from itself
            self.key += (cls, value if value == value and value != 0 else str(value))
        elif kind == "fixed" or (kind == "function" and is_closed(value)):
            self.key.append(Identity(value))
        elif kind == "unknown":
            raise UnsupportedCellError(
                f"{self.who} expected attributes whose values it can compare, got {cls.__module__}.{cls.__qualname__} "
                f"for {path}",
                hint="keep it outside the cell, or use engine='eager'",
            )
        elif id(value) in self.seen:
            self.key += ("again", self.seen[id(value)])
        else:
            self.seen[id(value)] = len(self.seen)
            (self._add_tensor if kind == "tensor" else self._add_parts)(value, kind, path)

    def _add_tensor(self, tensor: Tensor, _: str, path: str) -> None:
        if type(tensor) not in _PLAIN_TENSORS and is_lazy(tensor):
            raise UnsupportedCellError(f"{self.who} expected tensors that have a shape, got a lazy one for {path}")
        while path in self.tensors:
            path += "'"
        self.tensors[path] = tensor
        self.key += (
            type(tensor),
            tensor.dtype,
            tensor.shape,
            tensor.requires_grad,
            tensor.device,
            tensor.stride() if tensor.layout is torch.strided else tensor.layout,
        )

    def _add_parts(self, value: Any, kind: str, path: str) -> None:
        if kind == "module":
            self._add_module(value, path)
            return
        # what is made on the way, like a bound method, must outlive the ids taken of it
        self.held.append(value)
        if kind in ("sequence", "mapping", "set"):
            if len(value) > MAX_ITEMS:
                raise UnsupportedCellError(
                    f"{self.who} expected containers of at most {MAX_ITEMS} items, got {len(value)} in {path}",
                    hint="keep it outside the cell, or use engine='eager'",
                )
            self.key += (type(value), len(value))
        else:
            self.key += (kind, Identity(value.__code__ if kind == "function" else type(value)))
        if kind == "set":
            self._add_set(value, path)
        elif kind == "mapping":
            for name in value:
                self.add(name, f"{path} (a key)")
        for name, item in parts_of(value, kind):
            if kind not in ("sequence", "mapping"):
                self.key.append(name)
            self.add(item, f"{path}.{name}" if name else path)

    def _add_set(self, value: Any, path: str) -> None:
        for item in value:
            if type(item) not in EXACT:
                raise UnsupportedCellError(
                    f"{self.who} expected sets of names and integers, got {type(item).__name__} in {path}"
                )
        self.key.append(frozenset((type(item), item) for item in value))

    def _add_module(self, module: torch.nn.Module, path: str) -> None:
        values = module.__dict__
        key = self.key
        names = tuple(values)
        key += (type(module), names)
        self._add_class(type(module))
        unread = frozenset(_computed_names(module)) if values["_forward_pre_hooks"] else ()
        prefix = f"{path}." if path else ""
        for name, value in values.items():
            cls = type(value)
            if self.marks is not None:
                self.marks.append((len(key), prefix + name))
            if cls in EXACT:
                key += (cls, value)
            elif name in NOT_OF_THE_CALL or name in unread:
                continue
            elif name in ("_parameters", "_buffers", "_modules"):
                key += (len(value), *value)
                for part, item in value.items():
                    if self.marks is not None:
                        self.marks.append((len(key), prefix + part))
                    self.add(item, prefix + part)
            elif cls in MAPPINGS and not value:
                key.append(0)
            else:
                self.add(value, prefix + name)

    def _add_class(self, cls: type) -> None:
        """Append what a class of a user holds; torch's and Recurra's do not change."""
        key = self.key
        key.append(cls.forward)  # type: ignore[attr-defined]  # all modules have one
        for base in cls.__mro__:
            if base.__module__.startswith(_CONSTANT_CLASSES):
                continue
            for name, value in vars(base).items():
                kind = type(value)
                if name.startswith("__") and name not in ("__call__", "__getattr__"):
                    continue
                key.append(name)
                if kind is types.FunctionType:
                    key.append(value)
                elif kind in EXACT or kind_of(value) in _COMPARED_IN_CLASSES:
                    self.add(value, f"{base.__name__}.{name}")
                else:
                    key.append(Identity(value))


def global_hooks() -> tuple[Any, ...]:
    """Return the hooks that torch calls for every module."""
    found = (getattr(torch_module, f"_global{name}") for name in _HOOKS)
    return tuple(Identity(hook) for hooks in found for hook in hooks.values())


def _computed_names(module: torch.nn.Module) -> list[str]:
    """Name the attributes that hooks of torch compute anew at every call."""
    return [hook.name for hook in module._forward_pre_hooks.values() if isinstance(hook, WeightNorm | SpectralNorm)]


def first_difference(before: Examiner, after: Examiner) -> str | None:
    """Return the path of the first attribute whose value or tensor differs; ``None`` if all are the same.

    Args:
        before: An earlier walk through a module tree.
        after: A later one, with marks.
    """
    if before.key != after.key:
        return _path_of_difference(before.key, after.key, after.marks or [])
    changed = (path for path, tensor in before.tensors.items() if after.tensors[path] is not tensor)
    return next(changed, None)


def _path_of_difference(before: list[Any], after: list[Any], marks: list[tuple[int, str]]) -> str:
    same = zip(before, after, strict=False)
    place = next((k for k, (a, b) in enumerate(same) if a != b), min(len(before), len(after)))
    path = next((path for start, path in reversed(marks) if start <= place), "")
    old_names, new_names = (key[place] if place < len(key) else None for key in (before, after))
    if isinstance(old_names, tuple) and isinstance(new_names, tuple):
        # the names of the attributes of a module come before the first of them
        added = sorted(set(map(str, new_names)) ^ set(map(str, old_names)))
        path = ".".join([*path.split(".")[:-1], *added[:1]])
    elif path.split(".")[-1] in ("_parameters", "_buffers", "_modules") and isinstance(new_names, int):
        path = str(after[place + new_names])
    return path
