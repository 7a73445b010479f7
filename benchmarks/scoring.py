"""How many lines does `run.score` score in a second, beside plain PyTorch in batches and one line at a time?

Two LSTM models that were never trained, as speed does not depend on what weights say: words of the Penn Treebank (two
layers of 200, 10,000 words) and characters of names (two layers of 128). Plain PyTorch is the same model of torch's
modules on padded batches of 64 lines in the order of the file, and on one line at a time. All three encode the text.
They take turns; rates are medians of the rounds. Needs the data sets in $RECURRA_DATA.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import torch

from recurra.data import BOS_ID, EOS_ID, iter_lines, resolve
from recurra.tasks.text import DataConfig, ModelConfig, TextConfig, TextRun, TextTask
from recurra.training.run_folder import RunFolder
from support.commands import need_data
from support.machine import machine
from support.plain_scoring import PlainLanguageModel, score_plainly
from support.quiet import Quietness
from support.tables import table
from support.turns import take_turns

BATCH_SIZE = 64
SHARE_ALONE = 10
"""One line at a time is timed on this fraction of the lines: it takes long, and all lines cost it alike."""
MOST_DIFFERENCE = 1e-2
"""Between the log-probabilities of a line, in nats."""


@dataclass(frozen=True)
class Setting:
    """A data set, and a model of it."""

    data: str
    model: ModelConfig
    unit: str


SETTINGS = (
    Setting("ptb", ModelConfig(hidden_size=200, tie_weights=True), "words"),
    Setting("names", ModelConfig(hidden_size=128), "characters"),
)


def open_setting(setting: Setting) -> TextRun:
    """Return a run with first weights."""
    config = TextConfig(data=DataConfig(data=(setting.data,)), model=setting.model)
    task = TextTask.from_config(config)
    config = TextConfig(data=task.data_config, model=setting.model)
    torch.manual_seed(1)
    # scoring reads nothing of the folder, which is not there
    return TextRun(RunFolder("no-run"), config, task.data.tokenizer, (), task.build_model().eval(), 0)


def read_lines(data: str, count: int) -> list[str]:
    """Return lines of the test part, or of all files of a data set without one, repeated as often as it takes."""
    sources = resolve([data])
    paths: tuple[Path, ...] = sources.test or sources.paths
    lines = [line.strip() for path in paths for line in iter_lines(path)]
    return list(itertools.islice(itertools.cycle(line for line in lines if line), count))


def measure(setting: Setting, num_lines: int, rounds: int, most_s: float) -> bool:
    """Print one table, and return whether all sides found the same."""
    run, lines = open_setting(setting), read_lines(setting.data, num_lines)
    few = lines[: max(num_lines // SHARE_ALONE, 1)]
    plain = PlainLanguageModel(run.model).eval()
    score = functools.partial(score_plainly, plain, run.tokenizer, first=BOS_ID if run.is_of_lines else EOS_ID)
    ways = {
        "run.score": lambda: run.score(lines),
        f"torch, {BATCH_SIZE} lines padded": lambda: score(lines, batch_size=BATCH_SIZE),
        "torch, one line at a time": lambda: score(few, batch_size=1),
    }
    scores = run.score(lines)
    num_tokens = sum(one.num_tokens for one in scores)
    difference = max(
        abs(one.log_prob - theirs) for one, theirs in zip(scores, score(lines, batch_size=BATCH_SIZE), strict=True)
    )
    quiet = Quietness()
    turns = take_turns(ways, rounds, most_s=most_s)
    ours, *others = ways
    rows = []
    for way in ways:
        share = len(few) / len(lines) if way == others[-1] else 1.0
        seconds = turns.median_s(way) / share
        times = turns.ratio(way, ours) / share
        rows.append([way, f"{len(lines) / seconds:,.0f}", f"{num_tokens / seconds:,.0f}", f"{times:.2f}"])
    print(f"\n{setting.data}: {len(lines):,} lines, {num_tokens:,} {setting.unit} with line ends; {quiet.line()}\n")
    print(table(["", "lines/s", f"{setting.unit}/s", "its time / ours"], rows), flush=True)
    if not difference <= MOST_DIFFERENCE:
        print(f"PROBLEM: the log-probabilities of a line differ by {difference:.2g} nats")
        return False
    return True


def main() -> int:
    """Run the measurement; 1 where the sides differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most-s", type=float, default=300.0, help="no round of a setting begins later (300)")
    options = parser.parse_args()
    for setting in SETTINGS:
        need_data(setting.data)
    torch.set_num_threads(options.threads)
    print(machine())
    found = [measure(setting, options.lines, options.rounds, options.most_s) for setting in SETTINGS]
    return 0 if all(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
