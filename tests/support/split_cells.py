"""Small cells, traced and cut into sections."""

from __future__ import annotations

import torch

from recurra.cells import GRUCell, LSTMCell
from recurra.loop.fission import Fission, split
from recurra.loop.rewrite import cut_products
from tests.oracles.traced import trace

IN, H = 3, 5


class Cell(torch.nn.Module):
    """``compute(cell, x, h)`` is the step; its weights are ``u`` (IN, H), ``w`` (H, H), ``both`` for cat((x, h))."""

    def __init__(self, compute, **attributes):
        super().__init__()
        self.compute = compute
        for name, value in attributes.items():
            setattr(self, name, value)
        self.u, self.w = (torch.nn.Parameter(torch.randn(n, H)) for n in (IN, H))
        self.both = torch.nn.Parameter(torch.randn(IN + H, H))
        self.bias = torch.nn.Parameter(torch.randn(H))

    def forward(self, x, h):
        return self.compute(self, x, h)


def reset_before(cell, x, h):
    r = torch.sigmoid(x @ cell.u + h @ cell.w)
    n = torch.tanh(torch.cat((x, r * h), 1) @ cell.both)
    return 0.5 * h + r * n


def fission_of(cell, *, num_states=1, **options) -> Fission:
    """Trace and split; ``options`` are those of the trace."""
    states = tuple(torch.randn(4, H) for _ in range(num_states))
    graph = trace(cell, torch.randn(4, IN), states[0] if num_states == 1 else states, **options)
    return split(cut_products(graph))


CELLS = {  # and how many states they have
    "lstm": (LSTMCell(IN, H), 2),
    "gru": (GRUCell(IN, H), 1),
    "reset before": (Cell(reset_before), 1),
    "norm": (
        Cell(lambda c, x, h: torch.softmax(torch.nn.functional.layer_norm(x @ c.u + h @ c.w, (H,)), 1) + 0.5 * h),
        1,
    ),
    "running": (
        Cell(lambda c, x, h: torch.cumsum(torch.cat((h[:, 2:], x[:, :2]), 1) * torch.tanh(h @ c.w), 1) * 0.1),
        1,
    ),
}
