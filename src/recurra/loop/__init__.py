"""The loop: from one step of a cell to a whole sequence."""

from __future__ import annotations

from recurra.loop.checks import check_states
from recurra.loop.describe import describe
from recurra.loop.engines import TORCH_STEPS
from recurra.loop.packing import packed_index
from recurra.loop.probing import Layout, find_layout, state_names
from recurra.loop.unroll import ENGINES, check_engine, unroll

__all__ = [
    "ENGINES",
    "TORCH_STEPS",
    "Layout",
    "check_engine",
    "check_states",
    "describe",
    "find_layout",
    "packed_index",
    "state_names",
    "unroll",
]
