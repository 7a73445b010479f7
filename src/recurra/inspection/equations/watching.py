"""Which names the tensors of a step go by in the code that computes them."""

from __future__ import annotations

import inspect
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

_NOT_OF_CELLS = tuple(str(Path(found).parent) + os.sep for found in (torch.__file__, __file__, os.__file__))
_TORCH_MODULES = str(Path(torch.__file__).parent / "nn" / "modules") + os.sep
_SITE_PACKAGES = f"{os.sep}site-packages{os.sep}"


@dataclass(frozen=True)
class Binding:
    """A name that was given to a tensor.

    Attributes:
        name: The variable; for a tensor inside a tuple, the tuple's name, an underscore and its number or field.
        tensor: What it was bound to.
        is_in_forward: Whether this happened in the cell's ``forward``, and not in what that calls.
        is_part: Whether the name is that of a tuple.
    """

    name: str
    tensor: Tensor
    is_in_forward: bool
    is_part: bool


def is_of_cell(path: str) -> bool:
    """Say whether a file may hold the code of a cell: not torch, the standard library, or this package."""
    if path.startswith(_NOT_OF_CELLS[:2]) or path.startswith("<frozen"):
        return False
    return not path.startswith(_NOT_OF_CELLS[2]) or _SITE_PACKAGES in path


def _is_of_cell(frame: FrameType) -> bool:
    # what dataclasses write has no file of its own
    module = frame.f_globals.get("__name__", "")
    return is_of_cell(frame.f_code.co_filename) and not str(module).startswith("recurra.inspection")


def place_of_error(error: BaseException) -> str:
    """Return the line of the cell at which an error was raised; empty if it is none of the cell's."""
    found = ""
    is_below = False
    for frame, number in traceback.walk_tb(error.__traceback__):
        is_below = is_below or frame.f_code is run_watched.__code__
        if is_below and _is_of_cell(frame):
            found = _place(frame.f_code.co_filename, number)
    return found


def run_watched(function: Callable[..., Any], *given: Any) -> Any:
    """Call a function; of the frames below this one, those outside torch are the cell's."""
    return function(*given)


def calling_place() -> str:
    """Return the line of the cell that is running, as ``file:number: text``; empty if none is.

    It is the innermost line outside torch, or else of torch's own modules.
    """
    frame: FrameType | None = sys._getframe(1)
    inside_torch = ""
    while frame is not None and frame.f_code is not run_watched.__code__:
        path = frame.f_code.co_filename
        if _is_of_cell(frame):
            return _place(path, frame.f_lineno)
        if path.startswith(_TORCH_MODULES) and not path.endswith("module.py"):
            inside_torch = inside_torch or _place(path, frame.f_lineno)
        frame = frame.f_back
    return inside_torch


def _place(path: str, number: int) -> str:
    text = linecache.getline(path, number).strip()
    return f"{path}:{number}: {text}" if text else f"{path}:{number}"


class Watcher:
    """Notes each name that a tensor is given while a cell runs.

    Args:
        forward: The cell's ``forward``.
    """

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.code: CodeType | None = getattr(inspect.unwrap(getattr(forward, "__func__", forward)), "__code__", None)
        self.bindings: list[Binding] = []
        self._seen: dict[FrameType, dict[str, int]] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the names while what is inside runs."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)
            self._seen.clear()

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._step if _is_of_cell(frame) else None

    def _step(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event in ("line", "return"):
            self._note(frame)
        if event == "return":
            self._seen.pop(frame, None)
        return self._step

    def _note(self, frame: FrameType) -> None:
        seen = self._seen.setdefault(frame, {})
        is_in_forward = frame.f_code is self.code
        for name, value in frame.f_locals.items():
            # the same object may be bound again, and an old one may have had the same id: both are noted at most twice
            if name.isidentifier() and seen.get(name) != id(value):
                seen[name] = id(value)
                for spelled, tensor in _tensors(name, value):
                    self.bindings.append(Binding(spelled, tensor, is_in_forward, spelled != name))


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, tuple | list):
        fields = getattr(value, "_fields", None) or [str(number) for number in range(1, len(value) + 1)]
        for part, item in zip(fields, value, strict=True):
            if isinstance(item, Tensor):
                yield f"{name}_{part}", item
