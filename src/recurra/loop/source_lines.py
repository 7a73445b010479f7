"""Which line of a cell an operation comes from."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.fx.traceback as fx_traceback
from torch import Tensor
from torch.overrides import TorchFunctionMode

from recurra.errors import UnsupportedCellError

_TORCH = str(Path(torch.__file__).parent) + os.sep
_TORCH_MODULES = str(Path(torch.__file__).parent / "nn" / "modules") + os.sep
_GRAD_FN: Any = Tensor.grad_fn
# who asks for a node of autograd may put a hook on it
_HOOKS: tuple[Any, ...] = (Tensor.register_hook, Tensor.retain_grad, _GRAD_FN.__get__)
_LOOP = str(Path(__file__).parent) + os.sep


class CellMode(TorchFunctionMode):
    """While the cell runs, tells torch's tracer the line of the cell that each operation comes from.

    Args:
        who: The cell's class.
        given: What the cell is given: its weights, inputs and states.

    Attributes:
        has_hooks: Whether the cell put a hook on a gradient.
    """

    def __init__(self, who: str, given: list[Tensor]) -> None:
        super().__init__()
        self.who = who
        self.given = given
        self.has_hooks = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        line = _line_of_frame(_calling_frames())
        if line:
            fx_traceback.current_meta["stack_trace"] = line
        if func in _HOOKS:
            self._check_hook(args[0], line)
        if kwargs and kwargs.get("generator") is not None:
            raise UnsupportedCellError(
                f"{self.who} was expected to draw from torch's own generator, got another generator at {line}"
            )
        return func(*args, **(kwargs or {}))

    def _check_hook(self, tensor: Tensor, line: str) -> None:
        self.has_hooks = True
        # such a hook sees the gradient of all steps and of the outputs together, not that of one step
        if any(tensor is one for one in self.given):
            raise UnsupportedCellError(
                f"{self.who} was expected to put hooks only on tensors that it computes, "
                f"got a hook on a weight, an input or a state at {line}"
            )

    @contextlib.contextmanager
    def noting_lines(self) -> Iterator[None]:
        """Note the lines of what runs inside."""
        try:
            with self:
                yield
        finally:
            fx_traceback.current_meta.pop("stack_trace", None)


def keep_lines() -> contextlib.AbstractContextManager[None]:
    """Have the tracer keep the noted lines."""
    return fx_traceback.preserve_node_meta()


def run_cell(function: Callable[..., Any], *args: Any) -> Any:
    """Call ``function``; of the frames below this one, those outside torch are the cell's."""
    return function(*args)


_BOUNDARY = run_cell.__code__


def _calling_frames() -> Iterator[tuple[str, int]]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not _BOUNDARY:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


def _line_of_frame(frames: Iterator[tuple[str, int]]) -> str:
    """Return the line of the innermost frame outside torch, or else of torch's own modules."""
    inside_torch = ""
    for path, number in frames:
        if path.startswith(_TORCH):
            if path.startswith(_TORCH_MODULES) and not path.endswith("module.py"):
                inside_torch = inside_torch or _format(path, number)
        elif not path.startswith(_LOOP) and not path.startswith("<frozen"):
            return _format(path, number)
    return inside_torch


def line_of_error(error: BaseException) -> str:
    """Return the line of the cell at which ``error`` was raised, as ``file:line: text``; empty if there is none."""
    frames = list(traceback.walk_tb(error.__traceback__))
    below: list[tuple[str, int]] = []
    for frame, number in frames:
        if frame.f_code is _BOUNDARY:
            below = []
        below.append((frame.f_code.co_filename, number))
    if not any(frame.f_code is _BOUNDARY for frame, _ in frames):
        return ""
    return _line_of_frame(iter(reversed(below)))


def _format(path: str, number: int) -> str:
    text = linecache.getline(path, number).strip()
    return f"{path}:{number}: {text}" if text else f"{path}:{number}"
