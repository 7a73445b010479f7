"""A task of a few lines: predict the next number of a noisy cycle. It shows that the loop knows no task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from recurra.training.metrics import LossMetric
from recurra.training.protocol import StepResult

NUM_SYMBOLS = 7


@dataclass(frozen=True)
class TinyBatch:
    numbers: torch.Tensor  # (T + 1, B)
    starts_anew: bool
    cursor: dict

    def to(self, device):
        return self


class TinyModel(nn.Module):
    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding(NUM_SYMBOLS, 8)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.GRU(8, 8)
        self.decoder = nn.Linear(8, NUM_SYMBOLS)

    def forward(self, numbers, state):
        output, state = self.recurrent(self.dropout(self.embedding(numbers)), state)
        return self.decoder(output), state


class TinyTask:
    name = "tiny"

    def __init__(self, *, dropout: float = 0.2, bptt: int = 5, batch_size: int = 3, poison_at: int | None = None):
        self.dropout, self.bptt, self.batch_size, self.poison_at = dropout, bptt, batch_size, poison_at
        self.num_validations = 0

    def batches(self, split, seed, start=None):
        window = start["window"] if start else 0
        if split == "train":
            while True:
                yield self._batch(window, seed)
                window += 1
        elif split == "validation":
            self.num_validations += 1
            torch.rand(3)  # a careless task, which draws from the global generator
            for window in range(1000, 1004):
                yield self._batch(window, seed, first=window == 1000)

    def _batch(self, window, seed, first=None):
        generator = torch.Generator().manual_seed(seed * 10_000 + window)
        noise = torch.randint(0, 2, (self.bptt + 1, self.batch_size), generator=generator)
        steps = torch.arange(self.bptt + 1)[:, None] + window * self.bptt
        numbers = (steps + noise) % NUM_SYMBOLS
        anew = window % 8 == 0 if first is None else first
        return TinyBatch(numbers, anew, {"window": window + 1})

    def num_batches(self, split):
        return {"train": 8, "validation": 4, "test": 0}[split]

    def build_model(self):
        return TinyModel(self.dropout)

    def loss(self, model, batch, state):
        logits, state = model(batch.numbers[:-1], state)
        targets = batch.numbers[1:].flatten()
        loss = functional.cross_entropy(logits.flatten(0, 1), targets)
        if self.poison_at is not None and batch.cursor["window"] == self.poison_at:
            loss = loss * float("nan")
        return StepResult(loss, targets.numel(), state)

    def metrics(self, split):
        return {"loss": LossMetric()}

    def sample(self, model, seed):
        generator = torch.Generator().manual_seed(seed)
        return [str(torch.randint(0, NUM_SYMBOLS, (4,), generator=generator).tolist())]
