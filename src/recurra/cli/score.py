"""``recurra score RUN FILE``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from recurra.cli.parsing import RunArgument, parse
from recurra.cli.runs import load_text_run

if TYPE_CHECKING:
    from recurra.tasks.text import Score

_SORT_KEYS = {"total": "log_prob", "per-token": "loss", "per-char": "bits_per_char"}


@dataclass(frozen=True)
class ScoreOptions:
    """Say how likely a trained model finds each line of a file.

    Prints one line each, separated by tabs: log-probability and loss in nats, bits per character, perplexity per token,
    numbers of tokens and of unknown ones, and the line. A line counts from its beginning up to and including its end.
    """

    run: RunArgument
    """Folder of the run."""
    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """Text file, one sentence a line; - reads standard input. Empty lines are kept, and scored as their end alone."""
    carry_state: bool = False
    """Score each line given all lines before it; otherwise each is scored by itself. A model of lines learnt none."""
    per_token: bool = False
    """Below each line, print its tokens with their log-probabilities."""
    rank: Literal["no", "total", "per-token", "per-char"] = "no"
    """Print the likeliest line first: by its whole log-probability, or by that for each token or character."""
    condition: str | None = None
    """Label to score for, where the model was trained with labels."""
    end: bool = True
    """Whether the end of a line counts."""
    checkpoint: str = "best"
    """Which weights: best, last, or the step of a checkpoint that is still there."""
    json: bool = False
    """Print one JSON object a line."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(ScoreOptions, "score", arguments)

    from recurra.data import iter_lines

    lines = iter_lines(sys.stdin.buffer if options.file == "-" else options.file)
    run = load_text_run(options.run, "score", checkpoint=options.checkpoint)
    scorer = run.scorer(condition=options.condition, with_end=options.end)
    scores = scorer.score_carried(lines) if options.carry_state else scorer.score(lines)
    if options.rank != "no":
        scores = iter(ranked(scores, options.rank))
    totals = Totals()
    for score in totals.counted(scores):
        if totals.num_lines == 1 and not options.json:
            unit = score.unit
            print(f"log_prob\tnats/{unit}\tbits/char\tperplexity/{unit}\t{unit}s\tunknown\ttext")
        show(score, options)
    print(totals.line(), file=sys.stderr)
    return 0


def ranked(scores: Iterable[Score], rank: str) -> list[Score]:
    """Return scores with the likeliest first; what has no figure comes last, equal ones keep their order."""
    name = _SORT_KEYS[rank]
    sign = -1.0 if rank == "total" else 1.0

    def key(score: Score) -> tuple[bool, float]:
        value = getattr(score, name)
        return value != value, sign * value

    return sorted(scores, key=key)


def show(score: Score, options: ScoreOptions) -> None:
    """Print one line's score."""
    if options.json:
        print(json.dumps(score.to_json(per_token=options.per_token), ensure_ascii=False))
        return
    text = score.text.replace("\t", " ")
    print(
        f"{score.log_prob:.4f}\t{score.loss:.4f}\t{score.bits_per_char:.4f}\t{score.perplexity:.2f}\t"
        f"{score.num_tokens}\t{score.num_unknown}\t{text}"
    )
    if options.per_token:
        for token, value in zip(score.tokens, score.token_log_probs, strict=True):
            print(f"\t{value:.4f}\t{token!r}")


class Totals:
    """Sums over all lines."""

    def __init__(self) -> None:
        self.num_lines = self.num_tokens = self.num_chars = self.num_unknown = 0
        self.log_prob = 0.0
        self.unit = "token"

    def counted(self, scores: Iterable[Score]) -> Iterator[Score]:
        """Pass scores on, each added to the sums."""
        for score in scores:
            self.num_lines += 1
            self.num_tokens += score.num_tokens
            self.num_chars += score.num_chars
            self.num_unknown += score.num_unknown
            self.log_prob += score.log_prob
            self.unit = score.unit
            yield score

    def line(self) -> str:
        """Return the sums for a person."""
        from math import exp, log

        if not self.num_tokens:
            return "no lines"
        loss = -self.log_prob / self.num_tokens
        bits = f", {-self.log_prob / log(2) / self.num_chars:.4f} bits per character" if self.num_chars else ""
        text = (
            f"{self.num_lines:,} lines, {self.num_tokens:,} {self.unit}s: {loss:.4f} nats per {self.unit}{bits}, "
            f"perplexity {exp(min(loss, 700)):.2f} per {self.unit}"
        )
        if self.num_unknown:
            text += f"; unknown {self.unit}s, whose spelling costs nothing here: {self.num_unknown:,}"
        return text
