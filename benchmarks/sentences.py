"""Does a language model tell sentences from the same ones with two words swapped, better than counts of words do?

Held-out sentences of at least four words, and each again with the words at two random places swapped, where that
changes it. A sentence is ranked right when it is scored above its changed form; equal scores count half. A run of words
scores with `run.score`; beside it a modified Kneser-Ney 5-gram and a unigram model of the run's training part, by
sentence. The unigram model cannot tell and must be at 50 %. The sentences are the test part of the Penn Treebank, or
with --captions the validation part of Multi30k in English; without RUN, the model of benchmarks/penn_treebank.py is
trained for some minutes first. Needs the data sets in $RECURRA_DATA.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import recurra
from recurra.data import EOS_ID, iter_lines, resolve, split_units
from recurra.data.catalog import DATA_VARIABLE
from recurra.models.ngram import MAX_TRAIN, CountModel, KneserNey, Unigram
from support.commands import need_data
from support.folders import run_folder
from support.machine import machine
from support.tables import table
from support.treebank import WORDS, train_treebank

LEAST_WORDS = 4
ORDER = 5
TIE = 1e-6
"""Scores are equal where they differ by no more nats: the order of a sum changes its last digits."""
LENGTHS = (4, 10, 20, 30)
"""Least words of the groups of sentences that are reported apart."""

Pair = tuple[list[str], list[str]]
Score = Callable[[Sequence[str]], np.ndarray]
"""Returns the log-probability of each sentence, float64 of shape (n,)."""


def find_sentences(captions: bool) -> Path:
    """Return the file of held-out sentences; end the script with 2 where it is not there."""
    if not captions:
        need_data("ptb")
        return resolve(["ptb"]).test[0]
    path = Path(os.environ.get(DATA_VARIABLE, "")).expanduser() / "multi30k" / "val.en.gz"
    if not path.is_file():
        print(f"expected the sentences at {path}; set {DATA_VARIABLE} to the folder of data sets", file=sys.stderr)
        sys.exit(2)
    return path


def make_pairs(path: Path, run: Any, seed: int) -> list[Pair]:
    """Return sentences as words, each with its changed form."""
    rng = np.random.default_rng(seed)
    pairs = []
    for line in iter_lines(path):
        words = split_units(line, run.tokenizer.kind)
        places = [number for number, word in enumerate(words) if any(map(str.isalnum, word))]
        if len(places) < LEAST_WORDS:
            continue
        first, second = rng.choice(places, 2, replace=False)
        changed = list(words)
        changed[first], changed[second] = words[second], words[first]
        if changed != words:
            pairs.append((words, changed))
    return pairs


def of_counts(model: CountModel, run: Any) -> Score:
    """Return what scores sentences with a model of counts, each by itself and with its end."""

    def score(sentences: Sequence[str]) -> np.ndarray:
        ids = [np.append(run.tokenizer.encode(sentence), EOS_ID) for sentence in sentences]
        starts = np.cumsum([0, *map(len, ids[:-1])])
        return np.add.reduceat(model.log_probs(np.concatenate(ids), starts), starts)

    return score


def scorers(run: Any) -> dict[str, Score]:
    """Return what scores sentences, by its name."""
    ids, starts = run.data().training_tokens(MAX_TRAIN)
    if starts is None:  # of a stream, sentences are its lines
        starts = np.append(0, np.flatnonzero(ids[:-1] == EOS_ID) + 1)
    size = len(run.tokenizer)
    return {
        "this model": lambda sentences: np.array([score.log_prob for score in run.score(sentences)]),
        f"{ORDER}-gram": of_counts(KneserNey(ORDER, size).fit(ids, starts), run),
        "unigram": of_counts(Unigram(size).fit(ids, starts), run),
    }


def ranked_right(score: Score, pairs: Sequence[Pair]) -> np.ndarray:
    """Return for each pair 1 where the sentence is likelier than its changed form, and 0.5 for equal scores."""
    real, changed = (score([" ".join(pair[side]) for pair in pairs]) for side in (0, 1))
    difference = real - changed
    return np.where(np.abs(difference) <= TIE, 0.5, difference > 0)


def report(found: dict[str, np.ndarray], pairs: Sequence[Pair]) -> None:
    """Print the shares of all sentences, and of short and long ones."""
    lengths = np.array([len(words) for words, _ in pairs])
    groups = {"all": lengths > 0}
    for least, behind in zip(LENGTHS, (*LENGTHS[1:], math.inf), strict=True):
        name = f"{least} to {behind - 1} words" if behind < math.inf else f"from {least} words"
        groups[name] = (lengths >= least) & (lengths < behind)
    groups = {name: chosen for name, chosen in groups.items() if chosen.any()}
    rows = [[kind, *(f"{right[chosen].mean():.1%}" for chosen in groups.values())] for kind, right in found.items()]
    head = ["ranked right", *(f"{name} ({chosen.sum():,})" for name, chosen in groups.items())]
    print("\n" + table(head, rows) + "\n")
    for kind, right in found.items():
        error = 1.96 * right.std() / math.sqrt(len(right))
        print(f"{kind}: {right.mean():.2%} +- {error:.2%} (95 %), {(right == 0.5).mean():.1%} ties")


def main() -> int:
    """Run the measurement; 1 where the unigram model tells sentences apart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="a run of words; without it one is trained")
    parser.add_argument("--captions", action="store_true", help="sentences of Multi30k instead of the Penn Treebank")
    parser.add_argument("--minutes", type=float, default=10, help="to train for, where no run is given (10)")
    parser.add_argument("--seed", type=int, default=1, help="of the places that are swapped")
    options = parser.parse_args()
    path = find_sentences(options.captions)
    print(machine(), flush=True)
    with run_folder(options.run) as folder:
        if options.run is None:
            need_data("ptb")
            print(f"recurra train text {' '.join(WORDS)}   for {options.minutes:g} min", flush=True)
            train_treebank(WORDS, options.minutes, folder)
        run = recurra.load(folder)
        if run.tokenizer.kind not in ("word", "whitespace"):
            parser.error(f"expected RUN to be a run of words, got one of the tokenizer {run.tokenizer.kind}")
        pairs = make_pairs(path, run, options.seed)
        perplexity = run.evaluate("test")["perplexity"] if run.data().size("test") else math.nan
        print(
            f"{len(pairs):,} sentences of {path.name}; weights of step {run.step:,}, test perplexity {perplexity:.2f}"
        )
        found = {kind: ranked_right(score, pairs) for kind, score in scorers(run).items()}
    report(found, pairs)
    if not (found["unigram"] == 0.5).all():
        print("PROBLEM: the unigram model does not find all sentences as likely as their changed forms")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
