"""The same random numbers for the plain loop, which draws step by step, and compiled code, which draws all at once."""

from __future__ import annotations

import contextlib
from unittest import mock

import torch

from recurra.loop import native

__all__ = ["eager_draws", "native_draws"]


@contextlib.contextmanager
def native_draws(*draws):
    """Give compiled code these draws, (T, B, width) each, in the order in which one step takes them."""

    def evaluate(nodes, values, total):
        assert len(nodes) == len(draws)
        return [values.reshape(total, -1) for values in draws]

    with mock.patch.object(native, "evaluate", evaluate):
        yield


@contextlib.contextmanager
def eager_draws(*draws, reverse=False):
    """Give the plain loop the same: to ``torch.rand_like`` and, as zeros and ones, to ``dropout``."""
    steps = range(len(draws[0]))
    waiting = [values[t] for t in (reversed(steps) if reverse else steps) for values in draws]

    def rand_like(_):
        return waiting.pop(0)

    def dropout(value, p):
        return value * waiting.pop(0) / (1 - p)

    with (
        mock.patch.object(torch, "rand_like", rand_like),
        mock.patch.object(torch.nn.functional, "dropout", dropout),
    ):
        yield
    assert waiting == []
