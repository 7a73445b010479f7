"""Cells as users write them, shared by the tests of the compiled engine; all in float64."""

from __future__ import annotations

import torch

from recurra.cells import GRUCell, LSTMCell

D = torch.float64


class ResetBefore(torch.nn.Module):
    """A GRU with its reset gate before the product: two products in a row."""

    def __init__(self, input_size=3, hidden_size=4):
        super().__init__()
        self.state_size = hidden_size
        self.gates = torch.nn.Linear(input_size + hidden_size, 2 * hidden_size).double()
        self.candidate = torch.nn.Linear(input_size + hidden_size, hidden_size).double()

    def initial_state(self, batch_size):
        return self.candidate.weight.new_zeros(batch_size, self.state_size)

    def forward(self, x, h):
        r, z = torch.sigmoid(self.gates(torch.cat((x, h), 1))).chunk(2, 1)
        n = torch.tanh(self.candidate(torch.cat((x, r * h), 1)))
        return torch.lerp(n, h, z)


class Normed(torch.nn.Module):
    """Two states of different widths, layer norm, softmax over units, a learned scalar, an output of its own."""

    returns_output = True

    def __init__(self, input_size=3, hidden_size=4):
        super().__init__()
        self.state_size = (hidden_size, 2)
        self.output_size = hidden_size + 2
        self.mix = torch.nn.Linear(input_size + hidden_size, hidden_size).double()
        self.norm = torch.nn.LayerNorm(hidden_size).double()
        self.read = torch.nn.Parameter(torch.randn(hidden_size, 2, dtype=D))
        self.rate = torch.nn.Parameter(torch.tensor(0.3, dtype=D))

    def initial_state(self, batch_size):
        return tuple(self.read.new_zeros(batch_size, width) for width in self.state_size)

    def forward(self, x, state):
        h, m = state
        h = torch.tanh(self.norm(self.mix(torch.cat((x, h), 1))))
        m = (1 - self.rate) * m + self.rate * torch.softmax(h @ self.read, -1)
        return torch.cat((h * m.sum(1, keepdim=True), m), 1), (h, m)


class Base(torch.nn.Module):
    """The tensors of a small recurrence, for cells that differ in their forward."""

    state_size = 4

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.w = torch.nn.Parameter(torch.randn(4, 4, dtype=D) / 2)
        self.u = torch.nn.Parameter(torch.randn(3, 4, dtype=D) / 2)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 4, dtype=D)


KINDS = (LSTMCell, GRUCell, torch.nn.GRUCell, ResetBefore, Normed)


def build(kind, input_size=3, hidden_size=4, seed=5):
    torch.manual_seed(seed)
    return kind(input_size, hidden_size).double()


def build_x(num_steps=5, batch_size=4, input_size=3, seed=2, **options):
    torch.manual_seed(seed)
    return torch.randn(num_steps, batch_size, input_size, dtype=D, **options)


def random_state(cell, batch_size, seed=8):
    """Draw a state in the form and widths of ``cell.initial_state`` or of torch's cells."""
    torch.manual_seed(seed)
    sizes = getattr(cell, "state_size", None) or (cell.hidden_size,) * (1 + isinstance(cell, torch.nn.LSTMCell))
    widths = (sizes,) if isinstance(sizes, int) else sizes
    parts = tuple((torch.randn(batch_size, n, dtype=D) / 2).requires_grad_() for n in widths)
    return parts if len(parts) > 1 else parts[0]
