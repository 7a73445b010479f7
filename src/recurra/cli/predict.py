"""``recurra predict RUN FILE``."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from recurra.cli.parsing import RunArgument, parse
from recurra.cli.runs import options_of_one_task, task_name
from recurra.errors import ConfigError, RunError


@dataclass(frozen=True)
class PredictOptions:
    """Say what a trained model makes of new examples: their classes, the tags of their words, their translations.

    Prints one line each, separated by tabs, as they come. FILE holds plain sentences, one a line, or has one of the
    formats that the task trains on.
    """

    run: RunArgument
    """Folder of the run."""
    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """File to read; - reads standard input, one sentence a line."""
    checkpoint: str = "best"
    """Which weights: best, last, average of those kept, or the step of a checkpoint that is still there."""
    json: bool = False
    """Print one JSON object a line, with all that is known of each example."""
    num_beams: int | None = None
    """Only of translations: hypotheses that beam search keeps; 1 is greedy. Unset: what the run's configuration says.
    At least 1."""
    length_penalty: float | None = None
    """Only of translations: exponent by which beam search favours longer ones (Wu et al. 2016); 0 favours none.
    Unset: what the run's configuration says."""
    n_best: int | None = None
    """Only of translations: how many to print for each sentence, at most num_beams. At least 1; unset means 1."""
    max_length: int | None = None
    """Only of translations: tokens of one, at most. At least 1. Unset: what the run's configuration says."""
    attention: Path | None = None
    """Only of translations: folder to draw into which source words each word attended to, one picture a sentence."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(PredictOptions, "predict", arguments)

    from recurra.tasks import load

    task = task_name(options.run)
    if task == "text":
        raise RunError(
            f"recurra predict expected a run that predicts classes, tags or translations, got {options.run}, a run of "
            "the task text",
            hint="`recurra generate RUN` writes with it, `recurra score RUN FILE` says how likely each line is",
        )
    keywords, faults = options_of_one_task(options, task)
    if faults:
        raise ConfigError(faults)
    run = load(options.run, checkpoint=options.checkpoint)
    count = 0
    for prediction in iter_predictions(run, options.file, keywords):
        line = json.dumps(prediction.to_json(), ensure_ascii=False) if options.json else prediction.to_line()
        print(line)
        count += 1
    print(f"{count:,} {'example' if count == 1 else 'examples'}", file=sys.stderr)
    return 0


def iter_predictions(run: Any, file: str, keywords: dict[str, Any]) -> Iterator[Any]:
    """Yield the predictions for a file, or for standard input; at a terminal, after each line that is typed.

    Args:
        run: What predicts.
        file: Path, or "-".
        keywords: Options of the run's ``iter_predictions``.
    """
    if file != "-":
        yield from run.iter_predictions(file, **keywords)
        return
    if sys.stdin.isatty():
        print("one sentence a line; Ctrl-D ends", file=sys.stderr)
    if not sys.stdin.isatty() or "attention" in keywords:  # pictures are numbered within one call
        yield from run.iter_predictions(sys.stdin.buffer, **keywords)
        return
    for line in sys.stdin.buffer:
        # a run reads ahead to fill its batches, on which somebody who types would wait
        yield from run.iter_predictions(io.BytesIO(line), **keywords)
