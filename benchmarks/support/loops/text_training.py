"""Tokens a second of the text task: bare training steps of its language model on each engine."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional

from recurra.tasks.text import ModelConfig, TextConfig, TextTask
from recurra.training import TrainingConfig
from recurra.training.optimizers import build_optimizer
from support.loops.report import Options, Report
from support.turns import take_turns

ENGINES = ("torch", "eager")
"""What "auto" is measured against."""


class TrainingSteps:
    """Steps of one model, one a call; the state is carried, as in a run."""

    def __init__(self, hidden_size: int, engine: str) -> None:
        config = TextConfig(
            model=ModelConfig(hidden_size=hidden_size, engine=engine),  # type: ignore[arg-type]
            training=TrainingConfig(),
        )
        torch.manual_seed(0)
        task = TextTask.from_config(config)
        self.model = task.build_model()
        self.optimizer = build_optimizer(self.model, config.training)
        self.batches = list(islice(task.batches("train", seed=9), 20))
        self.tokens = self.batches[0].targets.numel()
        self.done = 0
        self.state: tuple[Tensor, ...] | None = None

    def __call__(self) -> None:
        """Run one step: forward, backward, optimiser."""
        batch = self.batches[self.done % len(self.batches)]
        self.done += 1
        logits, state = self.model(batch.inputs, self.state)
        torch.autograd.backward(functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten()))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.state = tuple(part.detach() for part in state)


def measure_text(report: Report, options: Options) -> None:
    """Two layers of 128 and of 512 LSTM units."""
    for hidden_size in (128, 512)[: 1 if options.quick else 2]:
        steps = {engine: TrainingSteps(hidden_size, engine) for engine in (options.engine, *ENGINES)}
        turns = take_turns(steps, options.rounds, most_s=30.0)
        rates = {engine: step.tokens / turns.median_s(engine) for engine, step in steps.items()}
        ratios = {engine: turns.ratio(engine, options.engine) for engine in ENGINES}
        report.row(
            f"2 x {hidden_size:<4} "
            + "   ".join(f"{engine} {rate:9,.0f} tokens/s" for engine, rate in rates.items())
            + "   "
            + "   ".join(f"{engine} / ours {ratio:.2f}" for engine, ratio in ratios.items()),
            hidden_size=hidden_size,
            tokens_per_s=rates,
            ratios=ratios,
        )
