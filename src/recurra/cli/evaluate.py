"""``recurra evaluate RUN``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from recurra.cli.parsing import RunArgument, parse
from recurra.errors import ConfigError

_CACHE_WEIGHT, _CACHE_FLATNESS = 0.1, 0.3


@dataclass(frozen=True)
class EvaluateOptions:
    """Say how well a trained model predicts a text: nats and perplexity per token, bits per character."""

    run: RunArgument
    """Folder of the run."""
    files: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[FILE [FILE ...]]")] = ()
    """Text files, or names of data sets, to evaluate on; none means the run's own data."""
    split: Literal["train", "validation", "test"] | None = None
    """Part of the run's own data; unset means validation. Not with files."""
    reset_every: int | None = None
    """Forget everything after so many tokens; unset carries the state through the whole text. At least 1."""
    cache_size: int | None = None
    """Mix in a cache of so many recent tokens (Grave et al. 2017); only for streams. At least 1."""
    cache_weight: float | None = None
    """Share of the cache in the probabilities, in [0, 1); unset means 0.1."""
    cache_flatness: float | None = None
    """How much the cache prefers similar contexts, at least 0; unset means 0.3."""
    checkpoint: str = "best"
    """Which weights: best, last, or the step of a checkpoint that is still there."""
    json: bool = False
    """Print JSON."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(EvaluateOptions, "evaluate", arguments)

    from recurra.models import WordCache
    from recurra.tasks import load

    check(options)
    run = load(options.run, checkpoint=options.checkpoint)
    cache = None
    if options.cache_size is not None:
        weight = _CACHE_WEIGHT if options.cache_weight is None else options.cache_weight
        flatness = _CACHE_FLATNESS if options.cache_flatness is None else options.cache_flatness
        cache = WordCache(options.cache_size, weight, flatness)
    split = options.split or "validation"
    figures = run.evaluate(split, files=options.files, reset_every=options.reset_every, cache=cache)
    unit = run.tokenizer.unit
    if options.json:
        print(json.dumps({"step": run.step, "unit": unit, **figures}))
        return 0
    what = ", ".join(options.files) if options.files else split
    state = "anew for each line" if run.is_of_lines else "carried"
    if options.reset_every is not None:
        state = f"reset every {options.reset_every:,} {unit}s"
    print(f"{what}: {figures['num_tokens']:,} {unit}s, weights of step {run.step:,}, state {state}")
    print(f"loss           {figures['loss']:.4f} nats per {unit}")
    print(f"bits per char  {figures['bits_per_char']:.4f}")
    print(f"perplexity     {figures['perplexity']:.4f} per {unit}")
    return 0


def check(options: EvaluateOptions) -> None:
    """Refuse options that would mean nothing.

    Raises:
        ConfigError: When there are some.
    """
    faults = []
    if options.cache_size is None and (options.cache_weight is not None or options.cache_flatness is not None):
        faults.append("expected --cache-size with --cache-weight or --cache-flatness, got none")
    if options.files and options.split is not None:
        faults.append(f"expected no --split with files, got {options.split}")
    if faults:
        raise ConfigError(faults)
