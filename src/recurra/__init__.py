"""Recurra: recurrent neural networks on PyTorch.

The public names load on first use, so that ``recurra --help`` need not wait for PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from recurra.cells import Cell
    from recurra.errors import RecurraError, UnsupportedCellError
    from recurra.layers import GRU, LSTM, RNN, Recurrent
    from recurra.loop import unroll
    from recurra.tasks import load
    from recurra.training import train

_HOMES = {
    "Cell": "recurra.cells",
    "GRU": "recurra.layers",
    "LSTM": "recurra.layers",
    "RNN": "recurra.layers",
    "Recurrent": "recurra.layers",
    "RecurraError": "recurra.errors",
    "UnsupportedCellError": "recurra.errors",
    "load": "recurra.tasks",
    "train": "recurra.training",
    "unroll": "recurra.loop",
}

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "RecurraError",
    "Recurrent",
    "UnsupportedCellError",
    "__version__",
    "load",
    "train",
    "unroll",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
