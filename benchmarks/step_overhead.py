"""What does the training loop cost on top of the model's bare forward, backward and optimiser step?

Blocks of steps by the whole trainer (run folder, figures, progress line) take turns with blocks of bare steps on a copy
of the model, so that a machine whose speed drifts slows both. Prints the ratio of the block times: median, and range.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from rich.console import Console
from torch.nn import functional

from recurra.tasks.text import ModelConfig, TextConfig, TextTask
from recurra.training import Callback, TrainingConfig, train
from recurra.training.optimizers import build_optimizer
from recurra.training.progress import ConsoleProgress
from support.limits import verdict
from support.machine import machine

MOST_RATIO = 1.10


class TakeTurns(Callback):
    """After each block of the trainer's steps, runs as many bare ones and keeps both times."""

    def __init__(self, task: TextTask, config: TrainingConfig, block: int) -> None:
        self.task, self.config, self.block = task, config, block
        self.ours: list[float] = []
        self.bare: list[float] = []

    def on_start(self, trainer) -> None:
        self.model = copy.deepcopy(trainer.model)
        self.optimizer = build_optimizer(self.model, self.config)
        self.batches = list(islice(self.task.batches("train", seed=9), self.block))
        self.began = time.perf_counter()

    def on_step(self, trainer, loss, grad_norm) -> None:
        if trainer.progress.step % self.block == 0:
            self.ours.append(time.perf_counter() - self.began)
            began = time.perf_counter()
            self.run_bare()
            self.bare.append(time.perf_counter() - began)
            self.began = time.perf_counter()

    def run_bare(self) -> None:
        state = None
        for batch in self.batches:
            logits, state = self.model(batch.inputs, state)
            functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten()).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            state = tuple(part.detach() for part in state)


def measure(hidden_size: int, block: int, num_blocks: int) -> None:
    """Print one row."""
    config = TextConfig(
        model=ModelConfig(hidden_size=hidden_size),
        training=TrainingConfig(max_steps=block * num_blocks, num_validations=1, num_samples=0),
    )
    task = TextTask.from_config(config)
    turns = TakeTurns(task, config.training, block)
    with tempfile.TemporaryDirectory() as folder:
        progress = ConsoleProgress(Console(quiet=True))
        train(task, config.training, run=Path(folder) / "run", callbacks=[progress, turns])
    ratios = [ours / bare for ours, bare in zip(turns.ours[1:], turns.bare[1:], strict=True)]
    step_ms = statistics.median(turns.bare[1:]) / block * 1000
    tokens = config.data.batch_size * config.data.bptt
    print(
        f"2 x {hidden_size:<4} bare step {step_ms:7.2f} ms ({tokens / step_ms * 1000:9,.0f} tokens/s)   "
        f"trainer / bare {statistics.median(ratios):.3f}   [{min(ratios):.3f} .. {max(ratios):.3f}]  "
        f"{len(ratios)} pairs of {block} steps   {verdict(statistics.median(ratios), at_most=MOST_RATIO)}"
    )


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num-blocks", type=int, default=12)
    options = parser.parse_args()
    torch.manual_seed(0)
    print(machine())
    measure(128, 30, options.num_blocks)
    measure(512, 5, options.num_blocks)


if __name__ == "__main__":
    main()
