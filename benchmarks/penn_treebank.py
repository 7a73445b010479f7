"""How well is the Penn Treebank learnt in an hour, by words or by characters, and what does a cache of words add?

Words: perplexity of the test part, the state carried through it, beside a unigram and a modified Kneser-Ney 5-gram
model of the same training part; then with the continuous cache (Grave, Joulin and Usunier 2017, arXiv 1612.04426),
whose weight and flatness are those that do best on the validation part. With --characters: bits per character.
Parts are read as `recurra evaluate` does, in pieces of at least 8,192 tokens side by side: each begins with no state
and an empty cache. Needs the data set in $RECURRA_DATA. Unknown options go to `recurra train text`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path
from typing import Any

import recurra
from recurra.models import WordCache
from support.commands import need_data
from support.folders import run_folder
from support.limits import verdict
from support.machine import machine
from support.quiet import Quietness
from support.tables import table
from support.treebank import CHARACTERS, WORDS, train_treebank

MOST_PERPLEXITY = 120
"""Of the test words, without the cache, after an hour."""
PARTS = ("validation", "test")


def report_training(run: Path, steps_of_pass: int, is_of_words: bool) -> dict[str, Any]:
    """Print size, length and speed of training and the validation curve; return the run's figures."""
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    model = recurra.load(run).config.model
    passes = result["steps"] / steps_of_pass
    print(
        f"{model.num_layers} x {model.hidden_size} units, {result['num_parameters']:,} parameters; "
        f"{result['steps']:,} steps, {passes:.2f} passes, {result['tokens_per_s']:,.0f} tokens/s"
    )
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    curve = [
        (
            f"{row['step'] / steps_of_pass:.2f}",
            f"{row['step']:,}",
            f"{row['seconds'] / 60:.1f}",
            figure(row, is_of_words),
        )
        for row in rows
        if row["split"] == "validation"
    ]
    print("\n" + table(["passes", "steps", "minutes of steps", f"validation, {name(is_of_words)}"], curve) + "\n")
    return result


def name(is_of_words: bool) -> str:
    return "perplexity per word" if is_of_words else "bits per character"


def figure(figures: dict[str, float], is_of_words: bool) -> str:
    """Return what a part is measured by.

    Of the characters this is the loss in bits: a token is one of them, and the white space between tokens is none.
    """
    return f"{figures['perplexity']:.2f}" if is_of_words else f"{figures['loss'] / math.log(2):.4f}"


def choose_cache(run: Any, size: int, weights: list[float], flatnesses: list[float]) -> WordCache:
    """Print the validation perplexity with each setting of the cache, and return the cache that does best."""
    found = {
        (weight, flatness): run.evaluate("validation", cache=WordCache(size, weight, flatness))["perplexity"]
        for weight, flatness in itertools.product(weights, flatnesses)
    }
    rows = [[f"{weight:g}", *(f"{found[weight, flatness]:.2f}" for flatness in flatnesses)] for weight in weights]
    head = ["weight of the cache", *(f"flatness {flatness:g}" for flatness in flatnesses)]
    print(f"validation perplexity with a cache of {size} words:\n\n{table(head, rows)}\n")
    return WordCache(size, *min(found, key=found.__getitem__))


def report(run_path: Path, result: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the figures of both parts beside the baselines, and whether the limit is kept."""
    run, is_of_words = recurra.load(run_path), not options.characters
    found = {kind: {part: result["baselines"][part][kind] for part in PARTS} for kind in result["baselines"]["test"]}
    label = f"this model, best of validation (step {run.step:,})"
    found[label] = {part: run.evaluate(part) for part in PARTS}
    if is_of_words:
        cache = choose_cache(run, options.cache_size, options.cache_weights, options.cache_flatnesses)
        with_cache = f"the same with a cache of {cache.size}: weight {cache.weight:g}, flatness {cache.flatness:g}"
        found[with_cache] = {part: run.evaluate(part, cache=cache) for part in PARTS}
    rows = [[kind, *(figure(figures[part], is_of_words) for part in PARTS)] for kind, figures in found.items()]
    print(table([f"{name(is_of_words)}, state carried", *PARTS], rows) + "\n")
    if is_of_words:
        perplexity = found[label]["test"]["perplexity"]
        print(f"test perplexity {perplexity:.2f}   {verdict(perplexity, at_most=MOST_PERPLEXITY)}")
        return
    bits = figure(found[label]["test"], is_of_words)
    size = f"{result['num_parameters']:,} parameters"
    print(f"{bits} bits per character of the test part, after {options.minutes:g} min with {size}")


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--characters", action="store_true", help="the same text by characters")
    parser.add_argument("--run", type=Path, help="keep the run in this folder; otherwise it is removed at the end")
    parser.add_argument("--cache-size", type=int, default=500)
    parser.add_argument("--cache-weights", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    parser.add_argument("--cache-flatnesses", type=float, nargs="+", default=[0.1, 0.3, 0.5])
    options, extra = parser.parse_known_args()
    need_data("ptb-char" if options.characters else "ptb")
    print(machine())
    settings = [*(CHARACTERS if options.characters else WORDS), "--seed", str(options.seed), *extra]
    print(f"recurra train text {' '.join(settings)}   for {options.minutes:g} min", flush=True)
    with run_folder(options.run) as run:
        quiet = Quietness()
        steps_of_pass = train_treebank(settings, options.minutes, run)
        print(f"while it trained: {quiet.line()}")
        result = report_training(run, steps_of_pass, not options.characters)
        report(run, result, options)


if __name__ == "__main__":
    main()
