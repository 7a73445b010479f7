"""A cell of one's own, for `recurra explain own_cell:LeakyGate` in this folder."""

import torch
from torch import Tensor


class LeakyGate(torch.nn.Module):
    """Each unit moves towards a candidate, by a share that a gate chooses and that is at most its rate."""

    def __init__(self, input_size: int, hidden_size: int, rate: float = 0.5) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.rate = rate
        self.gate = torch.nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = torch.nn.Linear(input_size + hidden_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        return self.gate.bias.new_zeros(batch_size, self.hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        joined = torch.cat((x, h), 1)
        g = self.rate * torch.sigmoid(self.gate(joined))
        n = torch.tanh(self.candidate(joined))
        return (1 - g) * h + g * n
