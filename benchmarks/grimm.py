"""Does a model that reads 30 characters at a time learn to write words? Grimms' tales, two LSTM layers.

The set-up of the University of Amsterdam's deep-learning practical (2018, assignment 2): windows of 30 characters, two
layers, five evenly spaced samples, then "Sleeping beauty is" continued for 500 characters.
Needs the book in $RECURRA_DATA.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

from support.commands import need_data, recurra
from support.machine import machine

PRIME = "Sleeping beauty is"


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="keep the run in this folder; otherwise it is removed at the end")
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    need_data("grimm")
    print(machine(), flush=True)
    if options.run is not None:
        measure(options.run, options.minutes)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "grimm", options.minutes)


def measure(run: Path, minutes: float) -> None:
    """Train, and print shares of known words, losses, and a continued text."""
    train = ["train", "text", "--data", "grimm", "--bptt", "30", "--time-budget-s", str(60 * minutes)]
    train += ["--num-samples", "5", "--sample-length", "600", "--temperatures", "0.5", "1.0", "--run", str(run)]
    recurra(*train, show_messages=True)
    for path in sorted((run / "samples").iterdir()):
        shares = re.findall(r"\[temperature ([\d.]+): (\d+%|no words)", path.read_text(encoding="utf-8"))
        print(f"{path.stem}: words that the book has: " + ", ".join(f"{s} at temperature {t}" for t, s in shares))
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    for split, baselines in result["baselines"].items():
        figures = {"last": result["last"][split]["loss"], "best": result["best"][split]["loss"]}
        figures |= {name: values["loss"] for name, values in baselines.items()}
        print(f"{split} (nats per character): " + ", ".join(f"{name} {loss:.3f}" for name, loss in figures.items()))
    generate = ["generate", str(run), "--prime", PRIME, "--length", "500", "--temperature", "0.5", "--seed", "1"]
    print("\n" + recurra(*generate, show_messages=True), flush=True)


if __name__ == "__main__":
    main()
