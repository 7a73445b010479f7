"""Does memory grow with the text? Anonymous resident memory (RssAnon) while training on 10 MB and on 1 GB.

Linux only: reads /proc/PID/status of a training process, from its first checkpoint to its last step.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recurra.data import catalog
from support.limits import verdict
from support.machine import machine

MOST_MB = 50
"""Largest growth of the memory from the small text to the large one."""


def rss_anon_mb(pid: int) -> float:
    """Return the anonymous resident memory of a process, in MB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1000 if found else 0.0


def measure(path: Path, run: Path, max_steps: int) -> tuple[float, float]:
    """Train on a file and return median and peak of the memory while the loop runs, in MB."""
    command = [sys.executable, "-m", "recurra", "train", "text", "--data", str(path), "--run", str(run)]
    command += ["--max-steps", str(max_steps), "--num-validations", "1", "--hidden-size", "128"]
    command += ["--num-samples", "2", "--sample-length", "50"]
    # equal parts to validate on, so that only the size of the text differs
    share = 200_000 / path.stat().st_size
    command += ["--validation-fraction", f"{share:.8f}", "--test-fraction", "0", "--log-every", "5"]
    environment = {**os.environ, "RECURRA_CACHE": str(run.parent / "cache")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    samples = []
    while process.poll() is None:
        metrics = run / "metrics.jsonl"
        if metrics.exists() and '"train"' in metrics.read_text() and not (run / "plots").exists():
            last = metrics.read_text().rstrip().rsplit("\n", 1)[-1]
            if f'"step": {max_steps}' not in last:
                samples.append(rss_anon_mb(process.pid))
        time.sleep(0.05)
    if process.returncode:
        sys.exit(process.stderr.read())
    return statistics.median(samples), max(samples)


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-steps", type=int, default=400)
    options = parser.parse_args()
    print(machine())
    text = catalog.resolve(["builtin:python-manual"]).paths[0].read_bytes()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, size in (("10 MB", 10_000_000), ("1 GB", 1_000_000_000)):
            path = folder / f"{size}.txt"
            with open(path, "wb") as file:
                for _ in range(size // len(text)):
                    file.write(text)
            found[label] = measure(path, folder / f"run-{size}", options.max_steps)
            print(f"{label:<6} RssAnon while training: median {found[label][0]:.1f} MB, peak {found[label][1]:.1f} MB")
            path.unlink()
    for index, what in enumerate(("medians", "peaks")):
        difference = found["1 GB"][index] - found["10 MB"][index]
        print(f"difference of the {what}: {difference:+.1f} MB   {verdict(difference, at_most=MOST_MB, unit='MB')}")


if __name__ == "__main__":
    main()
