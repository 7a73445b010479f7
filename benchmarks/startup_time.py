"""How long does `recurra --help` take? Whole processes, in seconds, beside Python alone and other commands."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from support.limits import verdict
from support.machine import machine

MOST_S = 1.0
COMMANDS = {
    "python -c ''": ["-c", ""],
    "recurra --help": ["-m", "recurra", "--help"],
    "recurra train text --help": ["-m", "recurra", "train", "text", "--help"],
    "recurra generate --help": ["-m", "recurra", "generate", "--help"],
}


def main() -> None:
    """Run the measurement."""
    print(machine())
    for name, arguments in COMMANDS.items():
        seconds = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
        median = statistics.median(seconds[1:])
        limit = verdict(median, at_most=MOST_S, unit="s") if name.startswith("recurra") else ""
        print(f"{name:<28} {median:.3f} s   [{min(seconds[1:]):.3f} .. {max(seconds[1:]):.3f}]   {limit}".rstrip())


if __name__ == "__main__":
    main()
