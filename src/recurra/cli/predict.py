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

_MAX_LINE_CHARS = 10_000_000


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
    text_column: str | None = None
    """Only of classify: column of a table that holds the text. Unset: what the data set or the run's configuration
    says."""
    num_beams: int | None = None
    """Only of translations: hypotheses that beam search keeps; 1 is greedy. Unset: what the run's configuration says.
    At least 1."""
    length_penalty: float | None = None
    """Only of translations: exponent by which beam search favours longer ones (Wu et al. 2016); 0 favours none.
    Unset: what the run's configuration says."""
    n_best: int | None = None
    """Only of translations: how many to print for each sentence, at most num_beams, each behind its score, and an empty
    line behind them all. At least 1; unset means 1."""
    max_length: int | None = None
    """Only of translations: tokens of one with its end, at most. At least 1.
    Unset: what the run's configuration says."""
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
    """Yield the predictions for a file, or for standard input; whose lines are answered as they come.

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
    if "attention" in keywords:  # pictures are numbered within one call
        yield from run.iter_predictions(sys.stdin.buffer, **keywords)
        return
    for lines in iter_arriving(sys.stdin.buffer):
        # a run reads ahead to fill its batches, on which somebody who types would wait, and so would a slow pipe
        yield from run.iter_predictions(io.BytesIO("".join(f"{line}\n" for line in lines).encode()), **keywords)
        sys.stdout.flush()


def iter_arriving(stream: Any) -> Iterator[list[str]]:
    """Yield the lines of a binary stream as they come: as many at a time as are there.

    Raises:
        EncodingError: When it is not UTF-8 text.
        DataError: When a line is too long.
    """
    from recurra.data.text_files import CHUNK_BYTES, TextFile, iter_line_lists

    name = "standard input"
    chunks = TextFile(name).decoded(_Arriving(stream), CHUNK_BYTES)  # type: ignore[arg-type]
    yield from iter_line_lists(chunks, name, max_chars=_MAX_LINE_CHARS, hint="break the text into lines first")


class _Arriving:
    """A binary stream whose ``read`` waits for some bytes, and not for all that were asked for."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        content: bytes = self._stream.read1(size)
        return content
