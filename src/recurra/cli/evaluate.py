"""``recurra evaluate RUN``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from recurra.cli.parsing import RunArgument, parse
from recurra.cli.runs import load_text_run, options_of_one_task, task_name
from recurra.errors import ConfigError

_CACHE_WEIGHT, _CACHE_FLATNESS = 0.1, 0.3


@dataclass(frozen=True)
class EvaluateOptions:
    """Say how well a trained model does: on its own held-out data, or on files.

    A model of text: nats and perplexity per token, bits per character. Other tasks: their metrics, and finer tables.
    """

    run: RunArgument
    """Folder of the run."""
    files: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[FILE [FILE ...]]")] = ()
    """Files in the formats that the task trains on, or names of data sets, to evaluate on; none means the run's own
    data."""
    split: Literal["train", "validation", "test"] | None = None
    """Part of the run's own data; unset means validation. Not with files."""
    text_column: str | None = None
    """Only of classify, with files: column of a table that holds the text. Unset: what the data set or the run's
    configuration says."""
    label_column: str | None = None
    """Only of classify, with files: column of a table that holds the label; unset as for text_column."""
    reset_every: int | None = None
    """Only of text: forget everything after so many tokens; unset carries the state through the whole text.
    At least 1."""
    cache_size: int | None = None
    """Only of text: mix in a cache of so many recent tokens (Grave et al. 2017); only for streams. At least 1."""
    cache_weight: float | None = None
    """Share of the cache in the probabilities, in [0, 1); unset means 0.1."""
    cache_flatness: float | None = None
    """How much the cache prefers similar contexts, at least 0; unset means 0.3."""
    num_beams: int | None = None
    """Only of translations: hypotheses that beam search keeps; 1 is greedy. Unset: what the run's configuration says.
    At least 1."""
    length_penalty: float | None = None
    """Only of translations: exponent by which beam search favours longer ones (Wu et al. 2016); 0 favours none.
    Unset: what the run's configuration says."""
    max_length: int | None = None
    """Only of translations: tokens of one with its end, at most. At least 1.
    Unset: what the run's configuration says."""
    checkpoint: str = "best"
    """Which weights: best, last, average of those kept, or the step of a checkpoint that is still there."""
    json: bool = False
    """Print JSON."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(EvaluateOptions, "evaluate", arguments)

    task = task_name(options.run)
    keywords = check(options, task)
    if task == "text":
        evaluate_text(options)
    else:
        evaluate_examples(options, keywords)
    return 0


def evaluate_text(options: EvaluateOptions) -> None:
    """Evaluate a run of the task text, and print what came out."""
    from recurra.models import WordCache

    run = load_text_run(options.run, "evaluate", checkpoint=options.checkpoint)
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
        return
    what = ", ".join(options.files) if options.files else split
    state = "anew for each line" if run.is_of_lines else "carried"
    if options.reset_every is not None:
        state = f"reset every {options.reset_every:,} {unit}s"
    print(f"{what}: {figures['num_tokens']:,} {unit}s, weights of step {run.step:,}, state {state}")
    print(f"loss           {figures['loss']:.4f} nats per {unit}")
    print(f"bits per char  {figures['bits_per_char']:.4f}")
    print(f"perplexity     {figures['perplexity']:.4f} per {unit}")


def evaluate_examples(options: EvaluateOptions, keywords: Mapping[str, Any]) -> None:
    """Evaluate a run of any other task, and print what came out.

    Args:
        options: The command line.
        keywords: What the task alone takes.
    """
    from recurra.cli.evaluation_text import evaluation_lines
    from recurra.tasks import load

    run: Any = load(options.run, checkpoint=options.checkpoint)
    evaluation = run.evaluate(options.split or "validation", files=options.files, **keywords)
    if options.json:
        print(json.dumps({"step": run.step, **evaluation.to_json()}, ensure_ascii=False))
        return
    print("\n".join(evaluation_lines(evaluation, run.step)))


def check(options: EvaluateOptions, task: str) -> dict[str, Any]:
    """Return the options that only the run's task knows; refuse those that would mean nothing.

    Raises:
        ConfigError: When there are some.
    """
    keywords, faults = options_of_one_task(options, task)
    of_cache = {name for name in keywords if name.startswith("cache_")}
    if task == "text" and of_cache and "cache_size" not in of_cache:
        faults.append("expected --cache-size with --cache-weight or --cache-flatness, got none")
    if options.files and options.split is not None:
        faults.append(f"expected no --split with files, got {options.split}")
    if task == "classify" and not options.files:
        named = [name for name in ("text_column", "label_column") if name in keywords]
        faults += [f"expected no --{name.replace('_', '-')} without files, got {keywords[name]}" for name in named]
    if faults:
        raise ConfigError(faults)
    return keywords
