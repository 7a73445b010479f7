"""The language models of the Penn Treebank that several benchmarks train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recurra.cli.train import parse_options
from recurra.tasks.text import TextTask
from support.commands import recurra

_SHARED = ["--num-layers", "2", "--optimizer", "adamw", "--lr", "0.006", "--schedule", "cosine", "--num-samples", "0"]
WORDS = ["--data", "ptb", "--hidden-size", "200", "--tie-weights", "--batch-size", "20", "--bptt", "35", *_SHARED]
WORDS += ["--input-dropout", "0.2", "--dropout", "0.2", "--output-dropout", "0.2"]
"""Words: two layers of 200, tied weights, a fifth of everything dropped, 20 streams of 35 words."""
CHARACTERS = ["--data", "ptb-char", "--hidden-size", "384", "--batch-size", "32", "--bptt", "100", *_SHARED]
CHARACTERS += ["--dropout", "0.1", "--output-dropout", "0.1"]
"""Characters: two layers of 384, 32 streams of 100 characters."""


def train_treebank(options: Sequence[str], minutes: float, run: Path) -> int:
    """Train for some minutes with a validation after each pass, and return the number of steps of a pass.

    Args:
        options: Options of ``recurra train text``.
        minutes: Time for all of training.
        run: Folder of the run.
    """
    task = TextTask.from_config(parse_options("text", options).options)
    steps = task.num_batches("train")
    budget = ["--time-budget-s", str(60 * minutes), "--validate-every", str(steps)]
    recurra("train", "text", *options, *budget, "--run", str(run), show_messages=True)
    return steps
