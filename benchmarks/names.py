"""What does a plain tanh RNN learn of lists of names: in 1,000 iterations, in many passes, and told the language?

The set-up of a university's practical: one tanh RNN of 128 units over one-hot characters, learning rate 0.0005,
negative log-likelihood. It asks for 1,000 "epochs" without saying what one is, so both readings are run: iterations of
one random name, and passes over the whole list. Its optimiser is not given; Adam is taken. Names are shared out so that
none stands in two parts. The loss curves are kept with the runs. Needs the data set in $RECURRA_DATA.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import recurra
from recurra.data import LineSet
from support import commands
from support.machine import machine
from support.quiet import Quietness
from support.tables import table

NETWORK = ["--data", "names", "--validation-fraction", "0.1", "--test-fraction", "0.1"]
NETWORK += [
    "--cell",
    "elman",
    "--hidden-size",
    "128",
    "--num-layers",
    "1",
    "--input",
    "one-hot",
    "--output-dropout",
    "0",
]
NETWORK += ["--optimizer", "adam", "--lr", "0.0005", "--schedule", "constant", "--warmup-steps", "0"]
NETWORK += ["--weight-decay", "0", "--num-samples", "0", "--num-validations", "20"]
LANGUAGES = ("Russian", "Italian", "Arabic")
LETTERS = "ABKMS"
NUM_INVENTED = 1000
MAX_LENGTH = 60
PARTS = ("validation", "test")


def train(run: Path, *options: str) -> dict[str, Any]:
    """Train once, print what was run, and return the run's figures."""
    began = time.perf_counter()
    commands.recurra("train", "text", *NETWORK, *options, "--run", str(run), "--overwrite")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    print(
        f"{' '.join(options)}: {result['steps']:,} steps, {result['num_targets']:,} characters, "
        f"{time.perf_counter() - began:.0f} s; loss curve: {run / 'plots' / 'loss.png'}",
        flush=True,
    )
    return result


def report_losses(results: dict[str, dict[str, Any]], run: Any) -> None:
    """Print held-out losses beside those of the baselines, and that no name stands on both sides."""
    rows = [[kind, *values] for kind, values in _losses(next(iter(results.values()))["baselines"])]
    for kind, result in results.items():
        for which in ("last", "best"):
            label = f"{kind}, {which} (step {result[which]['step']:,})"
            rows.append([label, *(f"{result[which][part]['loss']:.4f}" for part in PARTS)])
    print("\n" + table(["nats per character", *PARTS], rows))
    lines = run.data().parts
    known = LineSet(lines["train"])
    shared = sum(int(known.holds(lines[part]).sum()) for part in PARTS)
    print(f"{shared} of {sum(len(lines[part]) for part in PARTS):,} held-out lines also stand in the training part\n")


def _losses(baselines: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(kind, [f"{baselines[part][kind]['loss']:.4f}" for part in PARTS]) for kind in baselines["test"]]


def report_samples(run: Any) -> None:
    """Print names by first letter: the likeliest one, and draws among the one, two and three likeliest characters."""
    ways: dict[str, dict[str, Any]] = {"greedy": {"temperature": 0}}
    ways |= {f"top-k {k}": {"top_k": k, "seed": 1} for k in (1, 2, 3)}
    rows = [
        [way, *(letter + run.generate(letter, length=MAX_LENGTH, **options) for letter in LETTERS)]
        for way, options in ways.items()
    ]
    print(table(["names that begin with", *LETTERS], rows) + "\n")


def report_copies(run: Any) -> None:
    """Print how many invented names are distinct, and how many stand in the training list."""
    ways: dict[str, dict[str, Any]] = {"temperature 1": {}, "top-k 2": {"top_k": 2}, "top-k 3": {"top_k": 3}}
    rows = []
    for way, options in ways.items():
        texts = run.generate_many(NUM_INVENTED, length=MAX_LENGTH, seed=1, **options)
        distinct = sorted(set(texts))
        rows.append([way, f"{run.copied_share(texts):.1%}", len(distinct), f"{run.copied_share(distinct):.1%}"])
    head = [f"{NUM_INVENTED:,} invented names", "in the training list", "distinct ones", "of these in the list"]
    print(table(head, rows) + "\n")


def report_languages(told: Any, plain: Any) -> None:
    """Print what names of some languages cost when their own or another language is said, and invented names."""
    data = told.data()
    lines, known = data.parts["test"], data.facts.label_names
    rows = []
    for language in LANGUAGES:
        numbers = (lines.labels == known.index(language)).nonzero()[0].tolist()
        texts = [told.tokenizer.decode(lines.read(number)) for number in numbers]
        costs = [_nats(plain.score(texts)), *(_nats(told.score(texts, condition=other)) for other in LANGUAGES)]
        rows.append([f"{language}: {len(texts)} ({len(set(texts))} distinct)", *(f"{cost:.4f}" for cost in costs)])
    print(
        table(["test names, nats per character", "nothing said", *(f"said: {one}" for one in LANGUAGES)], rows) + "\n"
    )
    for language in LANGUAGES:
        names = told.generate_many(8, length=MAX_LENGTH, temperature=0.7, seed=1, condition=language)
        print(f"{language}, temperature 0.7: {', '.join(names)}")


def _nats(scores: list[Any]) -> float:
    return -sum(score.log_prob for score in scores) / sum(score.num_tokens for score in scores)


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--iterations", type=int, default=1000, help="steps of one random name (1000)")
    parser.add_argument("--epochs", type=float, default=1000, help="passes over the list (1000, which takes long)")
    parser.add_argument("--language-epochs", type=float, default=100, help="passes with the language said (100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-names"), help="where runs are kept")
    options = parser.parse_args()
    commands.need_data("names")
    print(machine())
    print(f"recurra train text {' '.join(NETWORK)}", flush=True)
    quiet, seed = Quietness(), ["--seed", str(options.seed)]
    passes, told = (["--num-epochs", f"{number:g}"] for number in (options.epochs, options.language_epochs))
    folders = {kind: options.runs / kind for kind in ("iterations", "passes", "languages")}
    results = {
        f"{options.iterations:,} iterations of one name": train(
            folders["iterations"], "--batch-size", "1", "--max-steps", str(options.iterations), *seed
        ),
        f"{options.epochs:g} passes": train(folders["passes"], *passes, *seed),
        f"{options.language_epochs:g} passes, language said": train(
            folders["languages"], "--label-column", "file", *told, *seed
        ),
    }
    print(f"while they trained: {quiet.line()}")
    run = recurra.load(folders["passes"])
    report_losses(results, run)
    report_samples(run)
    report_copies(run)
    report_languages(recurra.load(folders["languages"]), run)


if __name__ == "__main__":
    main()
