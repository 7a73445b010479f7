"""``recurra evaluate RUN``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from recurra.cli.parsing import RunArgument, parse


@dataclass(frozen=True)
class EvaluateOptions:
    """Say how well a trained model predicts a text: loss in nats per character, bits per character, perplexity."""

    run: RunArgument
    """Folder of the run."""
    files: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[FILE [FILE ...]]")] = ()
    """Text files, or names of data sets, to evaluate on; none means the run's own data."""
    split: Literal["train", "validation", "test"] = "validation"
    """Part of the run's own data."""
    reset_every: int | None = None
    """Forget everything after so many characters; unset carries the state through the whole text. At least 1."""
    checkpoint: str = "best"
    """Which weights: best, last, or the step of a checkpoint that is still there."""
    json: bool = False
    """Print JSON."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(EvaluateOptions, "evaluate", arguments)

    from recurra.tasks import load

    run = load(options.run, checkpoint=options.checkpoint)
    figures = run.evaluate(options.split, files=options.files, reset_every=options.reset_every)
    if options.json:
        print(json.dumps({"step": run.step, **figures}))
        return 0
    what = ", ".join(options.files) if options.files else options.split
    state = "carried" if options.reset_every is None else f"reset every {options.reset_every:,} characters"
    print(f"{what}: {figures['num_chars']:,} characters, weights of step {run.step:,}, state {state}")
    print(f"loss           {figures['loss']:.4f} nats per character")
    print(f"bits per char  {figures['bits_per_char']:.4f}")
    print(f"perplexity     {figures['perplexity']:.4f}")
    return 0
