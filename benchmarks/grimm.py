"""Does a model that reads 30 characters at a time learn to write words? Grimms' tales, two LSTM layers.

The set-up of the University of Amsterdam's deep-learning practical (2018, assignment 2): windows of 30 characters, two
layers, five evenly spaced samples, then "Sleeping beauty is" continued for 500 characters.
Needs the book in $RECURRA_DATA.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from support.machine import machine

PRIME = "Sleeping beauty is"


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/grimm"))
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    recurra = [sys.executable, "-m", "recurra"]
    train = ["train", "text", "--data", "grimm", "--bptt", "30", "--time-budget-s", str(60 * options.minutes)]
    train += ["--num-samples", "5", "--sample-length", "600", "--temperatures", "0.5", "1.0"]
    train += ["--run", str(options.run), "--overwrite"]
    print(machine())
    subprocess.run([*recurra, *train], check=True, stdout=subprocess.DEVNULL)
    for path in sorted((options.run / "samples").iterdir()):
        shares = re.findall(r"\[temperature ([\d.]+): (\d+%|no words)", path.read_text(encoding="utf-8"))
        print(f"{path.stem}: words that the book has: " + ", ".join(f"{s} at temperature {t}" for t, s in shares))
    result = json.loads((options.run / "result.json").read_text())
    for split, baselines in result["baselines"].items():
        figures = {"last": result["last"][split]["loss"], "best": result["best"][split]["loss"]}
        figures |= {name: values["loss"] for name, values in baselines.items()}
        print(f"{split} (nats per character): " + ", ".join(f"{name} {loss:.3f}" for name, loss in figures.items()))
    generate = [
        "generate",
        str(options.run),
        "--prime",
        PRIME,
        "--length",
        "500",
        "--temperature",
        "0.5",
        "--seed",
        "1",
    ]
    print(flush=True)
    subprocess.run([*recurra, *generate], check=True)


if __name__ == "__main__":
    main()
