"""What does padding cost when lines of different length are trained on, batched by length or padded to the longest?

Time a real token (line ends included, padding not) of training steps on a pool of 3,200 random lines of the training
part, as a run takes them: LineBatches sorts 50 batches of 64 by length. Beside it, the same batches padded to the
longest line of the whole part; and, as the ideal, as many tokens in lines that are equally long. The model is a
language model with two LSTM layers of 128: words of the Penn Treebank by sentence, and characters of names. Steps are
forward and backward pass, clipping and AdamW; the softmax is computed for real tokens only, whatever the padding. The
three take turns, each one pass a round; ratios are medians of the rounds' own. Needs the data sets in $RECURRA_DATA.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.data import IGNORE_INDEX, PAD_ID, LineBatches, Lines, num_targets
from recurra.models import LanguageModel
from recurra.tasks.text import DataConfig, TextConfig, TextTask
from support.commands import need_data
from support.limits import verdict
from support.machine import machine
from support.quiet import Quietness
from support.tables import table
from support.turns import take_turns

DATA_SETS = {"ptb": "words", "names": "characters"}
BATCH_SIZE, HIDDEN_SIZE, NUM_LAYERS = 64, 128, 2
NUM_LINES = 50 * BATCH_SIZE
MOST_RATIO = 1.15
"""Time a token of lines batched by length, as a multiple of that of equally long ones."""

Batch = tuple[Tensor, Tensor, Tensor]
"""Inputs and targets (T, B), and the valid steps of each line (B,)."""


class Pass:
    """Training steps on all batches of a pass, one pass a call."""

    def __init__(self, vocab_size: int, batches: Iterable[Batch]) -> None:
        torch.manual_seed(1)
        self.model = LanguageModel(vocab_size, hidden_size=HIDDEN_SIZE, num_layers=NUM_LAYERS)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.batches = batches

    def __call__(self) -> None:
        """Run the steps."""
        for inputs, targets, lengths in self.batches:
            prediction, _ = self.model(inputs, lengths=lengths, targets=targets)
            self.optimizer.zero_grad()
            (prediction.nll.sum() / lengths.sum()).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()


class ByLength:
    """The batches of a pass over some lines, made anew each time."""

    def __init__(self, lines: Lines) -> None:
        self.stream = LineBatches(lines, batch_size=BATCH_SIZE)

    def __iter__(self) -> Iterator[Batch]:
        for batch in islice(self.stream, self.stream.batches_per_epoch):
            yield batch.inputs, batch.targets, batch.lengths

    def num_steps(self) -> int:
        """Return time steps times rows, padding included."""
        return sum(inputs.numel() for inputs, _, _ in self)


class Padded(ByLength):
    """The same batches, padded until they have the time steps of the longest line of the set."""

    def __init__(self, lines: Lines, longest: int) -> None:
        super().__init__(lines)
        self.longest = longest

    def __iter__(self) -> Iterator[Batch]:
        for inputs, targets, lengths in super().__iter__():
            missing = (0, 0, 0, self.longest - len(inputs))
            yield (
                functional.pad(inputs, missing, value=PAD_ID),
                functional.pad(targets, missing, value=IGNORE_INDEX),
                lengths,
            )


def equal_lines(lines: Lines, num_tokens: int) -> Lines:
    """Return lines of one length, the mean of the given ones, that have about so many targets together."""
    length = max(round(num_tokens / len(lines)) - 1, 1)
    count = min(round(num_tokens / (length + 1)), len(lines.ids) // length)
    return Lines(lines.ids, np.arange(count) * length, np.full(count, length))


def measure(data: str, num_lines: int, rounds: int, most_s: float) -> None:
    """Print one table and whether the limit is kept."""
    text = TextTask.from_config(TextConfig(data=DataConfig(data=(data,), sequences="lines"))).data
    training = text.parts["train"]
    longest = int(num_targets(training).max())
    chosen = np.random.default_rng(1).permutation(len(training))[:num_lines]
    lines = training.take(np.sort(chosen))
    equal = equal_lines(lines, int(num_targets(lines).sum()))
    ways = {
        "batched by length": (ByLength(lines), lines),
        f"padded to the longest, {longest}": (Padded(lines, longest), lines),
        f"equally long, {int(equal.lengths[0]) + 1}": (ByLength(equal), equal),
    }
    tokens = {way: int(num_targets(used).sum()) for way, (_, used) in ways.items()}
    quiet = Quietness()
    passes = {way: Pass(len(text.tokenizer), batches) for way, (batches, _) in ways.items()}
    turns = take_turns(passes, rounds, most_s=most_s)
    ours, _, ideal = ways
    ratios = {way: turns.ratio(way, ideal) * tokens[ideal] / tokens[way] for way in ways}
    rows = []
    for way, (batches, _) in ways.items():
        padding, seconds = 1 - tokens[way] / batches.num_steps(), turns.median_s(way)
        a_token_us = 1e6 * seconds / tokens[way]
        rows.append([way, f"{padding:.1%}", f"{seconds:.2f}", f"{a_token_us:.1f}", f"{ratios[way]:.2f}"])
    print(
        f"\n{data}: {len(lines):,} lines, {tokens[ours]:,} {DATA_SETS[data]} with line ends, vocabulary of "
        f"{len(text.tokenizer):,}; {len(turns.times[ideal])} rounds, {quiet.line()}\n"
    )
    print(table(["lines", "padding", "s a pass", f"us a real {DATA_SETS[data][:-1]}", "/ ideal"], rows))
    print(f"\n{ours} / ideal {ratios[ours]:.2f}   {verdict(ratios[ours], at_most=MOST_RATIO)}", flush=True)


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=NUM_LINES, help="lines of a pass; fewer than 3200 pad more (3200)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most-s", type=float, default=300.0, help="no round of a data set begins later (300)")
    parser.add_argument("--data", nargs="+", choices=list(DATA_SETS), default=list(DATA_SETS))
    options = parser.parse_args()
    for data in options.data:
        need_data(data)
    torch.set_num_threads(options.threads)
    print(machine())
    for data in options.data:
        measure(data, options.lines, options.rounds, options.most_s)


if __name__ == "__main__":
    main()
